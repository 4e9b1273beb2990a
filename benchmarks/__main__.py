"""Runs all benchmarks, each in its own process, and stores the results.

  python -m benchmarks [--only=masks,gaaf] [--repeats=15] [--patience=60] [--smoke]

writes benchmarks/results/<device>.json (one record per line) and <device>.md (tables).
With --only, the records of other benchmarks do not change. With --smoke, no results are
stored.
"""

import itertools
import json
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

from absl import app, flags

from benchmarks import _bench, _tables

QUESTIONS = (
    *("masks", "iwsgd", "iwsgd_encoder", "iwsgd_memory", "backprojection", "epoch"),
    *("gaaf", "conv_step", "vit", "captions", "startup"),
)
"""The files with a `run`, in the order of the page."""

ONLY = flags.DEFINE_list("only", list(QUESTIONS), "The benchmarks to run.")

RESULTS = pathlib.Path(__file__).parent / "results"

Record = dict[str, Any]


def run_all(argv: list[str]) -> None:
    """Run the requested benchmarks. If one fails, the others still run."""
    if len(argv) > 1:
        raise app.UsageError(f"no arguments besides flags, got {argv[1:]}")
    unknown = sorted(set(ONLY.value) - set(QUESTIONS))
    if unknown:
        raise app.UsageError(f"--only={unknown}: the benchmarks are {QUESTIONS}")
    found = {name: _run(name) for name in ONLY.value}
    if not _bench.SMOKE.value:
        for device, records in _by(lambda r: r["machine"]["device"], found).items():
            keep(device, records)
    failed = [name for name, records in found.items() if not records]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def _run(name: str) -> list[Record]:
    """Return the records of one benchmark, or none if it failed."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "records"
        command = [
            *(sys.executable, "-m", f"benchmarks.{name}", f"--json={path}"),
            f"--repeats={_bench.REPEATS.value}",
            f"--patience={_bench.PATIENCE.value}",
            f"--smoke={str(_bench.SMOKE.value).lower()}",
        ]
        if subprocess.run(command).returncode:
            return []
        records = [json.loads(line) for line in path.read_text().splitlines()]
    return [{"benchmark": name} | record for record in records]


def keep(device: str, new: list[Record], folder: pathlib.Path = RESULTS) -> None:
    """Replace the older records of the same benchmarks."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{device}.json"
    old = path.read_text().splitlines() if path.exists() else []
    measured = {record["benchmark"] for record in new}
    records = [
        *(r for r in map(json.loads, old) if r["benchmark"] not in measured),
        *new,
    ]
    records.sort(key=lambda record: QUESTIONS.index(record["benchmark"]))
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    (folder / f"{device}.md").write_text(page(device, records))


def page(device: str, records: list[Record]) -> str:
    """Return a page with all tables, grouped by the machine of the measurement."""
    parts = [f"# Benchmarks on {device}\n"]
    for _, group in itertools.groupby(records, lambda r: r["benchmark"]):
        group = list(group)
        parts.append(f"## {group[0]['benchmark']}\n\n{_where(group[0]['machine'])}\n")
        by_question = itertools.groupby(group, lambda r: r["question"])
        parts += [_tables.table(list(rows)) for _, rows in by_question]
    return "\n".join(parts)


def _where(machine: Record) -> str:
    versions = ", ".join(f"{k} {v}" for k, v in machine["versions"].items())
    return (
        f"{machine['devices']} x {machine['device']}, {machine['cores']} cores "
        f"({machine['cpu']}), Python {machine['python']}, {versions}; load before "
        f"{machine['load_1min']:.1f}."
    )


def _by(key, found: dict[str, list[Record]]) -> dict[str, list[Record]]:
    groups: dict[str, list[Record]] = {}
    for record in itertools.chain.from_iterable(found.values()):
        groups.setdefault(key(record), []).append(record)
    return groups


if __name__ == "__main__":
    app.run(run_all)

"""Compiles programs of the library for GPUs and TPUs, without such devices.

  python -m benchmarks.ahead_of_time [--targets=h100_1,h100_8] [--group=IWSGD]

compiles masks, attention, IWSGD, training steps and back-projection, one process a
target, and counts FLOPs, temporary bytes, kernels and collectives on one device.
Only `--targets=here` also runs the programs, and times them on the first device of
this machine. It needs `pip install 'noisejax[aot]'` and writes
benchmarks/results/ahead_of_time.json, .md and .png. Records of other targets and
programs stay as they were.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

import jax
from absl import app, flags

from benchmarks import _aot_counts, _aot_programs, _aot_report, _aot_targets

ALL = [name for name in _aot_targets.TARGETS if name not in ("v5e_16x16", "here")]

TARGET_NAMES = flags.DEFINE_list("targets", ALL, "Devices to compile for.")
GROUP = flags.DEFINE_string("group", "", "Compile groups whose name holds this text.")
BATCH = flags.DEFINE_integer(
    "batch", 0, "Examples of a batch; 0: 64 on each device.", lower_bound=0
)
INSIDE = flags.DEFINE_string("inside", None, "Target of this process; for inner use.")
OUT = flags.DEFINE_string("out", None, "File for the records; for inner use.")

RESULTS = pathlib.Path(__file__).parent / "results"

Record = dict[str, Any]


def compile_all(target: str) -> list[Record]:
    """Compile the chosen programs for a target, in a process with its environment."""
    devices = _aot_targets.get_devices(target)
    records, run = [], target == "here"
    for program in _aot_programs.programs():
        if GROUP.value not in program.group:
            continue
        batch = BATCH.value or program.per_device * len(devices)
        place = _aot_programs.Place(devices, batch)
        function, arguments = program.build(place)
        record = {
            "target": target,
            "group": program.group,
            "program": program.name,
            "devices": len(devices),
            "batch": place.batch_size,
            "jax": jax.__version__,
        }
        if run:
            record["device"] = devices[0].device_kind
        try:
            lowered = jax.jit(function).lower(*arguments)
            record |= _aot_counts.count(lowered, arguments if run else None)
        except jax.errors.JaxRuntimeError as error:  # the compiler gave up
            record["error"] = str(error).splitlines()[0][:200]
        print(json.dumps(record), flush=True)
        records.append(record)
    return records


def merge(old: list[Record], new: list[Record]) -> list[Record]:
    """Replace records of the same target and program, and keep the others."""

    def key(record):
        return record["target"], record["group"], record["program"]

    merged = {key(record): record for record in old} | {key(r): r for r in new}
    order = {
        (target, p.group, p.name): number
        for number, (target, p) in enumerate(
            (target, p)
            for target in _aot_targets.TARGETS
            for p in _aot_programs.programs()
        )
    }
    return sorted(
        (r for k, r in merged.items() if k in order), key=lambda r: order[key(r)]
    )


def main(argv: list[str]) -> None:
    """Start a process for each target, and keep the records."""
    if len(argv) > 1:
        raise app.UsageError(f"no arguments besides flags, got {argv[1:]}")
    if INSIDE.value:
        records = compile_all(INSIDE.value)
        pathlib.Path(OUT.value).write_text(json.dumps(records))
        return
    try:
        _aot_targets.check_targets(TARGET_NAMES.value)
        for target in TARGET_NAMES.value:
            _aot_targets.check_batch(target, BATCH.value)
    except (ValueError, ImportError) as error:
        sys.exit(f"error: {error}")
    path, failed = RESULTS / "ahead_of_time.json", []
    for target in TARGET_NAMES.value:
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "records"
            command = [sys.executable, "-m", "benchmarks.ahead_of_time"]
            command += [f"--inside={target}", f"--out={out}"]
            command += [f"--group={GROUP.value}", f"--batch={BATCH.value}"]
            environment = _aot_targets.environment(target)
            done = subprocess.run(command, env=environment, check=False)
            if done.returncode:
                failed.append(target)
                continue
            new = json.loads(out.read_text())
        old = json.loads(path.read_text()) if path.exists() else []
        records = merge(old, new)
        lines = ",\n".join(json.dumps(record) for record in records)
        path.write_text(f"[\n{lines}\n]\n")
        path.with_suffix(".md").write_text(_aot_report.page(records))
        _aot_report.draw(records, path.with_suffix(".png"))
    if failed:
        sys.exit(f"error: targets that failed: {', '.join(failed)}")


if __name__ == "__main__":
    app.run(main)

"""results.jsonl: one line per row and seed, written when a row is done."""

import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Result: TypeAlias = dict[str, Any]
"""Row, seed, numbers (metric -> value), configuration, seconds, device, versions."""

KINDS: Mapping[str, type | tuple[type, ...]] = {
    "row": str,
    "seed": int,
    "numbers": dict,
    "seconds": (int, float),
    "config": dict,
    "device": dict,
    "versions": dict,
}
"""What every line has, and of which type."""


def read_results(path: pathlib.Path) -> list[Result]:
    """All whole lines; a line that a crash cut short is left out.

    Raises:
      ValueError: a line before the last that cannot be read.
    """
    if not path.exists():
        return []
    results = []
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines[:-1], 1):
        try:
            results.append(_parse(line))
        except ValueError as error:
            raise ValueError(
                f"{path}, line {number} cannot be read ({error}); remove the line, and "
                "its row is read from its run again"
            ) from error
    return results


def _parse(line: bytes) -> Result:
    result = json.loads(line.decode())
    if not isinstance(result, dict):
        raise ValueError(f"it must be an object, got {result!r:.40}")
    for name, kind in KINDS.items():
        if not isinstance(result.get(name), kind):
            raise ValueError(f"{name} is missing or of a wrong type")
    for metric, value in result["numbers"].items():
        if not isinstance(value, int | float | str | None):
            raise ValueError(f"{metric} must be a number, a text or null")
    if not {"kind", "count"} <= set(result["device"]):
        raise ValueError("device must have a kind and a count")
    if not all(isinstance(value, int) for value in _seeds(result)):
        raise ValueError("the seeds of its configuration must be integers")
    return result


def _seeds(result: Result) -> tuple[int, int]:
    """The first seed of a row's configuration, and how many there are."""
    fields = result["config"].get("training", {})  # none where it is computed
    if not isinstance(fields, dict):
        raise ValueError("the configuration's section training must be an object")
    return fields.get("seed", 0), fields.get("num_seeds", 1)


def append_results(path: pathlib.Path, results: Sequence[Result]) -> None:
    """Puts the lines of a row in place of those it has, on disk when it returns."""
    rows = {result["row"] for result in results}
    kept = [result for result in read_results(path) if result["row"] not in rows]
    whole = "".join(json.dumps(result) + "\n" for result in kept)
    added = "".join(json.dumps(result, allow_nan=False) + "\n" for result in results)
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w") as file:
        file.write(whole + added)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def whole_rows(results: Sequence[Result]) -> list[Result]:
    """The results of rows that have all their seeds, each seed once.

    A row is whole with the seeds of its configuration, or with the result that says why
    its training could not go on. Others have lost lines: they are to be read again.
    """
    rows: dict[str, dict[int, Result]] = {}
    for result in results:
        rows.setdefault(result["row"], {}).setdefault(result["seed"], result)
    return [
        result
        for by_seed in rows.values()
        if _is_whole(by_seed)
        for result in by_seed.values()
    ]


def _is_whole(by_seed: Mapping[int, Result]) -> bool:
    found = list(by_seed.values())
    if any("failed" in result for result in found):
        return True
    first, num_seeds = _seeds(found[0])
    expected = range(first, first + num_seeds)
    return len(by_seed) == len(expected) and all(seed in expected for seed in by_seed)

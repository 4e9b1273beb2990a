"""Reads and writes results.jsonl, which has one line per row and seed."""

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from noisejax import training

Result: TypeAlias = dict[str, Any]
"""Line of results.jsonl, with the fields `KINDS`. It also has "failed" if training
failed, and "unmeasured" (name -> error) if measurements failed."""

KINDS: Mapping[str, type | tuple[type, ...]] = {
    "row": str,
    "seed": int,
    "numbers": dict,
    "seconds": (int, float),
    "config": dict,
    "device": dict,
    "versions": dict,
}
"""Field of every line -> its type."""

Numbers = Mapping[tuple[str, str], Mapping[int, float]]
"""(row, metric) -> seed -> number."""


def read_results(path: pathlib.Path) -> list[Result]:
    """Read all complete lines; ignore a last line that is truncated by a crash.

    Raises:
      ValueError: a line before the last cannot be read.
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
    if not isinstance(result.get("unmeasured", {}), dict):
        raise ValueError("unmeasured must be an object")
    return result


def _seeds(result: Result) -> tuple[int, int]:
    """Return the first seed and the number of seeds of a row's configuration."""
    fields = result["config"].get("training", {})  # a computed row has no such section
    if not isinstance(fields, dict):
        raise ValueError("the configuration's section training must be an object")
    return fields.get("seed", 0), fields.get("num_seeds", 1)


def append_results(path: pathlib.Path, results: Sequence[Result]) -> None:
    """Replace the lines of a row, atomically."""
    rows = {result["row"] for result in results}
    kept = [result for result in read_results(path) if result["row"] not in rows]
    lines = [json.dumps(result) + "\n" for result in kept]
    lines += [json.dumps(result, allow_nan=False) + "\n" for result in results]
    training.write_bytes(path, "".join(lines).encode())


def whole_rows(results: Sequence[Result]) -> list[Result]:
    """Return the results of complete rows, each seed once.

    A row is complete if it has all seeds of its configuration, or if its training
    failed.
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


def measured_rows(results: Sequence[Result]) -> set[str]:
    """Return the names of complete rows without failed measurements."""
    whole = whole_rows(results)
    return {r["row"] for r in whole} - {r["row"] for r in whole if "unmeasured" in r}


def _is_whole(by_seed: Mapping[int, Result]) -> bool:
    found = list(by_seed.values())
    if any("failed" in result for result in found):
        return True
    first, num_seeds = _seeds(found[0])
    return set(by_seed) == set(range(first, first + num_seeds))


def numbers_of(results: Sequence[Result]) -> Numbers:
    """Return all finite numbers of the results."""
    numbers: dict[tuple[str, str], dict[int, float]] = {}
    for result in results:
        for metric, value in result["numbers"].items():
            if value is not None and not isinstance(value, str):
                by_seed = numbers.setdefault((result["row"], metric), {})
                by_seed[result["seed"]] = value
    return numbers

"""results.jsonl: one line per row and seed, written when a row is done."""

import json
import os
import pathlib
from typing import Any, TypeAlias

Result: TypeAlias = dict[str, Any]
"""Row, seed, numbers (metric -> value), configuration, seconds, device, versions."""


def read_results(path: pathlib.Path) -> list[Result]:
    """All whole lines; a line that a crash cut short is left out.

    Raises:
      ValueError: a line before the last that cannot be read.
    """
    if not path.exists():
        return []
    results = []
    lines = path.read_text().split("\n")
    for number, line in enumerate(lines[:-1], 1):
        try:
            results.append(json.loads(line))
        except ValueError as error:
            raise ValueError(
                f"{path}, line {number} cannot be read ({error}); remove the line, and "
                "its row is read from its run again"
            ) from error
    return results


def append_results(path: pathlib.Path, results: list[Result]) -> None:
    """Adds the lines of a row, on disk when it returns."""
    whole = "".join(json.dumps(result) + "\n" for result in read_results(path))
    added = "".join(json.dumps(result, allow_nan=False) + "\n" for result in results)
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w") as file:
        file.write(whole + added)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def rows_done(results: list[Result]) -> set[str]:
    """Names of the rows that have results."""
    return {result["row"] for result in results}

"""metrics.jsonl: one JSON object a line, each measurement once."""

import json
import math
import os
import pathlib
from typing import Any

Row = dict[str, Any]


class MetricsLog:
    """Appends rows to a file; keeps them over a resume, and none twice.

    Attributes:
      path: of the file.
      count: rows so far.
    """

    def __init__(self, path: pathlib.Path, count: int = 0):
        """Opens the log and cuts it to its first `count` rows.

        Args:
          path: of the file; created if absent.
          count: rows that belong to the checkpoint that is continued.

        Raises:
          ValueError: the file holds fewer rows.
        """
        self.path, self.count = path, count
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        whole = [line for line in lines if line.endswith(b"\n")]
        if len(whole) < count:
            raise ValueError(
                f"{path} holds {len(whole)} rows where the checkpoint knows {count}: "
                "it was changed or lost; start again in another workdir"
            )
        self._file = path.open("r+b" if path.exists() else "w+b")
        self._file.truncate(sum(map(len, whole[:count])))
        self._file.seek(0, os.SEEK_END)

    def write(self, rows: list[Row]) -> None:
        """Appends rows, and has them on disk when it returns."""
        for row in rows:
            self._file.write(json.dumps(_jsonable(row)).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.count += len(rows)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def read_metrics(path: pathlib.Path) -> list[Row]:
    """The rows of a metrics.jsonl.

    Raises:
      ValueError: a line that is no JSON object.
    """
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
    return rows


def _jsonable(row: Row) -> Row:
    """JSON has no NaN and no infinity: null."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in row.items()
    }

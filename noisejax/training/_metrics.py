"""metrics.jsonl: one JSON object a line, each measurement once."""

import contextlib
import hashlib
import json
import os
import pathlib
from typing import Any

from noisejax.training._files import finite, write_bytes

Row = dict[str, Any]


class MetricsLog:
    """Appends rows to a file and to its mirror, from which damage is repaired.

    Attributes:
      count: rows so far.
      sha256: of them, as they are written.
    """

    def __init__(
        self, path: pathlib.Path, mirror: pathlib.Path, count: int = 0, sha256: str = ""
    ):
        """Opens both and cuts them to their first `count` rows.

        Args:
          path: of the log; created if absent.
          mirror: of its copy; likewise.
          count: rows that belong to the checkpoint that is continued.
          sha256: of these.

        Raises:
          ValueError: neither file holds these rows.
        """
        rows = first_rows(path, mirror, count, sha256) if count else b""
        self.count = count
        self._hash = hashlib.sha256(rows)
        mirror.parent.mkdir(exist_ok=True)
        for file in (path, mirror):
            write_bytes(file, rows)
        self._files = [file.open("ab") for file in (path, mirror)]

    @property
    def sha256(self) -> str:
        """Of all rows so far."""
        return self._hash.hexdigest()

    def write(self, rows: list[Row]) -> None:
        """Appends rows, and has them on disk when it returns."""
        lines = b"".join(json.dumps(finite(row)).encode() + b"\n" for row in rows)
        for file in self._files:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
        self._hash.update(lines)
        self.count += len(rows)

    def close(self) -> None:
        """Closes the files."""
        for file in self._files:
            with contextlib.suppress(OSError):  # a full disk was told of by `write`
                file.close()


def first_rows(
    path: pathlib.Path, mirror: pathlib.Path, count: int, sha256: str
) -> bytes:
    """The first rows of a log, from whichever of its two files still has them.

    Raises:
      ValueError: neither has.
    """
    for file in (path, mirror):
        lines = file.read_bytes().splitlines(keepends=True) if file.is_file() else []
        rows = b"".join(lines[:count])
        if hashlib.sha256(rows).hexdigest() == sha256:
            return rows
    raise ValueError(
        f"neither {path} nor {mirror} holds the first {count} rows as they were written"
    )


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

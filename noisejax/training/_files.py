"""Files of a run: locked folder, atomic writes, and JSON with checksums."""

import errno
import fcntl
import hashlib
import io
import json
import math
import os
import pathlib
from typing import IO, Any

import numpy as np
from absl import logging

from noisejax import data


class RunFolder:
    """Paths of a run's files.

    Attributes:
      path: path of the folder.
    """

    def __init__(self, path: str | os.PathLike[str]):
        """Compute the paths; nothing on disk is read or changed.

        Raises:
          ValueError: the path is a URL.
        """
        self.path = data.local_path(path, "the run folder").absolute()
        self.config_path = self.path / "config.json"
        self.metrics_path = self.path / "metrics.jsonl"
        self.summary_path = self.path / "summary.json"
        self.checkpoints_path = self.path / "checkpoints"
        self.preprocessing_path = self.path / "preprocessing.npz"

    def finished_summary(self) -> dict[str, Any] | None:
        """Read summary.json; return None if this file or metrics.jsonl is damaged."""
        if not self.summary_path.exists():
            return None
        try:
            summary = read_json(self.summary_path)
            sha256 = hashlib.sha256(self.metrics_path.read_bytes()).hexdigest()
            if "config" in summary and summary["metrics_sha256"] == sha256:
                return summary
            reason = f"{self.metrics_path} has changed since it was written"
        except (ValueError, KeyError, OSError) as error:
            reason = str(error)
        logging.warning("ignored %s: %s", self.summary_path, reason)
        return None


class Workdir(RunFolder):
    """Run folder that this process has locked."""

    def __init__(self, path: str | os.PathLike[str]):
        """Create and lock the folder.

        The lock is released when the context manager or the process ends.

        Raises:
          ValueError: the folder cannot be written or locked, or another process holds
            the lock.
        """
        super().__init__(path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock: IO[str] = (self.path / ".lock").open("w")
        except OSError as error:
            raise ValueError(
                f"the workdir {self.path} cannot be written: {error}; choose another"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise ValueError(
                    f"the workdir {self.path} is in use by another process; wait for "
                    "it, or choose another"
                ) from error
            raise ValueError(
                f"the workdir {self.path} cannot be locked: its file system has no "
                f"locks ({error}); mount it with locks (Lustre: -o flock), or choose "
                "a workdir on another file system"
            ) from error

    def __enter__(self) -> "Workdir":
        return self

    def __exit__(self, *error: object) -> None:
        self._lock.close()

    def check_free(self) -> None:
        """Check that the folder contains no file of another run.

        Raises:
          ValueError: the folder contains such a file.
        """
        parts = (
            self.config_path,
            self.metrics_path,
            self.summary_path,
            self.checkpoints_path,
        )
        existing = [path.name for path in parts if path.exists()]
        if existing:
            raise ValueError(
                f"the workdir {self.path} holds a run already ({', '.join(existing)}); "
                "continue it with --resume, or choose another workdir"
            )


def write_bytes(path: pathlib.Path, content: bytes) -> None:
    """Write a file atomically, and wait until the disk has stored the content."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def write_arrays(path: pathlib.Path, arrays: dict[str, np.ndarray]) -> None:
    """Write an .npz file, a format with checksums."""
    content = io.BytesIO()
    np.savez(content, **arrays)
    write_bytes(path, content.getvalue())


def write_json(path: pathlib.Path, value: dict[str, Any]) -> None:
    """Write a JSON object with a checksum, which detects changed digits."""
    value = finite(value)
    with_checksum = {**value, "checksum": _checksum(value)}
    write_bytes(path, json.dumps(with_checksum, indent=2).encode() + b"\n")


def read_json(path: pathlib.Path) -> dict[str, Any]:
    """Read a file of `write_json`, and remove the checksum.

    Raises:
      ValueError: the file is missing or damaged.
    """
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path} is not a JSON object")
    if value.pop("checksum", None) != _checksum(value):
        raise ValueError(f"{path} has changed since it was written")
    return value


def finite(value: Any) -> Any:
    """Replace NaN and infinity, which JSON cannot represent, by None."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _checksum(value: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()

"""Metrics of a run: rows in metrics.jsonl, event files, and metric writers."""

import contextlib
import hashlib
import importlib.util
import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from absl import logging

from noisejax.training._files import finite, write_bytes

Row = dict[str, Any]


class MetricWriter(Protocol):
    """Function that receives the rows of each epoch, once metrics.jsonl has them.

    Only process 0 calls the writer. A resumed run calls the writer for the remaining
    epochs. If the writer has a method `close`, the run calls `close` at the end.
    """

    def __call__(self, rows: list[Row], epoch: int) -> None:
        """Write rows.

        Args:
          rows: a row per split and seed with phase, split, epoch, seed, loss,
            error_percent and further measurements.
          epoch: number of the epoch, counted over all phases from 1.
        """


class TensorBoardWriter:
    """Writes losses and errors to event files for TensorBoard.

    Args:
      folder: folder of the event files.
      first_epoch: next epoch; TensorBoard hides older events from this epoch on.

    Raises:
      ValueError: tensorboardX is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str], *, first_epoch: int = 1):
        """Open the event files."""
        require_tensorboard()
        from tensorboardX import SummaryWriter  # optional

        self._events = SummaryWriter(str(folder), purge_step=first_epoch)

    def __call__(self, rows: list[Row], epoch: int) -> None:
        """Write the loss and the error of each split and seed."""
        for row in rows:
            for name in ("loss", "error_percent"):
                if row[name] is not None:
                    tag = f"{row['split']}/{name}/seed_{row['seed']}"
                    self._events.add_scalar(tag, row[name], epoch)
        self._events.flush()

    def close(self) -> None:
        """Close the event files."""
        self._events.close()


class MetricsLog:
    """Appends rows to metrics.jsonl, and passes the rows to metric writers."""

    def __init__(
        self,
        path: pathlib.Path,
        rows: list[Row],
        writers: Sequence[MetricWriter] = (),
    ):
        """Write the rows of a checkpoint, so that no row is missing or repeated.

        Args:
          path: path of the log.
          rows: rows up to the checkpoint.
          writers: metric writers for the following epochs. A writer that fails is not
            called again.
        """
        content = encode_rows(rows)
        existing = path.read_bytes() if path.is_file() else b""
        if rows and not existing.startswith(content):
            logging.warning("%s was damaged: restored from the checkpoint", path)
        if existing != content or not path.is_file():
            write_bytes(path, content)
        self._file = path.open("ab")
        self._writers = list(writers)

    def write(self, rows: list[Row], epoch: int) -> None:
        """Append the rows of an epoch, counted over phases, and flush them to disk."""
        self._file.write(encode_rows(rows))
        self._file.flush()
        os.fsync(self._file.fileno())
        for writer in tuple(self._writers):
            try:
                writer([dict(row) for row in rows], epoch)
            except Exception as error:  # a failing tracker must not stop the training
                logging.warning(
                    "the metric writer %r failed in epoch %d and is now skipped: %s",
                    *(writer, epoch, error),
                )
                self._writers.remove(writer)

    def close(self) -> None:
        """Close the files."""
        with contextlib.suppress(OSError):  # `write` has reported a full disk
            self._file.close()
        for writer in self._writers:
            close = getattr(writer, "close", None)
            if close is not None:
                close()


def make_rows(
    phase: str,
    epoch: int,
    seeds: Sequence[int],
    measured: dict[str, dict[str, np.ndarray]],
) -> list[Row]:
    """Make one row per split and seed."""
    return [
        {
            "phase": phase,
            "split": split,
            "epoch": epoch,
            "seed": seed,
            "loss": float(means["loss"][i]),
            "error_percent": 100 * float(means["error"][i]),
            **{k: float(v[i]) for k, v in means.items() if k not in ("loss", "error")},
        }
        for split, means in measured.items()
        for i, seed in enumerate(seeds)
    ]


def encode_rows(rows: list[Row]) -> bytes:
    """Encode rows as the lines of metrics.jsonl."""
    return b"".join(json.dumps(finite(row)).encode() + b"\n" for row in rows)


def hash_rows(rows: list[Row]) -> str:
    """Compute the SHA-256 of rows, encoded as in metrics.jsonl."""
    return hashlib.sha256(encode_rows(rows)).hexdigest()


def read_metrics(path: pathlib.Path) -> list[Row]:
    """Read the rows of a metrics.jsonl.

    Raises:
      ValueError: a line is not a JSON object.
    """
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from error
    return rows


def require_tensorboard() -> None:
    """Check that tensorboardX is installed.

    Raises:
      ValueError: tensorboardX is not installed.
    """
    if importlib.util.find_spec("tensorboardX") is None:
        raise ValueError(
            "training.tensorboard=True needs tensorboardX: pip install "
            "'noisejax[tensorboard]'"
        )


def check_writers(writers: Sequence[MetricWriter]) -> None:
    """Check that all metric writers are callable.

    Raises:
      TypeError: a writer is not callable.
    """
    for writer in writers:
        if not callable(writer):
            raise TypeError(
                "metric_writers must be functions (rows, epoch), got "
                f"{type(writer).__name__}"
            )

"""metrics.jsonl and event files: one row per measurement, each once."""

import contextlib
import hashlib
import importlib.util
import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from absl import logging

from noisejax.training._files import finite, write_bytes

Row = dict[str, Any]


class MetricsLog:
    """Appends rows to metrics.jsonl, and perhaps to event files for TensorBoard."""

    def __init__(
        self,
        path: pathlib.Path,
        rows: list[Row],
        *,
        events: pathlib.Path | None = None,
        first_epoch: int = 1,
    ):
        """Write the rows of a checkpoint, so that no row is lost or doubled.

        Args:
          path: path of the log.
          rows: rows so far.
          events: folder of event files; None: no event files.
          first_epoch: next epoch; older events from it on are hidden.
        """
        content = encode_rows(rows)
        existing = path.read_bytes() if path.is_file() else b""
        if rows and not existing.startswith(content):
            logging.warning("%s was damaged: restored from the checkpoint", path)
        if existing != content or not path.is_file():
            write_bytes(path, content)
        self._file = path.open("ab")
        self._events: Any = None
        if events is not None:
            from tensorboardX import SummaryWriter  # optional

            self._events = SummaryWriter(str(events), purge_step=first_epoch)

    def write(self, rows: list[Row], epoch: int) -> None:
        """Append the rows of an epoch, counted over phases, and flush them to disk."""
        self._file.write(encode_rows(rows))
        self._file.flush()
        os.fsync(self._file.fileno())
        if self._events is None:
            return
        for row in rows:
            for name in ("loss", "error_percent"):
                if row[name] is not None:
                    tag = f"{row['split']}/{name}/seed_{row['seed']}"
                    self._events.add_scalar(tag, row[name], epoch)
        self._events.flush()

    def close(self) -> None:
        """Close the files."""
        with contextlib.suppress(OSError):  # `write` has reported a full disk
            self._file.close()
        if self._events is not None:
            self._events.close()


def make_rows(
    phase: str,
    epoch: int,
    seeds: Sequence[int],
    measured: dict[str, dict[str, np.ndarray]],
) -> list[Row]:
    """Make one row per split and seed, from measurements by split and seed."""
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


def describe_progress(measured: dict[str, dict[str, np.ndarray]]) -> str:
    """The loss and the error that a progress bar shows."""
    judged = "validation" if "validation" in measured else "test"
    loss = float(np.mean(measured["train"]["loss"]))
    error = 100 * float(np.mean(measured[judged]["error"]))
    return f"loss {loss:.4f}, {judged} error {error:.2f} %"


def encode_rows(rows: list[Row]) -> bytes:
    """Encode rows as the lines of metrics.jsonl."""
    return b"".join(json.dumps(finite(row)).encode() + b"\n" for row in rows)


def hash_rows(rows: list[Row]) -> str:
    """The SHA-256 of the lines of metrics.jsonl."""
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
    """Check that event files can be written.

    Raises:
      ValueError: tensorboardX is not installed.
    """
    if importlib.util.find_spec("tensorboardX") is None:
        raise ValueError(
            "training.tensorboard=True needs tensorboardX: pip install "
            "'noisejax[tensorboard]'"
        )

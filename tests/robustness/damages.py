"""Damages the folder of a run at random and resumes the run in one process."""

import hashlib
import json
import math
import pathlib
import shutil

import numpy as np

from noisejax import training
from tests.training.stopping import stop_at_save
from tests.training.tiny import config, dataset

FIELDS = {
    "training__epochs": 2,
    "training__retrain_epochs": 2,
    "noise__shift": "both",
}

STOPS = {"first phase": 1, "second phase": 3, "finished": None}
"""State of a run -> number of its checkpoints; None: finished, with a summary."""


class Damages:
    """Runs to damage, and the result that each must have."""

    def __init__(self, monkeypatch, folder: pathlib.Path):
        self.folder = folder
        self.config = config(**FIELDS)
        self.dataset = dataset()
        for name, epochs in STOPS.items():
            if epochs is None:
                self.summary = self.resume(folder / name)
                continue
            with monkeypatch.context() as patch:
                stop_at_save(patch, epochs)
                try:
                    self.resume(folder / name)
                except training.TrainingStopped:
                    continue
                raise AssertionError(f"{name} was not stopped")
        self.metrics = (folder / "finished" / "metrics.jsonl").read_bytes()

    def resume(self, folder: pathlib.Path) -> dict:
        """Train the rest of the run."""
        return training.train(self.config, folder, dataset=self.dataset, resume=True)

    def survive(self, rng: np.random.Generator, number: int) -> list[str]:
        """Damage a copy of a run, resume it, and check its result."""
        name = list(STOPS)[number % len(STOPS)]
        copy = self.folder / f"copy {number}"
        shutil.copytree(self.folder / name, copy)
        done = [damage(copy, rng) for _ in range(1 + number % 3)]
        summary = self.resume(copy)
        for key in ("params_sha256", "test_error_percent", "best_epoch", "config"):
            assert summary[key] == self.summary[key], (name, done, key)
        assert (copy / "metrics.jsonl").read_bytes() == self.metrics, (name, done)
        there = json.loads((copy / "config.json").read_text())["config"]
        assert there == json.loads(json.dumps(training.to_dict(self.config)))
        shutil.rmtree(copy)
        return done


def read_sealed(path: pathlib.Path) -> dict:
    """Read a JSON file without its checksum."""
    value = json.loads(path.read_text())
    del value["checksum"]
    return value


def write_sealed(path: pathlib.Path, value: dict) -> None:
    """Write a JSON file whose checksum is right."""
    value = _without_nan(value)
    digest = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps({**value, "checksum": digest}))


def _without_nan(value):
    if isinstance(value, dict):
        return {k: _without_nan(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_nan(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def damage(folder: pathlib.Path, rng: np.random.Generator) -> str:
    """Truncate, empty, lengthen or delete a file, flip a bit, or delete a folder.

    Returns:
      A description of the damage.
    """
    files = sorted(
        path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"
    )
    kinds = {}
    for path in files:  # arrays have many files: each kind has the same chance
        parts = path.relative_to(folder).parts
        kinds.setdefault(
            parts[0] if len(parts) < 3 else "/".join(parts[:2]), []
        ).append(path)
    kind = sorted(kinds)[rng.integers(len(kinds))]
    path = kinds[kind][rng.integers(len(kinds[kind]))]
    content = path.read_bytes()
    how = rng.choice(["truncate", "empty", "flip", "flip", "append", "delete", "take"])
    at = int(rng.integers(len(content))) if content else 0
    if how == "truncate":
        path.write_bytes(content[:at])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "flip" and content:
        flipped = bytes([content[at] ^ (1 << int(rng.integers(8)))])
        path.write_bytes(content[:at] + flipped + content[at + 1 :])
    elif how == "append":
        path.write_bytes(content + b"\x00{half a line")
    elif how == "take" and path.parent != folder:
        shutil.rmtree(path.parent)
    else:
        path.unlink()
    return f"{how} {path.relative_to(folder)} at {at} of {len(content)}"

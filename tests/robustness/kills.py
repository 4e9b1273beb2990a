"""Kills a run repeatedly, and compares it with an undisturbed run."""

import dataclasses
import json
import pathlib
import re
import time

import numpy as np

from tests.commands.command import TINY, Runner

FIELDS = (
    *TINY,
    "--config.training.epochs=3",
    "--config.training.retrain_epochs=3",
    "--config.training.num_seeds=2",
    "--config.noise.shift=both",
    "--config.training.checkpoint_steps=40",
)
"""Both phases, with all that a checkpoint has to keep."""

BY_TIME = 0.25
"""Share of the kills that come at any time; others just before a file operation."""


@dataclasses.dataclass(frozen=True)
class Reference:
    """The undisturbed run.

    Attributes:
      folder: of the run.
      operations: on files in it.
      seconds: from start to end.
    """

    folder: pathlib.Path
    operations: int
    seconds: float


def undisturbed(runner: Runner, folder: pathlib.Path) -> Reference:
    """Run once to fill the compilation cache, and once to measure."""
    runner.train(f"--workdir={folder.with_name('first')}", *FIELDS)
    began = time.perf_counter()
    result = runner.train(f"--workdir={folder}", *FIELDS, watch=folder)
    seconds = time.perf_counter() - began
    assert result.status == 0, result.output
    operations = int(re.findall(r"file operations: (\d+)", result.output)[-1])
    return Reference(folder, operations, seconds)


def kill_until_finished(
    runner: Runner,
    reference: Reference,
    folder: pathlib.Path,
    rng: np.random.Generator,
    at_most: int,
) -> int:
    """Kill and resume a run until it finishes, and return the number of kills."""
    kills = 0
    while True:
        kill = {}
        if kills < at_most:
            kill = {"watch": folder}
            if rng.random() < BY_TIME:
                kill["kill_after"] = float(rng.uniform(0, reference.seconds))
            else:
                kill["kill_at"] = int(rng.integers(1, reference.operations // 2))
        result = runner.train(f"--workdir={folder}", "--resume", *FIELDS, **kill)
        if result.status != -9:
            assert result.status == 0, result.output
            return kills
        kills += 1


def check_same_run(reference: Reference, folder: pathlib.Path) -> None:
    """Check that parameters, numbers and metrics are equal, with each row once."""
    there, here = (
        json.loads((path / "summary.json").read_text())
        for path in (reference.folder, folder)
    )
    for key in ("params_sha256_per_seed", "test_error_percent", "best_epoch"):
        assert here[key] == there[key], key
    metrics = (folder / "metrics.jsonl").read_bytes()
    assert metrics == (reference.folder / "metrics.jsonl").read_bytes()
    keys = [
        tuple(row[name] for name in ("phase", "split", "epoch", "seed"))
        for row in map(json.loads, metrics.splitlines())
    ]
    assert len(set(keys)) == len(keys)

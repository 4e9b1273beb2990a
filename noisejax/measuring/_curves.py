"""Training curves of runs, from their metrics.jsonl."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from noisejax import training

COLUMNS = {"error": "error_percent", "loss": "loss"}
"""Metric -> its name in a row of metrics.jsonl."""

ERRORS = {
    "autoencoder": "relative squared error (%)",
    "soft_targets": "relative divergence (%)",
}
"""Network -> its error, where that is no share of wrong labels."""

SPLITS = ("train", "validation", "test")

MAX_RUNS = 7
"""So many colours can be told apart by all readers."""


@dataclasses.dataclass(frozen=True)
class RunCurves:
    """The curves of some runs.

    Attributes:
      curves: run -> split -> values, [seeds, epochs], NaN where there are none.
      ylabel: what they are, with the unit.
    """

    curves: dict[str, dict[str, Float[np.ndarray, "seeds epochs"]]]
    ylabel: str


def read_curves(
    runs: Sequence[str | os.PathLike], *, metric: str = "error"
) -> RunCurves:
    """Reads how runs went, epoch by epoch.

    Args:
      runs: their folders. Epochs of retraining follow those of training.
      metric: "error" or "loss".

    Returns:
      The curves, by the folders' names, or by their paths where names are the same.

    Raises:
      FileNotFoundError: a folder holds no run, or one without metrics.
      ValueError: no run or too many, one given twice, an unknown metric or one that a
        run does not have, runs whose errors are of different kinds.
    """
    paths = [pathlib.Path(run).expanduser().absolute() for run in runs]
    _check(paths, metric)
    kinds = {path: _kind(path, metric) for path in paths}
    if len(set(kinds.values())) > 1:
        told = ", ".join(f"{path.name}: {kind}" for path, kind in kinds.items())
        raise ValueError(f"runs of one figure must be judged by the same; got {told}")
    names = [path.name for path in paths]
    return RunCurves(
        {
            path.name if names.count(path.name) == 1 else str(path): _curves_of(
                path, COLUMNS[metric]
            )
            for path in paths
        },
        kinds[paths[0]],
    )


def _check(paths: list[pathlib.Path], metric: str) -> None:
    if metric not in COLUMNS:
        raise ValueError(f"metric must be one of {', '.join(COLUMNS)}, got {metric!r}")
    if not 1 <= len(paths) <= MAX_RUNS:
        raise ValueError(
            f"a figure shows 1 to {MAX_RUNS} runs, one colour each; got {len(paths)}"
        )
    if len(set(paths)) < len(paths):
        twice = next(path for path in paths if paths.count(path) > 1)
        raise ValueError(f"each run once; {twice} is given twice")
    for path in paths:
        if not (path / "config.json").is_file():
            raise FileNotFoundError(
                f"{path} holds no run (no config.json); make one with: python -m "
                f"noisejax.train --workdir={path}"
            )
        if not (path / "metrics.jsonl").is_file():
            raise FileNotFoundError(
                f"{path} has no metrics yet (no metrics.jsonl); continue it with: "
                f"python -m noisejax.train --workdir={path} --resume"
            )


def _kind(path: pathlib.Path, metric: str) -> str:
    """What a run's metric measures, with its unit."""
    if metric == "loss":
        return "loss (nats)"
    try:
        network = json.loads((path / "config.json").read_text())["config"]["model"]
        name = network["name"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}/config.json is damaged: {error!r}") from error
    return ERRORS.get(name, "error (%)")


def _curves_of(
    path: pathlib.Path, column: str
) -> dict[str, Float[np.ndarray, "seeds epochs"]]:
    rows = training.read_metrics(path / "metrics.jsonl")
    if not rows:
        raise FileNotFoundError(f"{path}/metrics.jsonl holds no row yet")
    missing = [row for row in rows if column not in row]
    if missing:
        raise ValueError(
            f"{path}/metrics.jsonl has no {column!r} in a row of the split "
            f"{missing[0].get('split')!r}; it has {', '.join(map(str, missing[0]))}"
        )
    trained = max((r["epoch"] for r in rows if r["phase"] == "train"), default=0)
    places = [r["epoch"] + trained * (r["phase"] != "train") - 1 for r in rows]
    seeds = sorted({row["seed"] for row in rows})
    curves = {}
    for split in SPLITS:
        values = np.full((len(seeds), max(places) + 1), np.nan)
        for row, place in zip(rows, places, strict=True):
            if row["split"] == split and row[column] is not None:
                values[seeds.index(row["seed"]), place] = row[column]
        if np.isfinite(values).any():
            curves[split] = values
    return curves

"""Reads training curves from the metrics.jsonl of runs."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from noisejax import figures, training

COLUMNS = {"error": "error_percent", "loss": "loss"}
"""Metric -> field of metrics.jsonl."""

ERRORS = {
    "autoencoder": "Relative squared error (%)",
    "soft_targets": "Relative divergence (%)",
}
"""Network -> label of its error. For other networks it is the error rate."""

SPLITS = ("train", "validation", "test")

MAX_RUNS = 7
"""Largest number of runs, because more colours are hard to tell apart."""

MAX_RUNS_IN_FULL = 2
"""Largest number of runs for which training and validation curves are drawn, too."""


@dataclasses.dataclass(frozen=True)
class RunCurves:
    """Training curves of one or more runs.

    Attributes:
      curves: run -> split -> values, [seeds, epochs]. Missing values are NaN.
      ylabel: label of the values, with the unit.
    """

    curves: dict[str, dict[str, Float[np.ndarray, "seeds epochs"]]]
    ylabel: str

    def draw(self) -> Figure:
        """Draw the curves; for more than two runs, draw the test curves only."""
        shown = self.curves
        if len(shown) > MAX_RUNS_IN_FULL:
            shown = {
                run: {split: v for split, v in splits.items() if split == "test"}
                for run, splits in shown.items()
            }
        return figures.training_curves(shown, ylabel=self.ylabel)


def read_curves(
    runs: Sequence[str | os.PathLike[str]], *, metric: str = "error"
) -> RunCurves:
    """Read the metrics of each epoch of one or more runs.

    The epochs of retraining follow those of training.

    Args:
      runs: run directories.
      metric: "error" or "loss".

    Returns:
      The curves by directory name, or by path if two directories have the same name.

    Raises:
      FileNotFoundError: a directory contains no run, or the run has no metrics.
      ValueError: there is no run or more than seven, a run is given twice, the metric
        is unknown or missing, or the runs have different kinds of errors.
    """
    paths = [pathlib.Path(run).expanduser().absolute() for run in runs]
    _check(paths, metric)
    labels = {path: _label(path, metric) for path in paths}
    if len(set(labels.values())) > 1:
        received = ", ".join(f"{path.name}: {label}" for path, label in labels.items())
        raise ValueError(
            f"runs of one figure must be judged by the same error; got {received}"
        )
    names = [path.name for path in paths]
    curves = {
        path.name if names.count(path.name) == 1 else str(path): _curves_of(
            path, COLUMNS[metric]
        )
        for path in paths
    }
    return RunCurves(curves, labels[paths[0]])


def curve(path: pathlib.Path, split: str, seed: int) -> Float[np.ndarray, " epochs"]:
    """Return the error of one seed after each epoch of training, in percent."""
    rows = training.read_metrics(path / "metrics.jsonl")
    return np.array(
        [
            row["error_percent"]
            for row in rows
            if (row["phase"], row["split"], row["seed"]) == ("train", split, seed)
        ]
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
        raise ValueError(f"each run can be drawn once; {twice} is given twice")
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


def _label(path: pathlib.Path, metric: str) -> str:
    """Return the label of a run's metric, with the unit."""
    if metric == "loss":
        return "Loss (nats)"
    try:
        network = json.loads((path / "config.json").read_text())["config"]["model"]
        return ERRORS.get(network["name"], "Error (%)")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}/config.json is damaged: {error!r}") from error


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
    columns = [r["epoch"] + trained * (r["phase"] != "train") - 1 for r in rows]
    seeds = sorted({row["seed"] for row in rows})
    curves = {}
    for split in SPLITS:
        values = np.full((len(seeds), max(columns) + 1), np.nan)
        for row, i in zip(rows, columns, strict=True):
            if row["split"] == split and row[column] is not None:
                values[seeds.index(row["seed"]), i] = row[column]
        if np.isfinite(values).any():
            curves[split] = values
    return curves

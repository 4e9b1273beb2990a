"""All measurements of a trained run, written to a directory."""

import hashlib
import json
import math
import os
import pathlib
import sys
from typing import Any

import jax
import numpy as np
from absl import logging
from matplotlib.figure import Figure
from tqdm import tqdm

from noisejax import figures, training
from noisejax.evaluators import (
    _back_projection,
    _bound,
    _correlations,
    _dropped_share,
    _error,
    _gradient_information,
    _input_shift,
    _net_values,
    _net_variance,
    _sharpness,
    _shifts,
    _slope_under_noise,
)
from noisejax.evaluators._layers import from_run
from noisejax.evaluators._measurement import Amounts, Found, page
from noisejax.evaluators._trained_model import NotMeasuredError, TrainedModel

SCHEMA = 1
"""File-format version of diagnose.json; increase it when the layout changes."""


MEASUREMENTS: dict[str, Any] = {
    "error": _error,
    "net_variance": _net_variance,
    "gradient_information": _gradient_information,
    "correlations": _correlations,
    "net_values": _net_values,
    "slope_under_noise": _slope_under_noise,
    "shifts": _shifts,
    "dropped_share": _dropped_share,
    "input_shift": _input_shift,
    "bound": _bound,
    "sharpness": _sharpness,
    "back_projection": _back_projection,
}
"""Name -> module with `measure` and `draw`. The order decides which key each sees."""

ELSEWHERE = {
    "gradient_information_through_training": "of minibatches, accumulated while "
    "training: noisejax.diagnostics.update_gradient_average",
}
"""Measurement -> reason why the network of a finished run is not enough for it."""


IMAGES = Amounts(examples=200, gradients=50, chunk=10, iterations=15)
"""Amounts for activations that are images, which take more time and memory."""


def diagnose(
    checkpoint: str | os.PathLike,
    workdir: str | os.PathLike,
    *,
    data_dir: str | os.PathLike | None = None,
    seed: int | None = None,
) -> dict[str, Any]:
    """Measures a trained network: diagnose.json, diagnose.png and diagnose.pdf.

    Args:
      checkpoint: run directory.
      workdir: directory for the results, created; it may be the run directory.
      data_dir: TFDS data directory.
      seed: seed of the network; None: the first that the run trained.

    Returns:
      The content of diagnose.json. "skipped" names what the network does not have, and
      "failed", if present, measurements that raised an error.

    Raises:
      FileNotFoundError: the run or the data are missing.
      ValueError: the workdir is in use or holds another run's results; the run has no
        checkpoint, or no such seed.
    """
    run = training.load_run(checkpoint, data_dir=data_dir, seed=seed)
    with training.Workdir(workdir) as folder:
        path = folder.path / "diagnose.json"
        about = _describe(run)
        _check_folder(folder, path, run, about["run"])
        report = _finite({**about, **measure_all(from_run(run))})
        path.write_text(json.dumps(report) + "\n")
        figure = draw_page(report)
        if figure is not None:
            figures.save(figure, folder.path / "diagnose.png")
        return report


def measure_all(
    model: TrainedModel, amounts: Amounts | None = None, *, progress: bool = True
) -> dict[str, Any]:
    """Makes every measurement once.

    A measurement that raises an error does not stop the others.

    Args:
      model: network, by `from_run` or `from_function`.
      amounts: numbers of examples and draws; None: those that suit the network.
      progress: True to show a progress bar.

    Returns:
      {"measurements": name -> result, "skipped": name -> reason}, and "failed": name ->
      error if any failed.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import evaluators
      >>> apply = lambda w, key, x: x @ w
      >>> model = evaluators.from_function(
      ...     apply, jnp.eye(4), jnp.eye(4), jnp.arange(4)
      ... )
      >>> report = evaluators.measure_all(model, progress=False)
      >>> report["measurements"]["error"]["error_percent"]
      0.0
    """
    if amounts is None:
        amounts = IMAGES if model.convolutional else Amounts()
    keys = jax.random.split(jax.random.key(0), len(MEASUREMENTS))
    measurements, skipped, failed = {}, dict(ELSEWHERE), {}
    with tqdm(MEASUREMENTS.items(), desc="diagnose", disable=not progress) as bar:
        for key, (name, measurement) in zip(keys, bar, strict=True):
            bar.set_postfix_str(name)
            try:
                measurements[name] = measurement.measure(key, model, amounts)
            except NotMeasuredError as reason:
                skipped[name] = str(reason)
            except Exception as error:
                logging.exception("measurement %s failed", name)
                failed[name] = f"{type(error).__name__}: {error}"
    report = {"measurements": measurements, "skipped": skipped}
    return report | ({"failed": failed} if failed else {})


def draw_page(report: Found) -> Figure | None:
    """Draws all measurements of a diagnose.json on one page; None if there are none."""
    run, versions, found = report["run"], report["versions"], report["measurements"]
    drawings = [
        drawing
        for name, measurement in MEASUREMENTS.items()
        if name in found
        for drawing in measurement.draw({run["name"]: found[name]})
    ]
    if not drawings:
        return None
    title = [f"Run {run['name']}, seed {run['seed']}"]
    if "error" in found:
        error = next(v for k, v in found["error"].items() if k.endswith("percent"))
        title.append(f"test error {error:.2f} % (n = {found['error']['n']:,})")
    if found.get("sharpness", {}).get("largest") is not None:
        largest = found["sharpness"]["largest"]
        title.append(f"largest eigenvalue of the Hessian {largest:.3g}")
    made_by = f"{report['device']}, noisejax {versions['noisejax']}"
    return page(drawings, title=f"{', '.join(title)}\n{made_by}, JAX {versions['jax']}")


def report_failures(report: Found) -> int:
    """Prints what failed to stderr; returns the exit code: 1 if anything failed."""
    for name, error in report.get("failed", {}).items():
        print(f"error: {name} failed: {error}", file=sys.stderr)
    return int("failed" in report)


def _describe(run: training.TrainedRun) -> dict[str, Any]:
    """Describes the network, its data, and what its numbers may depend on."""
    about = training.describe_run(run.config)
    leaves = map(np.asarray, jax.tree.leaves(run.variables))
    sha256 = hashlib.sha256(b"".join(leaf.tobytes() for leaf in leaves)).hexdigest()
    return {
        **{key: about[key] for key in ("config", "versions", "commit")},
        "schema": SCHEMA,
        "device": about["device"]["kind"],
        "run": {
            "path": str(run.path),
            "name": run.path.name,
            "seed": run.seed,
            "variables_sha256": sha256,
            "data": run.dataset.name,
            "shape": list(run.train.x.shape[1:]),
        },
    }


def _check_folder(
    folder: training.Workdir,
    path: pathlib.Path,
    run: training.TrainedRun,
    about: dict[str, Any],
) -> None:
    """Checks that a directory is free, or holds results of the same network.

    Raises:
      ValueError: it holds something of another run.
    """
    other = None
    if folder.config_path.exists() and folder.path != run.path:
        other = folder.path
    elif path.exists():
        try:
            written = json.loads(path.read_text())["run"]
            sha256 = written.get("variables_sha256")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} cannot be read: {error!r}; remove it") from error
        if sha256 != about["variables_sha256"]:
            other = f"{written.get('path')}, seed {written.get('seed')}"
    if other is not None:
        raise ValueError(
            f"the workdir {folder.path} holds results of another network ({other}); "
            "choose another workdir"
        )


def _finite(value: Any) -> Any:
    """Replaces NaN and infinity by None, since JSON has neither."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

"""All measurements of a trained run, written to a directory."""

import json
import math
import os
from typing import Any

import jax
from absl import logging
from matplotlib.figure import Figure
from tqdm import tqdm

from noisejax import figures, training
from noisejax.evaluators import (
    _back_projection,
    _bound,
    _calibration,
    _correlations,
    _dead_units,
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
from noisejax.evaluators._results import check_folder, describe
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
    "calibration": _calibration,
    "dead_units": _dead_units,
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
    checkpoint: str | os.PathLike[str],
    workdir: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    seed: int | None = None,
) -> dict[str, Any]:
    """Measure a trained network: diagnose.json, diagnose.png and diagnose.pdf.

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
        about = describe(run)
        check_folder(folder, path, about["run"], "variables_sha256")
        report = _finite({"schema": SCHEMA, **about, **measure_all(from_run(run))})
        path.write_text(json.dumps(report) + "\n")
        figure = draw_page(report)
        if figure is not None:
            figures.save(figure, folder.path / "diagnose.png")
        return report


def measure_all(
    model: TrainedModel, amounts: Amounts | None = None, *, progress: bool = True
) -> dict[str, Any]:
    """Make every measurement once.

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
    """Draw all measurements of a diagnose.json on one page; None if there are none."""
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
    software = f"{report['device']}, noisejax {versions['noisejax']}"
    return page(
        drawings, title=f"{', '.join(title)}\n{software}, JAX {versions['jax']}"
    )


def _finite(value: Any) -> Any:
    """Replace NaN and infinity by None, since JSON has neither."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

"""Makes all measurements of a trained network, and draws them on one page."""

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
    _gradients,
    _pre_activations,
    _predictions,
    _shifts,
    _units,
)
from noisejax.evaluators._layers import from_run
from noisejax.evaluators._measurement import Measurement, SampleSizes, Values, page
from noisejax.evaluators._results import check_folder, describe
from noisejax.evaluators._trained_model import NotMeasuredError, TrainedModel

SCHEMA = 1
"""File-format version of diagnose.json; increase it when the layout changes."""


MEASUREMENTS = {
    "error": Measurement(_predictions.measure_error, _predictions.draw_error),
    "net_variance": Measurement(
        _pre_activations.measure_variance, _pre_activations.draw_variance
    ),
    "gradient_information": Measurement(
        _gradients.measure_information, _gradients.draw_information
    ),
    "correlations": Measurement(_units.measure_correlations, _units.draw_correlations),
    "net_values": Measurement(
        _pre_activations.measure_values, _pre_activations.draw_values
    ),
    "slope_under_noise": Measurement(
        _pre_activations.measure_slopes, _pre_activations.draw_slopes
    ),
    "shifts": Measurement(_shifts.measure_learned, _shifts.draw_learned),
    "dropped_share": Measurement(_units.measure_dropped, _units.draw_dropped),
    "input_shift": Measurement(_shifts.measure_effect, _shifts.draw_effect),
    "bound": Measurement(_predictions.measure_bound, _predictions.draw_bound),
    "sharpness": Measurement(_gradients.measure_sharpness, _gradients.draw_sharpness),
    "back_projection": Measurement(_back_projection.measure, _back_projection.draw),
    "calibration": Measurement(
        _predictions.measure_calibration, _predictions.draw_calibration
    ),
    "dead_units": Measurement(_units.measure_dead, _units.draw_dead),
}
"""Name -> measurement. The key of a measurement depends on its position."""

ELSEWHERE = {
    "gradient_information_through_training": "of minibatches, accumulated while "
    "training: noisejax.diagnostics.update_gradient_average",
}
"""Measurement that needs more than a trained network -> where to find it."""

IMAGES = SampleSizes(examples=200, gradients=50, chunk=10, iterations=15)
"""Sample sizes for convolutional networks, which need more time and memory."""


def diagnose(
    checkpoint: str | os.PathLike[str],
    workdir: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    seed: int | None = None,
) -> dict[str, Any]:
    """Measure a trained network; write diagnose.json, diagnose.png and diagnose.pdf.

    Args:
      checkpoint: run directory.
      workdir: directory for the results. It is created if needed, and it may be the
        run directory.
      data_dir: TFDS data directory.
      seed: seed of the network. The default is the first seed of the run.

    Returns:
      The content of diagnose.json. "skipped" lists the measurements that do not apply
      to the network, with reasons. "failed", if present, lists those that raised an
      error.

    Raises:
      FileNotFoundError: the run or the data are missing.
      ValueError: `workdir` is in use or contains results of another run; or the run has
        no checkpoint or no such seed.
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
    model: TrainedModel, sizes: SampleSizes | None = None, *, progress: bool = True
) -> dict[str, Any]:
    """Make every measurement once.

    A measurement that raises an error does not stop the others.

    Args:
      model: network, from `from_run` or `from_function`.
      sizes: numbers of examples and draws. The default depends on the network.
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
    if sizes is None:
        sizes = IMAGES if model.convolutional else SampleSizes()
    keys = jax.random.split(jax.random.key(0), len(MEASUREMENTS))
    measurements, skipped, failed = {}, dict(ELSEWHERE), {}
    with tqdm(MEASUREMENTS.items(), desc="diagnose", disable=not progress) as bar:
        for key, (name, measurement) in zip(keys, bar, strict=True):
            bar.set_postfix_str(name)
            try:
                measurements[name] = measurement.measure(key, model, sizes)
            except NotMeasuredError as reason:
                skipped[name] = str(reason)
            except Exception as error:
                logging.exception("measurement %s failed", name)
                failed[name] = f"{type(error).__name__}: {error}"
    report = {"measurements": measurements, "skipped": skipped}
    return report | ({"failed": failed} if failed else {})


def draw_page(report: Values) -> Figure | None:
    """Draw a diagnose.json on one page; return None if no measurement has a figure."""
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
    """Replace NaN and infinity by None, because JSON has neither."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

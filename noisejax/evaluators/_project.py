"""Back-projects the noise of a trained network; writes tables and pictures."""

import dataclasses
import json
import os
import pathlib
from typing import Any

import jax
import numpy as np
from absl import logging
from jax import numpy as jnp
from jaxtyping import Array

from noisejax import backprojection, figures, noise, training
from noisejax.evaluators import _back_projection
from noisejax.evaluators._layers import from_run
from noisejax.evaluators._residuals import (
    class_distances,
    format_residuals,
    measure_residuals,
)
from noisejax.evaluators._results import check_folder, describe
from noisejax.evaluators._trained_model import NotMeasuredError, TrainedModel

METHODS = ("preconditioned", "stable", "gradient_descent")


@dataclasses.dataclass(frozen=True)
class ProjectOptions:
    """Options of `project`.

    Attributes:
      num_examples: number of test examples for residuals.
      num_pictures: number of examples in the figure.
      num_masks: number of noise samples per example in the figure.
      num_steps: number of descent steps.
      method: descent method, "preconditioned", "stable" or "gradient_descent".
      learning_rates: learning rates of "gradient_descent", one per hidden layer.
      bounded: True to keep x* in [0, 1].
    """

    num_examples: int = 1000
    num_pictures: int = 6
    num_masks: int = 5
    num_steps: int = 20
    method: str = "preconditioned"
    learning_rates: tuple[float, ...] = (300.0, 30.0)
    bounded: bool = False

    def __post_init__(self) -> None:
        for name in ("num_examples", "num_pictures", "num_masks", "num_steps"):
            value = getattr(self, name)
            if value < 1:
                raise ValueError(f"{name} must be 1 or more, got {value!r}")
        if self.method not in METHODS:
            raise ValueError(
                f"method must be one of {', '.join(METHODS)}; got {self.method!r}"
            )


def project(
    checkpoint: str | os.PathLike[str],
    workdir: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    seed: int | None = None,
    options: ProjectOptions | None = None,
) -> dict[str, Any]:
    """Back-project the noise of a trained network into its input.

    Writes these files:

    - projection.json: all numbers.
    - residuals.md: tables of residuals and distances.
    - pictures.png: x, and x* under several masks.
    - units.png: x* with hidden units shut off one by one, and the units' filters.

    Args:
      checkpoint: run directory.
      workdir: directory for the results; created if needed.
      data_dir: TFDS data directory.
      seed: seed of the network. The default is the first seed of the run.
      options: numbers of examples and steps, and the descent method.

    Returns:
      The content of projection.json. "skipped" lists the pictures that do not apply to
      the network, with reasons. "failed", if present, lists errors by picture.

    Raises:
      FileNotFoundError: the run or the data are missing.
      ValueError: the network makes no noise or has batch statistics; the run has no
        such seed; or `workdir` is in use or contains other files.
      FloatingPointError: the descent diverged.
    """
    options = ProjectOptions() if options is None else options
    run = training.load_run(checkpoint, data_dir=data_dir, seed=seed)
    try:
        model = _back_projection.hidden_noise_only(from_run(run))
    except NotMeasuredError as reason:
        raise ValueError(
            f"{run.path} cannot be projected back: {reason} (noise.scheme="
            f"{run.config.noise.scheme}, noise.hidden_rate="
            f"{run.config.noise.hidden_rate}, model.batch_norm="
            f"{run.config.model.batch_norm})"
        ) from reason
    with training.Workdir(workdir) as folder:
        about = describe(run)
        path = folder.path / "projection.json"
        check_folder(folder, path, about["run"], "path", "seed")
        n = min(options.num_examples, len(run.test.y))
        x, y = run.inputs(run.test.x[:n]), run.test.y[:n]
        descent = _descent(model, x, options)
        keys = jax.random.split(jax.random.key(run.seed), 2)
        report = {
            "schema": 1,
            **about,
            **dataclasses.asdict(options),
            "num_examples": n,
            "measured": {
                name: measure_residuals(
                    keys[0], model.with_noise(hidden_noise=s), x, descent
                )
                for name, s in _schemes(model).items()
            },
            "class_distances": class_distances(model, x, y),
            **_draw(keys[1], model, x, options, descent, folder.path),
        }
        text = json.dumps(report, indent=1, allow_nan=False)
        path.write_text(text + "\n")
        (folder.path / "residuals.md").write_text(format_residuals(report))
        return report


def _descent(model: TrainedModel, x: Array, options: ProjectOptions) -> dict[str, Any]:
    """Return options of `backprojection.back_project`."""
    if options.method == "gradient_descent":
        method = backprojection.gradient_descent(options.learning_rates)
    elif options.method == "stable":
        method = backprojection.stable_descent()
    else:
        rows = np.linspace(0, len(x) - 1, min(500, len(x))).astype(int)
        setup = backprojection.preconditioner(
            model.features, model.variables, jnp.asarray(x)[rows]
        )
        method = backprojection.preconditioned(setup)
    return {
        "num_steps": options.num_steps,
        "method": method,
        "bounds": (0.0, 1.0) if options.bounded else None,
    }


def _schemes(model: TrainedModel) -> dict[str, tuple[noise.Scheme | None, ...]]:
    """Return dropout and random dropout at the run's rates, and the run's own scheme.

    The levels of random dropout are uniform up to the rate (Bouthillier et al. 2015,
    section 4), so their mean is half the rate.
    """
    config = model.run.config.noise
    trained = {config.scheme: tuple(model.run.model.hidden_noise)}
    if config.scheme.startswith("gaussian"):
        return trained
    rates = config.hidden_rates or (config.hidden_rate,) * len(model.sites)
    return trained | {
        name: tuple(scheme(rate) if rate else None for rate in rates)
        for name, scheme in (
            ("dropout", noise.Dropout),
            ("random_dropout", noise.RandomDropout),
        )
    }


def _draw(
    key: noise.Key,
    model: TrainedModel,
    x: Array,
    options: ProjectOptions,
    descent: dict[str, Any],
    path: pathlib.Path,
) -> dict[str, dict[str, str]]:
    """Draw the pictures; return those that were skipped or failed, with reasons."""
    pictures = model.run.pictures

    def draw_masks():
        shown = x[: options.num_pictures]
        found = _back_projection.sample(key, model, shown, options.num_masks, **descent)
        stars = [pictures(star) for star in found.x_star]
        return figures.back_projections(pictures(shown), np.stack(stars))

    def draw_units():
        method = backprojection.stable_descent()
        if options.method == "gradient_descent":
            method = backprojection.gradient_descent(options.learning_rates[:1])
        steps = 10 * options.num_steps
        one = descent | {"method": method, "num_steps": steps}
        found = _back_projection.shut_units_off(model, x[:1], **one)
        zero = pictures(np.zeros_like(found.filters[:1]))
        return figures.units_shut_off(
            pictures(x[:1])[0],
            pictures(found.x_star[0]),
            pictures(found.filters) - zero,
            names=[f"Unit {unit}" for unit in found.units[0]],
        )

    skipped, failed = {}, {}
    for name, draw in {"pictures": draw_masks, "units": draw_units}.items():
        try:
            figures.save(draw(), path / f"{name}.png")
        except (ValueError, NotMeasuredError) as reason:
            skipped[name] = str(reason)
        except Exception as error:
            logging.exception("drawing %s failed", name)
            failed[name] = f"{type(error).__name__}: {error}"
    return {"skipped": skipped} | ({"failed": failed} if failed else {})

"""Pictures, residuals and distances of a trained run, into a folder."""

import dataclasses
import json
import os
import pathlib
import platform
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from noisejax import backprojection, figures, training
from noisejax._version import __version__
from noisejax.projecting._measure import class_scale, measure
from noisejax.projecting._pictures import draw_masks, draw_units
from noisejax.projecting._table import table
from noisejax.projecting._view import (
    View,
    compared_schemes,
    preconditioner_sample,
    view_of,
)

METHODS = ("preconditioned", "stable", "gradient_descent")

NAMES = ("projection.json", "residuals.md", "pictures.png", "units.png")
"""What is left in the folder, beside PDFs of the pictures."""


@dataclasses.dataclass(frozen=True)
class Amounts:
    """How much is projected, and how.

    Attributes:
      num_examples: test examples that residuals are measured on.
      num_pictures: of them shown.
      num_masks: x* shown per example.
      num_steps: of descent.
      method: preconditioned, stable or gradient_descent.
      learning_rates: of gradient_descent, one per hidden layer.
      bounded: whether x* stays in [0, 1].
    """

    num_examples: int = 1000
    num_pictures: int = 6
    num_masks: int = 5
    num_steps: int = 20
    method: str = "preconditioned"
    learning_rates: tuple[float, ...] = (300.0, 30.0)
    bounded: bool = False

    def __post_init__(self):
        for name in ("num_examples", "num_pictures", "num_masks", "num_steps"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be 1 or more, got {getattr(self, name)!r}"
                )
        if self.method not in METHODS:
            raise ValueError(
                f"method must be one of {', '.join(METHODS)}; got {self.method!r}"
            )


def project_run(
    checkpoint: str | os.PathLike,
    workdir: str | os.PathLike,
    *,
    data_dir: str | os.PathLike | None = None,
    seed: int | None = None,
    amounts: Amounts | None = None,
) -> pathlib.Path:
    """Projects a trained network's noise back into its input.

    Leaves projection.json, residuals.md (the table), pictures.png (x and its x* under
    several masks), units.png (units shut off one by one, beside their filters).

    Args:
      checkpoint: the run's folder.
      workdir: for the results; created.
      data_dir: the TFDS data directory.
      seed: of which network, where the run trained several; None: the first.
      amounts: how much.

    Returns:
      The workdir.

    Raises:
      FileNotFoundError: there is no run, or no data.
      ValueError: the run makes no noise, has no such seed, or its network has batch
        statistics; the workdir is in use or holds something else.
      FloatingPointError: the descent diverged.
    """
    amounts = Amounts() if amounts is None else amounts
    run = training.load_run(checkpoint, data_dir=data_dir, seed=seed)
    view = view_of(run)
    with training.Workdir(workdir) as folder:
        _check_folder(folder, run)
        rows = np.arange(min(amounts.num_examples, len(run.test.y)))
        x, y = run.inputs(run.test.x[rows]), run.test.y[rows]
        options = _options(view, x, amounts)
        keys = jax.random.split(jax.random.key(run.seed), 2)
        report = {
            **_describe(run, amounts, len(x)),
            "measured": {
                name: measure(view.with_scheme(schemes), keys[0], x, options)
                for name, schemes in compared_schemes(view).items()
            },
            "class_distances": class_scale(view, x, y),
            "skipped": _draw(view, keys[1], x, amounts, options, folder.path),
        }
        text = json.dumps(report, indent=1, allow_nan=False)
        (folder.path / "projection.json").write_text(text + "\n")
        (folder.path / "residuals.md").write_text(table(report))
        return folder.path


def _options(view: View, x: Array, amounts: Amounts) -> dict[str, Any]:
    """Of `training.project_dataset`."""
    if amounts.method == "gradient_descent":
        method = backprojection.gradient_descent(amounts.learning_rates)
    elif amounts.method == "stable":
        method = backprojection.stable_descent()
    else:
        setup = backprojection.preconditioner(
            view.features, view.run.variables, preconditioner_sample(x)
        )
        method = backprojection.preconditioned(setup)
    return {
        "num_steps": amounts.num_steps,
        "method": method,
        "bounds": (0.0, 1.0) if amounts.bounded else None,
    }


def _draw(view, key, x, amounts, options, path) -> dict[str, str]:
    """Draws the pictures; returns what could not be drawn, and why."""
    skipped = {}
    if amounts.method != "gradient_descent":
        first_only = options | {"method": backprojection.stable_descent()}
    else:
        rates = amounts.learning_rates[:1]
        first_only = options | {"method": backprojection.gradient_descent(rates)}
    pictures = {
        "pictures": lambda: draw_masks(
            view, key, x[: amounts.num_pictures], amounts.num_masks, options
        ),
        "units": lambda: draw_units(
            view, x[:1], first_only | {"num_steps": 10 * amounts.num_steps}
        ),
    }
    for name, draw in pictures.items():
        try:
            figures.save(draw(), path / f"{name}.png")
        except ValueError as reason:
            skipped[name] = str(reason)
    return skipped


def _describe(
    run: training.TrainedRun, amounts: Amounts, num_examples: int
) -> dict[str, Any]:
    return {
        "schema": 1,
        "run": {
            "path": str(run.path),
            "seed": run.seed,
            "data": run.dataset.name,
        },
        "config": training.to_dict(run.config),
        **dataclasses.asdict(amounts),
        "num_examples": num_examples,
        "device": jax.devices()[0].device_kind,
        "versions": {
            "noisejax": __version__,
            "jax": jax.__version__,
            "python": platform.python_version(),
        },
    }


def _check_folder(folder: training.Workdir, run: training.TrainedRun) -> None:
    """Raises a ValueError where the folder holds another run, or its projection."""
    if folder.config_path.exists() and folder.path != run.path:
        raise ValueError(
            f"the workdir {folder.path} holds a training run; choose another"
        )
    path = folder.path / "projection.json"
    if not path.exists():
        return
    try:
        there = json.loads(path.read_text())["run"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} cannot be read: {error!r}; remove it") from error
    if there.get("path") != str(run.path) or there.get("seed") != run.seed:
        raise ValueError(
            f"the workdir {folder.path} holds the projection of {there.get('path')}, "
            f"seed {there.get('seed')}; choose another workdir"
        )

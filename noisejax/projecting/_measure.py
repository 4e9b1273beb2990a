"""What back-projection says about noise as augmentation, in numbers."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax import backprojection, noise, training
from noisejax.projecting._view import View

PERCENTILES = (5, 25, 50, 75, 95)


def measure(
    view: View,
    key: noise.Key,
    x: Float[Array, "examples ..."],
    options: dict[str, Any],
) -> dict[str, Any]:
    """Residuals, distances and agreement of joint x* and of an x* per layer.

    Args:
      view: the network, under the noise that is measured.
      key: of the masks; both kinds of x* see the same.
      x: examples as the network sees them.
      options: of `training.project_dataset`.

    Returns:
      {"joint": ..., "per_layer": ...}, plain values for JSON.
    """

    def found(per_layer: bool) -> training.ProjectedDataset:
        return training.project_dataset(
            view.features,
            view.run.variables,
            x,
            view.targets,
            key=key,
            per_layer=per_layer,
            **options,
        )

    outputs = jax.jit(view.outputs)
    return {
        "joint": _describe(found(False), x, outputs, _classifies(view)),
        "per_layer": _describe(found(True), x, outputs, _classifies(view)),
    }


def class_scale(view: View, x: Array, y: Array) -> dict[str, float] | None:
    """Distances between examples of one class, and of two; None: there are no pairs."""
    num_classes = view.run.dataset.num_classes
    if y.ndim != 1 or num_classes < 2:
        return None
    between = np.asarray(
        backprojection.class_distances(x, jnp.asarray(y), num_classes=num_classes)
    )
    same, counted = np.eye(num_classes, dtype=bool), np.isfinite(between)
    if not (counted & same).any() or not (counted & ~same).any():
        return None
    return {
        "within_class": float(between[counted & same].mean()),
        "between_classes": float(between[counted & ~same].mean()),
    }


def _classifies(view: View) -> bool:
    return view.run.config.model.name != "autoencoder"


def _describe(
    found: training.ProjectedDataset,
    x: Array,
    outputs: Callable[[Array], Array],
    classifies: bool,
) -> dict[str, Any]:
    stars = found.x_star if found.x_star.ndim > x.ndim else found.x_star[None]
    clean = outputs(x)
    return {
        "residual_before": [spread(values) for values in found.residual_before],
        "residual_after": [spread(values) for values in found.residual_after],
        "distance": [
            spread(np.asarray(backprojection.distances(x, star))) for star in stars
        ],
        "agreement": [
            float(backprojection.agreement(clean, outputs(star))) for star in stars
        ]
        if classifies
        else None,
    }


def spread(values: Float[np.ndarray, " n"]) -> dict[str, Any]:
    """Mean, standard error over examples, percentiles, of the finite ones."""
    values = np.asarray(values, np.float64)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return {"n": 0}
    error = None
    if finite.size > 1:
        error = float(finite.std(ddof=1) / np.sqrt(finite.size))
    quantiles = np.percentile(finite, PERCENTILES)
    return {
        "n": int(finite.size),
        "mean": float(finite.mean()),
        "standard_error": error,
        "percentiles": dict(
            zip(map(str, PERCENTILES), quantiles.tolist(), strict=True)
        ),
    }

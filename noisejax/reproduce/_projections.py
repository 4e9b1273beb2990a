"""Measures back-projections of a trained network (Bouthillier et al. 2015)."""

from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Float

from noisejax import backprojection, evaluators, noise
from noisejax.reproduce._measure import Measured

EXAMPLES, MASKS, SHOWN = 100, 8, 5
"""Number of test examples, of masks per example, and of examples in the figure."""


def back_projected_samples(key: noise.Key, model: evaluators.TrainedModel) -> Measured:
    """Measure inputs x* that reproduce noisy features (Bouthillier, figs. 2 and 5)."""
    x, pictures = model.inputs(model.test.x[:EXAMPLES]), model.run.pictures
    key, model = jax.random.split(key, 1)[0], model.with_noise(input_noise=None)
    found = evaluators.sample(key, model, x, MASKS, **_descent(model))
    moved = (found.x_star - np.asarray(x)[:, None]).reshape(len(x), MASKS, -1)
    distances = np.sqrt((moved**2).sum(-1))
    spread = distances.std(axis=1) / np.maximum(distances.mean(axis=1), 1e-12)
    return Measured(
        {
            **_residuals(found.result),
            "distance_spread": spread.mean(),
            "nearest_class_kept/x": _same_class(model, np.asarray(x)[:, None]),
            "nearest_class_kept/x_star": _same_class(model, found.x_star),
        },
        {
            "originals": pictures(x[:SHOWN]),
            "projected": np.stack([pictures(star) for star in found.x_star[:SHOWN]]),
            "dropped": found.dropped[:SHOWN],
        },
    )


def units_shut_off(key: noise.Key, model: evaluators.TrainedModel) -> Measured:
    """Measure inputs x* with one active unit off each (Bouthillier, figure 3)."""
    x, pictures = model.inputs(model.test.x[:EXAMPLES]), model.run.pictures
    found = evaluators.shut_units_off(model, x, **_descent(model))
    return Measured(
        {**_residuals(found.result), **_changes_of_others(model, x, found)},
        {
            "original": pictures(x[:1])[0],
            "projected": pictures(found.x_star[0]),
            "filters": found.filters.reshape(-1, *x.shape[1:]),
            "units": found.units[0],
        },
    )


def _descent(model: evaluators.TrainedModel) -> dict[str, Any]:
    config = model.run.config.projection
    method = backprojection.stable_descent()
    if config.method == "gradient_descent":
        method = backprojection.gradient_descent(config.learning_rates)
    return {"num_steps": config.num_steps, "method": method}


def _residuals(found: backprojection.BackProjection) -> dict[str, Any]:
    # The residual is infinite if all active units are dropped, so the median is used.
    return {
        "residual/before": jnp.median(found.residual_before),
        "residual/after": jnp.median(found.residual_after),
        "residual/diverged": jnp.mean(found.diverged),
    }


def _same_class(
    model: evaluators.TrainedModel, x: Float[np.ndarray, "n masks ..."]
) -> float:
    """Return the share of inputs whose nearest training input has the same class."""
    train = np.asarray(model.inputs(model.train.x)).reshape(len(model.train.x), -1)
    flat = x.reshape(x.shape[0] * x.shape[1], -1)
    distances = (train**2).sum(1) - 2 * flat @ train.T  # up to the constant |x|²
    nearest = np.asarray(model.train.y)[distances.argmin(1)]
    y = np.asarray(model.test.y)[: len(x)]
    return float((nearest == y.repeat(x.shape[1])).mean())


def _changes_of_others(
    model: evaluators.TrainedModel, x: Float[np.ndarray, "n ..."], found: Any
) -> dict[str, float]:
    """Return the relative change of the other units if a unit u is shut off.

      Σ_{j≠u} (aⱼ' - aⱼ)² / Σ_{j≠u} aⱼ²

    The activations a' are those at x*, or at the nearest input at which the
    pre-activation of the unit is 0,  x - (zᵤ / |wᵤ|²) wᵤ. The numbers are medians over
    the inputs and units for which any other unit is active.
    """
    first = jax.jit(lambda x: model.features(model.variables, x)[0])
    clean, count = np.asarray(first(x)), found.units.shape[1]
    kernel = np.asarray(model.weights(model.variables, model.layers[0]))
    filters = kernel.T[found.units.reshape(-1)]
    # These units are active, so their activations equal their pre-activations.
    active = np.take_along_axis(clean, found.units, axis=1).reshape(-1, 1)
    flat = np.asarray(x).reshape(len(x), -1).repeat(count, axis=0)
    subtracted = flat - active / (filters**2).sum(1, keepdims=True) * filters
    before = clean.repeat(count, axis=0)
    others = np.ones_like(before)
    np.put_along_axis(others, found.units.reshape(-1, 1), 0, axis=1)
    size = (others * before**2).sum(1)
    active_others, changes = size > 0, {}
    for name, inputs in (("x_star", found.x_star), ("filter_subtracted", subtracted)):
        after = np.asarray(first(jnp.asarray(inputs).reshape(-1, *x.shape[1:])))
        change = (others * (after - before) ** 2).sum(1)[active_others]
        relative = change / size[active_others]
        median = float(np.median(relative)) if relative.size else np.nan
        changes[f"others_changed/{name}"] = median
    return changes

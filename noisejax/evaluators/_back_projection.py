"""Back-projections x* of noise into the input (Bouthillier et al. 2015)."""

from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax import backprojection, figures, noise
from noisejax.evaluators import _measurement as shared
from noisejax.evaluators._measurement import Drawing, Networks, SampleSizes, Values
from noisejax.evaluators._trained_model import NotMeasuredError, TrainedModel

NUM_STEPS = 20
"""Number of descent steps, as in the paper."""

NUM_UNITS = 5
"""Number of hidden units that figure 3 shuts off."""


class Samples(NamedTuple):
    """Back-projections of N examples under M masks each.

    Masks are sorted by the share of units that they drop.

    Attributes:
      x_star: back-projections, [N, M, ...].
      dropped: share of the first layer's active units that is dropped, [N, M].
      result: result of the descent for all N M inputs, in the order of the draws.
    """

    x_star: Array
    dropped: np.ndarray
    result: backprojection.BackProjection


class Units(NamedTuple):
    """Back-projections of N examples, each with one of U hidden units shut off.

    Attributes:
      units: indices of the most active units of each example, [N, U].
      x_star: back-projections, each without one of these units, [N, U, ...].
      filters: incoming weights of the first example's units, [U, inputs].
      result: result of the descent for all N U inputs.
    """

    units: np.ndarray
    x_star: Array
    filters: np.ndarray
    result: backprojection.BackProjection


def measure(key: noise.Key, model: TrainedModel, sizes: SampleSizes) -> Values:
    """Measure residuals of x* and its distance from x (sections 4.1 and 8.1).

    Stable descent computes one x* for all noisy hidden layers. The input has no noise.
    """
    model = hidden_noise_only(model)
    x = jnp.asarray(next(model.chunks(limit=sizes.chunk, size=sizes.chunk)))
    targets = jax.jit(model.noisy_features)(model.variables, key, x)
    result = backprojection.back_project(
        model.features, model.variables, x, targets, num_steps=NUM_STEPS
    )
    measured = {
        "n": len(x),
        "num_steps": NUM_STEPS,
        "residual_before": shared.plain(result.residual_before),
        "residual_after": shared.plain(result.residual_after),
        "distance": shared.plain(backprojection.distances(x, result.x_star)),
        "diverged": int(result.diverged.sum()),
    }
    if model.targets != "labels" or not model.num_classes:
        return measured
    between = backprojection.class_distances(
        jnp.asarray(model.inputs(model.test.x[: sizes.examples])),
        model.test.y[: sizes.examples],
        num_classes=model.num_classes,
    )
    outputs = [model.clean(model.variables, a)[0] for a in (x, result.x_star)]
    return measured | {
        "distance_within_classes": float(jnp.nanmean(jnp.diagonal(between))),
        "agreement": float(backprojection.agreement(*outputs)),
    }


def hidden_noise_only(model: TrainedModel) -> TrainedModel:
    """Return the network with noise on its hidden layers only (eq. 6).

    Raises:
      NotMeasuredError: no hidden layer makes noise, or the network normalises over the
        batch.
    """
    if not model.sites or not model.with_noise(input_noise=None).is_noisy:
        raise NotMeasuredError("no hidden layer makes noise")
    if model.normalised:
        raise NotMeasuredError(
            "layers are normalised over the batch, so examples are not independent"
        )
    return model.differentiable().with_noise(input_noise=None)


def sample(
    key: noise.Key,
    model: TrainedModel,
    x: Float[Array, "examples ..."],
    num_masks: int,
    **options: Any,
) -> Samples:
    """Back-project several noise samples of each example (figures 2 and 5).

    Args:
      key: PRNG key for all masks.
      model: network without noise on the input.
      x: network inputs.
      num_masks: number of noise samples per example.
      **options: options of `backprojection.back_project`.
    """
    repeated = jnp.repeat(jnp.asarray(x), num_masks, axis=0)
    targets = jax.jit(model.noisy_features)(model.variables, key, repeated)
    clean = jax.jit(lambda v, x: model.features(v, x)[0])(model.variables, repeated)
    result = backprojection.back_project(
        model.features, model.variables, repeated, targets, **options
    )
    active = np.asarray(clean > 0).reshape(len(repeated), -1)
    zero = np.asarray(targets[0] == 0).reshape(len(repeated), -1)
    share = (active & zero).sum(-1) / active.sum(-1).clip(1)
    share = share.reshape(len(x), num_masks)
    ascending = np.arange(len(x))[:, None], share.argsort(axis=1)
    x_star = np.asarray(result.x_star).reshape(len(x), num_masks, *x.shape[1:])
    return Samples(x_star[ascending], share[ascending], result)


def shut_units_off(
    model: TrainedModel, x: Float[Array, "examples ..."], **options: Any
) -> Units:
    """Shut off the most active hidden units of each example, one by one (figure 3).

    The other units are not scaled.

    Args:
      model: network whose first layer is dense.
      x: network inputs.
      **options: options of `backprojection.back_project`.

    Raises:
      NotMeasuredError: the first layer is not dense.
    """
    kernel = np.asarray(model.weights(model.variables, model.layers[0]))
    if kernel.ndim != 2:
        raise NotMeasuredError("the first layer is not dense: units have no filters")

    def first(variables, x):
        return model.features(variables, x)[:1]

    x = jnp.asarray(x)
    (clean,) = jax.jit(first)(model.variables, x)
    units = np.argsort(-np.asarray(clean), axis=1)[:, :NUM_UNITS]
    count = units.shape[1]
    kept = np.ones((len(x), count, clean.shape[1]), bool)
    np.put_along_axis(kept, units[..., None], False, axis=2)
    mask = noise.mask_sample(jnp.asarray(kept.reshape(-1, clean.shape[1])))
    target = noise.apply(jnp.repeat(clean, count, axis=0), mask)
    repeated = jnp.repeat(x, count, axis=0)
    result = backprojection.back_project(
        first, model.variables, repeated, (target,), **options
    )
    x_star = np.asarray(result.x_star).reshape(len(x), count, *x.shape[1:])
    return Units(units, x_star, kernel[:, units[0]].T, result)


def draw(networks: Networks) -> list[Drawing]:
    """Draw the residuals of each layer at x and at x*, for each network."""
    return [
        shared.drawing(
            figures.residuals, found["residual_before"], found["residual_after"]
        )
        for found in networks.values()
    ]

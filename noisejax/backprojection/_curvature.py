"""How long a step may be: the curvature of back-projection's objective."""

from collections.abc import Sequence

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float, PyTree

from noisejax.backprojection._check import (
    check_features,
    check_floating_input,
    check_layer_weights,
    check_num_steps,
)
from noisejax.backprojection._eigenvalue import largest_eigenvalue
from noisejax.backprojection._objective import FeaturesFn, Objective, widened


def curvature(
    features_fn: FeaturesFn,
    params: PyTree[Array],
    x: Float[Array, "batch ..."],
    *,
    layer_weights: Float[Array, " layers"] | Sequence[float] | None = None,
    num_iterations: int = 10,
) -> Float[Array, " batch"]:
    """The largest eigenvalue of  2 Σ_l λ_l J_l'J_l / N_l  at every example.

    Gradient descent on eq. 8 is stable while it stays below 2 with λ the learning
    rates: rates r may grow by the factor  2 / curvature(..., layer_weights=r).

    Args:
      features_fn: as of `back_project`.
      params: of the network.
      x: inputs [B, ...].
      layer_weights: λ, default: all 1.
      num_iterations: products, of Lanczos' iteration.

    Returns:
      [B], from below: close to the eigenvalue, never above it.

    Raises:
      TypeError, ValueError: as `back_project`.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import backprojection
      >>> w = jnp.diag(jnp.array([3.0, 1.0]))
      >>> x = jnp.ones((1, 2))
      >>> backprojection.curvature(lambda w, x: (x @ w,), w, x).round(3)
      Array([9.], dtype=float32)

    Reference:
      Bouthillier et al., "Dropout as data augmentation", arXiv:1506.08700, 2015.
    """
    x = widened(check_floating_input(x, name="x"))
    shapes = check_features(features_fn, params, x)
    weights = check_layer_weights(layer_weights, len(shapes)).astype(x.dtype)
    num_iterations = check_num_steps(num_iterations)
    targets = tuple(jnp.zeros(shape, x.dtype) for shape in shapes)
    objective = Objective(lambda x: features_fn(params, x), targets, weights)
    start = jax.random.normal(jax.random.key(0), x.shape[1:], x.dtype)
    return largest_eigenvalue(
        objective.curvature(x), jnp.broadcast_to(start, x.shape), num_iterations
    )

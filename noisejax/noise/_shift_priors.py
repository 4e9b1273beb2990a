"""Priors on shifts, as penalties to add to a loss (Ba et al. 2014, section 2.1)."""

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float, PyTree


def shift_decay_penalty(
    betas: PyTree[Float[Array, "..."]], *, decay: float = 0.1
) -> Float[Array, ""]:
    """Weight decay on shifts:  (decay / 2) Σ β²,  whose gradient is decay·β.

    Args:
      betas: an array of shifts, or a tree of them.
      decay: 0 or more; the paper's experiments use 0.1.

    Returns:
      The penalty, a scalar.

    Raises:
      ValueError: a negative `decay`.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import noise
      >>> jax.grad(noise.shift_decay_penalty)(jnp.array([1.0, -2.0]))
      Array([ 0.1, -0.2], dtype=float32)
    """
    return _half_sum_of_squares(betas, decay, lambda beta: beta)


def shift_variance_penalty(
    betas: PyTree[Float[Array, "..."]], *, decay: float = 0.1
) -> Float[Array, ""]:
    """Prefers shifts that vary little:  (decay / 2) Σ (β - mean β)².

    The mean is that of each array in the tree, one per layer: a shift that all units
    share costs nothing.

    Args:
      betas: an array of shifts, or a tree of them.
      decay: 0 or more (ours; the paper prints no value for this prior).

    Returns:
      The penalty, a scalar.

    Raises:
      ValueError: a negative `decay`.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import noise
      >>> float(noise.shift_variance_penalty(jnp.array([3.0, 3.0, 3.0])))
      0.0
    """
    return _half_sum_of_squares(betas, decay, lambda beta: beta - jnp.mean(beta))


def _half_sum_of_squares(betas, decay, transform) -> Float[Array, ""]:
    if not isinstance(decay, jax.Array) and not decay >= 0:
        raise ValueError(f"decay must be 0 or more, got {decay!r}")
    squares = [jnp.sum(transform(beta) ** 2) for beta in jax.tree.leaves(betas)]
    return 0.5 * decay * sum(squares, jnp.float32(0))

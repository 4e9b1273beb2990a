"""Maxout: a unit is the largest of several linear pieces (Goodfellow et al. 2013)."""

from collections.abc import Callable

from jax import numpy as jnp
from jaxtyping import Array, Float


def maxout(net: Float[Array, "*shape"], pieces: int) -> Float[Array, "..."]:
    """The largest of `pieces` neighbours along the last axis:  h_j = max_k z_jk.

    Args:
      net: z, [..., units * pieces], the pieces of a unit beside each other.
      pieces: per unit, 1 or more.

    Returns:
      h, [..., units].

    Raises:
      ValueError: the last axis is no multiple of `pieces`.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import models
      >>> models.maxout(jnp.array([[1.0, 5.0, -2.0, -3.0]]), 2)
      Array([[ 5., -2.]], dtype=float32)

    Reference:
      Goodfellow et al., "Maxout networks", ICML 2013.
    """
    if pieces < 1 or net.shape[-1] % pieces:
        raise ValueError(
            f"maxout takes a last axis that is a multiple of pieces={pieces}, got "
            f"shape {net.shape}"
        )
    return jnp.max(net.reshape(*net.shape[:-1], -1, pieces), axis=-1)


def activate(
    net: Float[Array, "..."], activation: Callable[[Array], Array], pieces: int
) -> Float[Array, "..."]:
    """φ(z) elementwise, or, with more than one piece, the largest of each unit's."""
    return activation(net) if pieces == 1 else maxout(net, pieces)

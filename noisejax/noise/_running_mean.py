"""The running-average baseline of invariant dropout (Ba et al. 2014, table 2)."""

import jax
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax._floating import check_floating
from noisejax.noise._shapes import fit


def update_running_mean(
    mean: Float[Array, "..."], x: Float[Array, "*shape"], *, decay: float = 0.99
) -> Float[Array, "..."]:
    """An exponential average of clean activity:  μ ← decay·μ + (1 - decay)·mean(a).

    The baseline subtracts it before the mask, `apply(shift(x, -mean), sample)`, and
    freezes it at test time. No gradient flows through it.

    Args:
      mean: the average so far, zeros at the start; shaped like the last axes of x, as a
        shift is.
      x: clean activities, floating, batch axes first.
      decay: in [0, 1); 0.99 is ours, the paper prints none. A traced one is not
        checked.

    Returns:
      The new average: the shape and dtype of `mean`.

    Raises:
      ValueError: `mean` does not fit the last axes of x; `decay` outside [0, 1).

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import noise
      >>> x = jnp.array([[1.0, 2.0], [3.0, 4.0]])
      >>> noise.update_running_mean(jnp.zeros(2), x, decay=0.5)
      Array([1. , 1.5], dtype=float32)
    """
    if not isinstance(decay, jax.Array) and not 0 <= decay < 1:
        raise ValueError(f"decay must lie in [0, 1), got {decay!r}")
    shape = fit(mean.shape, x.shape, name="mean")
    shared = tuple(axis for axis, n in enumerate(shape) if n == 1)
    clean = lax.stop_gradient(check_floating(x).astype(mean.dtype))
    batch_mean = jnp.mean(clean, axis=shared).reshape(mean.shape)
    return decay * mean + (1 - decay) * batch_mean

"""The gradient acceleration function (Hahn and Choi 2018, eq. 7)."""

import functools
import numbers

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax._floating import at_least_float32, check_floating


def gradient_acceleration(
    x: Float[Array, "*shape"], *, frequency: float = 10_000.0
) -> Float[Array, "*shape"]:
    """The gradient acceleration function:  g(x) = (xK - ⌊xK⌋ - 0.5) / K  (eq. 7).

    Its derivative is 1, everywhere and in every floating dtype: also where x·K has lost
    its fraction (float32 above 839, bfloat16 above 0.026), overflows, or x is infinite.

    Args:
      x: floating array, any shape.
      frequency: K, above 0; the paper uses 10,000.

    Returns:
      g(x): the shape and dtype of x, |g| <= 0.5 / K. 0 at infinities, NaN at NaN.

    Raises:
      TypeError: `x` is not floating.
      ValueError: `frequency` is not a positive number.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import activations
      >>> g = activations.gradient_acceleration
      >>> g(jnp.array([0.00001, 0.00012])).round(6)
      Array([-4.e-05, -3.e-05], dtype=float32)
      >>> float(jax.grad(g)(123.0))
      1.0

    Reference:
      Hahn and Choi, "Understanding dropout as an optimization trick", arXiv:1806.09783.
    """
    check_frequency(frequency)
    x = check_floating(x)
    return accelerate(x, float(frequency))


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def accelerate(x: Array, frequency: float) -> Array:
    """g(x) for checked arguments."""
    x = jnp.asarray(x)
    cycles = x.astype(at_least_float32(x.dtype)) * frequency
    fraction = jnp.where(jnp.isinf(cycles), 0.5, cycles - jnp.floor(cycles))
    return ((fraction - 0.5) / frequency).astype(x.dtype)


@accelerate.defjvp
def _accelerate_jvp(frequency, primals, tangents):
    return accelerate(*primals, frequency), tangents[0]


def check_frequency(frequency: float) -> None:
    """Raises a ValueError unless K is a positive finite number."""
    if not isinstance(frequency, numbers.Real) or not 0 < frequency < float("inf"):
        raise ValueError(
            f"frequency is K of eq. 7 and must be a positive number, got {frequency!r}"
        )

"""Checks and dtypes of the floating arrays that pure functions accept."""

import jax
import numpy as np
from jax import numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array


def check_floating(x: ArrayLike) -> Array:
    """Return `x` as a JAX array; raise a TypeError unless it is real and floating."""
    if not isinstance(x, jax.Array):
        x = jnp.asarray(x)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        hint = "pass its real and imaginary parts"
        if not jnp.issubdtype(x.dtype, jnp.complexfloating):
            hint = "convert it first, x.astype(jnp.float32)"
        raise TypeError(
            f"a floating array is needed, got {x.dtype}{list(x.shape)}; {hint}"
        )
    return x


def promote(x: ArrayLike) -> Array:
    """Convert a floating array to at least float32; see `check_floating`."""
    x = check_floating(x)
    return x.astype(at_least_float32(x.dtype))


def at_least_float32(dtype: np.dtype) -> np.dtype:
    """Return float32 for half-precision dtypes, and other dtypes unchanged."""
    return jnp.dtype(jnp.float32) if jnp.finfo(dtype).bits < 32 else dtype

"""What counts as a noise level: a rate of dropping, or a standard deviation."""

import numbers
from collections.abc import Callable
from typing import TypeAlias

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float32

Rate: TypeAlias = float | np.ndarray | jax.Array
"""A Python float, a scalar array, or an array of x's rank that broadcasts to x."""


def check_rate(
    rate: Rate, shape: tuple[int, ...] | None = None
) -> float | Float32[Array, "..."]:
    """Returns a rate as a Python float where it is known, else as a float32 array.

    Args:
      rate: probability of being dropped, in [0, 1).
      shape: of what the rate is for; None: only a single number will do.

    Returns:
      A Python float, or an array of the rank of `shape` through which no gradient
      flows.

    Raises:
      TypeError: not a number.
      ValueError: a shape that is neither () nor of the rank of `shape`; a Python or
        NumPy value outside [0, 1). Values of JAX arrays are not looked at.
    """
    rule = "rate is the probability of being dropped and must lie in [0, 1)"
    return _check_level(rate, shape, "rate", rule, lambda r: (r >= 0) & (r < 1))


def check_stddev(
    stddev: Rate, shape: tuple[int, ...] | None = None
) -> float | Float32[Array, "..."]:
    """As `check_rate`, for a standard deviation: finite, 0 or more."""
    rule = "stddev is a standard deviation and must be finite and at least 0"
    return _check_level(
        stddev, shape, "stddev", rule, lambda s: (s >= 0) & np.isfinite(s)
    )


def _check_level(
    level: Rate,
    shape: tuple[int, ...] | None,
    name: str,
    rule: str,
    is_valid: Callable[[np.ndarray], np.ndarray],
) -> float | Float32[Array, "..."]:
    dtype = getattr(
        level, "dtype", np.dtype(type(level) if _is_number(level) else object)
    )
    if not jnp.issubdtype(dtype, np.number):
        raise TypeError(f"{rule}; got {level!r}, which is no number")
    shape = shape or ()
    if np.ndim(level) and not broadcasts(np.shape(level), shape):
        per_example = (-1,) + (1,) * (len(shape) - 1)
        raise ValueError(
            f"{name} must be a single number, or an array that has the rank of x and "
            f"broadcasts to its shape {shape}; got shape {np.shape(level)}. For a "
            f"{name} per example pass {name}.reshape({per_example})"
        )
    if not isinstance(level, jax.Array):
        values = np.asarray(level)
        if not np.all(is_valid(values)):
            raise ValueError(f"{rule}, got {level!r}")
        if not values.ndim:
            return float(values)
    level = lax.stop_gradient(jnp.asarray(level).astype(jnp.float32))
    return level if level.ndim else level.reshape((1,) * len(shape))


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def broadcasts(small: tuple[int, ...], large: tuple[int, ...]) -> bool:
    """Whether `small` has the rank of `large`, and its axes or axes of size 1."""
    return len(small) == len(large) and all(
        s in (1, n) for s, n in zip(small, large, strict=True)
    )

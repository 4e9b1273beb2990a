"""Checks of arguments: keys, rates, bits and axes.

Each check converts a valid argument to one form and raises an error for an invalid one.
Public functions and `Scheme.sample` check their arguments; private functions do not.
"""

import numbers
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float32

Key: TypeAlias = jax.Array
"""A typed scalar key, or a raw uint32 key, which Flax passes to layers."""

Rate: TypeAlias = float | np.ndarray | jax.Array
"""A Python float, a scalar array, or an array of rank `x.ndim` that broadcasts to x."""

Shape: TypeAlias = Sequence[int]

LEVELS = {32: 2**23, 8: 2**8}
"""Number of uniform values by random bits; `jax.random.uniform` uses 23 of 32 bits."""


def as_key(key: Key) -> Key:
    """Return `key` as one typed PRNG key.

    Args:
      key: typed key of shape (), from `jax.random.key`, or raw uint32 key, from
        `jax.random.PRNGKey` or Flax's `make_rng`.

    Returns:
      Typed key of shape ().

    Raises:
      TypeError: `key` is not a key, for example a plain integer.
      ValueError: `key` is an array of several keys.

    Example:
      >>> import jax
      >>> from noisejax import noise
      >>> noise.as_key(jax.random.PRNGKey(0)) == jax.random.key(0)
      Array(True, dtype=bool)
    """
    dtype = getattr(key, "dtype", None)
    if dtype is None:
        raise TypeError(
            "key must be a JAX random key and comes first, got "
            f"{type(key).__name__} {key!r}. Create a key with jax.random.key(0)"
        )
    if jnp.issubdtype(dtype, jax.dtypes.prng_key):
        typed = key
    elif dtype == jnp.uint32 and key.ndim:
        try:
            typed = jax.random.wrap_key_data(key)
        except (TypeError, ValueError) as error:
            raise TypeError(
                "a raw key must be the uint32 array of jax.random.PRNGKey, got "
                f"uint32{list(key.shape)}. Prefer a typed key: jax.random.key(0)"
            ) from error
    else:
        raise TypeError(
            f"key must be a JAX random key, got {dtype}{list(key.shape)}. The key "
            "comes first, as in noise.dropout(jax.random.key(0), x, rate=0.5)"
        )
    if typed.shape:
        raise ValueError(
            f"one key is needed, got an array of keys of shape {typed.shape}. "
            "Use jax.vmap to draw one sample per key"
        )
    return typed


# Rates and standard deviations.


def check_rate(
    rate: Rate, shape: tuple[int, ...] = (), *, bits: int = 32
) -> float | Float32[Array, "..."]:
    """Check a rate and return a Python float or a float32 array.

    Args:
      rate: probability of dropping a unit, in [0, 1).
      shape: shape of the array that receives the noise.
      bits: number of random bits per unit. A Python or NumPy rate above 0 must not
        round to 0 or 1.

    Returns:
      Python float for a Python or NumPy scalar; otherwise an array with the rank of
      `shape`, without a gradient.

    Raises:
      TypeError: `rate` is not a real number.
      ValueError: `rate` is neither a scalar nor broadcastable to `shape`, or a Python
        or NumPy value is outside [0, 1). The values of JAX arrays are not checked.
    """
    rule = "rate is the probability of being dropped and must lie in [0, 1)"
    level = _check_level(rate, shape, "rate", rule, lambda r: (r >= 0) & (r < 1))
    if bits < 32 and not isinstance(rate, jax.Array):
        _check_resolved(rate, bits)
    return level


def check_stddev(
    stddev: Rate, shape: tuple[int, ...] = ()
) -> float | Float32[Array, "..."]:
    """Check a standard deviation like a rate; it must be finite and 0 or more."""
    rule = "stddev is a standard deviation and must be finite and at least 0"
    return _check_level(
        stddev, shape, "stddev", rule, lambda s: (s >= 0) & np.isfinite(s)
    )


def _check_level(
    level: Rate,
    shape: tuple[int, ...],
    name: str,
    rule: str,
    is_valid: Callable[[np.ndarray], np.ndarray],
) -> float | Float32[Array, "..."]:
    if not _is_real(level):
        raise TypeError(f"{rule}; got {level!r}, which is not a real number")
    if np.ndim(level) and not broadcasts(np.shape(level), shape):
        per_example = (-1,) + (1,) * (len(shape) - 1)
        raise ValueError(
            f"{name} must be a single number, or an array that has the rank of x and "
            f"broadcasts to its shape {shape}; got shape {np.shape(level)}. For one "
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


def _is_real(level: Any) -> bool:
    if hasattr(level, "dtype"):
        dtypes = (np.integer, np.floating)
        return any(jnp.issubdtype(level.dtype, dtype) for dtype in dtypes)
    return isinstance(level, numbers.Real) and not isinstance(level, bool)


def scheme_rate(rate: float) -> float:
    """Check the rate of a scheme: a Python number in [0, 1)."""
    _check_static(rate, "rate", "dropout")
    return float(check_rate(rate))


def scheme_stddev(stddev: float) -> float:
    """Check the standard deviation of a scheme: a Python number, 0 or more."""
    _check_static(stddev, "stddev", "gaussian_noise")
    return float(check_stddev(stddev))


def _check_static(level: Any, name: str, function: str) -> None:
    if isinstance(level, jax.Array) or np.ndim(level):
        raise TypeError(
            f"the {name} of a scheme must be a Python float, got an array of shape "
            f"{np.shape(level)}. Pass an array or a traced {name} to a function such "
            f"as noise.{function}(key, x, {name}=...), or to scheme.sample(level=...)"
        )


def check_bits(bits: int) -> int:
    """Return `bits`; raise a ValueError unless it is 32 or 8."""
    if bits not in LEVELS:
        raise ValueError(
            f"bits must be one of {sorted(LEVELS)} random bits per unit, got {bits!r}"
        )
    return bits


def round_rate(rate: float, *, bits: int) -> float:
    """Round a rate to the rate that masks of `bits` random bits per unit have.

    At 8 bits a rate is rounded to the nearest multiple of 1/256. The scale uses the
    rounded rate, so the mean of dropout stays exact. At 32 bits the rate is returned
    unchanged; masks have it to a precision of 2⁻²³, as in `jax.random.bernoulli`.

    Args:
      rate: probability of dropping a unit, a Python number in [0, 1).
      bits: number of random bits per unit, 32 or 8.

    Returns:
      Rounded rate.

    Raises:
      ValueError: `rate` is outside [0, 1), or is above 0 and rounds to 0 or 1.

    Example:
      >>> from noisejax import noise
      >>> noise.round_rate(0.3, bits=8) * 256
      77.0
    """
    level: Any = check_rate(rate, bits=check_bits(bits))
    return rounded(level, bits)


def rounded(rate: float, bits: int) -> float:
    """Round a rate as `round_rate` does, without checks."""
    return rate if bits == 32 else round(rate * LEVELS[bits]) / LEVELS[bits]


def _check_resolved(rate: float | np.ndarray, bits: int) -> None:
    levels = LEVELS[bits]
    rates = np.asarray(rate, np.float64)
    rounded = np.round(rates * levels) / levels
    rounded_away = (rates != rounded) & ((rounded == 0) | (rounded == 1))
    if rounded_away.any():
        wrong, result = float(rates[rounded_away][0]), rounded[rounded_away][0]
        raise ValueError(
            f"rate {wrong!r} rounds to {result:.0f} with {bits} random bits per unit, "
            f"because rates are then multiples of 1/{levels}. Use bits=32"
        )


# Axes.


def broadcasts(small: tuple[int, ...], large: tuple[int, ...]) -> bool:
    """Return True if the ranks are equal and each axis of `small` is equal or 1."""
    if len(small) != len(large):
        return False
    others = [m for m, n in zip(small, large, strict=True) if m != n and m != 1]
    return not others


def check_axes(axes: int | Sequence[int]) -> tuple[int, ...]:
    """Return axes, one int or several, as a tuple of ints, which is hashable."""
    axes = (axes,) if isinstance(axes, int) else tuple(axes)
    if not all(isinstance(axis, int) for axis in axes):
        raise TypeError(f"broadcast_dims must be integers, got {axes!r}")
    return axes


def check_batch_dims(batch_dims: int) -> int:
    """Return `batch_dims`; raise a ValueError unless it is an integer, 0 or more."""
    is_int = isinstance(batch_dims, int) and not isinstance(batch_dims, bool)
    if not is_int or batch_dims < 0:
        raise ValueError(
            "batch_dims must be the number of leading batch axes, 0 or more, got "
            f"{batch_dims!r}"
        )
    return batch_dims


def share_behind(shape: tuple[int, ...], batch_dims: int) -> tuple[int, ...]:
    """Return `shape` with size 1 in place of each axis after the batch axes."""
    if batch_dims > len(shape):
        raise ValueError(
            f"batch_dims={batch_dims} exceeds the {len(shape)} axes of shape {shape}. "
            "Use batch_dims=0 inside jax.vmap over examples"
        )
    return shape[:batch_dims] + (1,) * (len(shape) - batch_dims)


def share(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    """Return `shape` with size 1 along `axes`."""
    if not axes:
        return shape
    for axis in axes:
        if not -len(shape) <= axis < len(shape):
            raise ValueError(
                f"broadcast_dims names axis {axis}, but the array of shape {shape} has "
                f"{len(shape)} axes"
            )
    shared = {axis % len(shape) for axis in axes}
    return tuple(1 if i in shared else n for i, n in enumerate(shape))


def fit(small: Shape, shape: Shape, *, name: str) -> tuple[int, ...]:
    """Return `small` with leading axes of size 1, so that it broadcasts to `shape`."""
    missing = len(shape) - len(small)
    if missing < 0 or not broadcasts(tuple(small), tuple(shape[missing:])):
        raise ValueError(
            f"{name} must have the shape of the last axes of {tuple(shape)}, such as "
            f"{tuple(shape[1:])} for one value per unit or {tuple(shape[-1:])} for one "
            f"value per feature; got {tuple(small)}"
        )
    return (1,) * missing + tuple(small)

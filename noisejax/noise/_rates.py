"""What a rate becomes when a mask is drawn: a threshold for bits, and a scale."""

import math

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Float32, UInt32

from noisejax.noise._levels import Rate, check_rate

_LEVELS = {32: 2**23, 8: 2**8}
"""How many values a uniform draw takes: `jax.random.uniform` keeps 23 bits of 32."""


def check_bits(bits: int) -> None:
    """Raises a ValueError for a number of random bits per unit that we do not draw."""
    if bits not in _LEVELS:
        raise ValueError(
            f"bits must be one of {sorted(_LEVELS)} random bits per unit, got {bits!r}"
        )


def check_resolved(rate: Rate, *, bits: int) -> None:
    """Raises a ValueError for a known rate that rounds to 0 or 1 with so few bits.

    Values of JAX arrays are not looked at.
    """
    if bits == 32 or isinstance(rate, jax.Array):
        return
    levels = _LEVELS[bits]
    rates = np.asarray(rate, np.float64)
    rounded = np.round(rates * levels) / levels
    lost = (rates != rounded) & ((rounded == 0) | (rounded == 1))
    if lost.any():
        raise ValueError(
            f"rate {float(rates[lost][0])!r} rounds to {rounded[lost][0]:.0f} with "
            f"{bits} random bits per unit, which resolve it to 1/{levels}; use bits=32"
        )


def round_rate(rate: float, *, bits: int) -> float:
    """The rate that is really drawn with `bits` random bits per unit.

    A byte resolves a probability to 1/256, so at 8 bits a rate becomes the nearest
    multiple of 1/256, and the scale follows it: the mean of dropout stays exact. At 32
    bits the rate is drawn as it is (to 2⁻²³, like `jax.random.bernoulli`).

    Args:
      rate: a Python number in [0, 1).
      bits: 32 or 8.

    Returns:
      The rate that is drawn.

    Raises:
      ValueError: `rate` outside [0, 1); a rate above 0 that would round to 0, or one
        that would round to 1.

    Example:
      >>> from noisejax import noise
      >>> noise.round_rate(0.3, bits=8) * 256
      77.0
    """
    check_bits(bits)
    rate = check_rate(rate)
    if bits == 32:
        return rate
    check_resolved(rate, bits=bits)
    return round(rate * _LEVELS[bits]) / _LEVELS[bits]


def keep_threshold(
    rate: float | Array, *, bits: int
) -> np.uint32 | UInt32[Array, "..."]:
    """The number of the `bits`' values (2^23 at 32 bits) for which a unit is kept.

    `u < float32(1 - rate)` for `u` uniform on multiples of 2⁻²³ (as drawn by
    `jax.random.bernoulli`) is `word >> 9 < ceil(float32(1 - rate)·2²³)`, exactly.
    """
    levels = _LEVELS[bits]
    keep = keep_probability(rate, bits=bits)
    if isinstance(keep, np.float32):
        return np.uint32(math.ceil(float(keep) * levels))
    return jnp.ceil(keep * np.float32(levels)).astype(jnp.uint32)


def keep_probability(rate: float | Array, *, bits: int) -> np.float32 | Array:
    """1 - rate as it is drawn, float32; in [0, 1] whatever a traced rate holds."""
    if isinstance(rate, float):
        return np.float32(1.0 - round_rate(rate, bits=bits))
    if bits < 32:
        levels = np.float32(_LEVELS[bits])
        rate = jnp.round(rate * levels) / levels
    # NaN > 0 is false: a rate that is not a number drops everything.
    keep = np.float32(1) - rate
    return jnp.where(keep > 0, jnp.minimum(keep, np.float32(1)), np.float32(0))


def inverse_scale(rate: float | Array, *, bits: int) -> float | Float32[Array, "..."]:
    """1 / (1 - rate) for the rate that is drawn; 1 where everything is dropped."""
    keep = keep_probability(rate, bits=bits)
    if isinstance(keep, np.float32):
        return float(np.float32(1) / keep)
    # The division last: XLA keeps its result, and would do the rest for every unit.
    return np.float32(1) / jnp.where(keep > 0, keep, 1)

"""Bernoulli masks: which units are kept and which are dropped."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from jax import numpy as jnp
from jax.sharding import NamedSharding
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, UInt32

from noisejax.noise._keys import Key, as_key
from noisejax.noise._levels import Rate, check_rate
from noisejax.noise._once import draw_once
from noisejax.noise._placed import placed
from noisejax.noise._rates import check_bits, check_resolved, keep_threshold
from noisejax.noise._sharding import OutSharding, axis_is_whole, named
from noisejax.noise._words import (
    counts_elements,
    element_index,
    words_of,
)

Shape: TypeAlias = Sequence[int]


def bernoulli_mask(
    key: Key,
    shape: Shape,
    *,
    rate: Rate,
    bits: int = 32,
    out_sharding: OutSharding = None,
) -> Bool[Array, "*shape"]:
    """Draws a mask: m ~ Bernoulli(1 - rate) per element, True = kept.

    With `bits=32` and a threefry key this is `jax.random.bernoulli(key, float32(1 -
    rate), shape)` bit for bit, only faster; other PRNG implementations use their stock
    draw. With `bits=8` one random word serves four elements and the rate is rounded to
    a multiple of 1/256 (`round_rate`). Masks are stable: changing one is a breaking
    change.

    Args:
      key: typed or raw PRNG key. Consumed.
      shape: of the mask.
      rate: probability of being dropped, in [0, 1): a Python float, a scalar array, or
        an array of the rank of `shape` that broadcasts to it.
      bits: random bits per element, 32 or 8.
      out_sharding: how the mask lies over a mesh (a NamedSharding, or a PartitionSpec
        for the mesh in context); each device then draws its own shard only.

    Returns:
      bool[shape], P(True) = 1 - rate.

    Raises:
      TypeError: `key` is no key, `rate` no number.
      ValueError: `rate` outside [0, 1) or of another shape; it rounds away at 8 bits.

    Example:
      >>> import jax
      >>> from noisejax import noise
      >>> noise.bernoulli_mask(jax.random.key(0), (4,), rate=0.5)
      Array([False, False,  True,  True], dtype=bool)
    """
    key = as_key(key)
    shape = tuple(int(n) for n in shape)
    check_bits(bits)
    threshold = keep_threshold(check_rate(rate, shape), bits=bits)
    check_resolved(rate, bits=bits)
    sharding = named(out_sharding, shape)
    draw = placed(_draw_bytes if bits == 8 and shape else _draw_words, sharding)
    return draw(key, threshold, shape=shape, bits=bits, sharding=sharding)


def _draw_words(
    key: Key,
    threshold: np.uint32 | UInt32[Array, "..."],
    *,
    shape: tuple[int, ...],
    bits: int,
    sharding: NamedSharding | None,
) -> Bool[Array, "*shape"]:
    """A word per element, of which its upper 23 (or 8) bits are compared."""
    discarded = np.uint32(9 if bits == 32 else 24)

    def draw(words, threshold):
        return (words >> discarded) < threshold

    return draw_once(draw, key, shape, sharding, threshold)


def _draw_bytes(
    key: Key,
    threshold: np.uint32 | UInt32[Array, "..."],
    *,
    shape: tuple[int, ...],
    bits: int,
    sharding: NamedSharding | None,
) -> Bool[Array, "*shape"]:
    """A byte per element: q = ceil(n / 4) words for a last axis of n, cut into planes.

    Plane j is byte j of each word (bits 8j to 8j + 7) and serves the elements from j·q
    on, so that no bytes have to be interleaved. Where the last axis may lie on several
    devices each element computes its own word instead: the same bytes for the price of
    32 bits, and no communication.
    """
    n = shape[-1]
    q = -(-n // 4)
    word_shape = (*shape[:-1], q)
    if counts_elements(key, shape) and not axis_is_whole(sharding):
        index = element_index(shape, sharding)
        row, column = index // np.uint32(n), index % np.uint32(n)
        words = words_of(key)(row * np.uint32(q) + column % np.uint32(q))
        return _byte(words, np.uint32(8) * (column // np.uint32(q))) < threshold
    columns = [_columns(threshold, plane * q, q) for plane in range(4)]

    def draw(words, *columns):
        """A bit per plane: the words are 4 bytes, and would be read for each plane."""
        kept = jnp.zeros_like(words)
        for plane, below in enumerate(columns):
            bit = _byte(words, 8 * plane) < below
            kept |= bit.astype(jnp.uint32) << np.uint32(plane)
        return kept.astype(jnp.uint8)

    kept = draw_once(draw, key, word_shape, named(sharding, word_shape), *columns)
    planes = [(kept & np.uint8(1 << plane)) != 0 for plane in range(4)]
    return jnp.concatenate(planes, axis=-1)[..., :n]


def _byte(words: Array, shift: ArrayLike) -> UInt32[Array, "..."]:
    return (words >> jnp.uint32(shift)) & np.uint32(255)


def _columns(threshold: ArrayLike, start: int, count: int) -> ArrayLike:
    """The threshold's columns [start, start + count), beyond its end: any."""
    if not threshold.ndim or threshold.shape[-1] == 1:
        return threshold
    padding = [(0, 0)] * (threshold.ndim - 1) + [(0, 4 * count - threshold.shape[-1])]
    return jnp.pad(threshold, padding)[..., start : start + count]

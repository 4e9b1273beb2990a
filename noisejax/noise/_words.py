"""Random 32-bit words: threefry written out, so that it fuses with what uses it.

JAX lowers threefry on a CPU as a rolled loop and on CUDA as a custom call; neither
fuses with the comparison that turns words into a mask. The twenty rounds below are the
same function (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011),
bit for bit `jax.random.bits(key, shape, "uint32")`, as elementwise operations on a
counter: they fuse, and under a mesh each device computes its own shard only.
"""

import math
from collections.abc import Callable

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp
from jax.sharding import NamedSharding
from jaxtyping import Array, UInt32

from noisejax._explicit import explicit_part, has_explicit_axes
from noisejax.noise._keys import Key

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)


def random_words(
    key: Key, shape: tuple[int, ...], sharding: NamedSharding | None = None
) -> UInt32[Array, "*shape"]:
    """Draws uniform uint32 words, equal to `jax.random.bits(key, shape, "uint32")`.

    Args:
      key: a typed key. Consumed.
      shape: of the words.
      sharding: how the result lies over a mesh; resolved by `named`.
    """
    if not counts_elements(key, shape):
        words = jax.random.bits(
            key, shape, jnp.uint32, out_sharding=explicit_part(sharding)
        )
        return _constrain(words, sharding)
    return words_of(key)(element_index(shape, sharding))


def counts_elements(key: Key, shape: tuple[int, ...]) -> bool:
    """Whether each word is a function of the key and of its own index alone."""
    if math.prod(shape) >= 2**32:
        return False
    partitionable = jax.config.jax_threefry_partitionable
    return partitionable and str(jax.random.key_impl(key)) == "threefry2x32"


def element_index(
    shape: tuple[int, ...], sharding: NamedSharding | None = None
) -> UInt32[Array, "*shape"]:
    """The row-major index of each element of `shape`; its size is below 2^32."""
    explicit = explicit_part(sharding)
    index = jnp.uint32(0)
    for axis in range(len(shape)):
        count = lax.broadcasted_iota(jnp.uint32, shape, axis, out_sharding=explicit)
        index = index + count * np.uint32(math.prod(shape[axis + 1 :]))
    return _constrain(index, sharding)


def words_of(key: Key) -> Callable[[UInt32[Array, "..."]], UInt32[Array, "..."]]:
    """Consumes a threefry2x32 `key`; counter -> its word, elementwise."""
    # The key-reuse checker sees primitives, not our arithmetic on the key's words. A
    # draw of nothing consumes the key in its eyes; adding it (0) keeps it from being
    # dropped.
    nothing = jnp.sum(jax.random.bits(key, (0,), jnp.uint32), dtype=jnp.uint32)
    words = jax.random.key_data(key)
    k0, k1 = words[0] ^ nothing, words[1]

    def words_at(index):
        x0, x1 = _threefry2x32(k0, k1, jnp.zeros_like(index), index)
        return x0 ^ x1

    return words_at


def _threefry2x32(k0: Array, k1: Array, x0: Array, x1: Array) -> tuple[Array, Array]:
    """Twenty rounds of threefry on two 32-bit words (Salmon et al. 2011, section 3)."""
    keys = (k0, k1, k0 ^ k1 ^ _PARITY)
    x0, x1 = x0 + keys[0], x1 + keys[1]
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            x0 = x0 + x1
            x1 = _rotate_left(x1, rotation) ^ x0
        x0 = x0 + keys[(group + 1) % 3]
        x1 = x1 + keys[(group + 2) % 3] + np.uint32(group + 1)
    return x0, x1


def _rotate_left(x: Array, bits: int) -> Array:
    return (x << np.uint32(bits)) | (x >> np.uint32(32 - bits))


def _constrain(x: Array, sharding: NamedSharding | None) -> Array:
    """Under Auto axes a wish to the compiler; under Explicit axes it holds already."""
    if sharding is None or has_explicit_axes(sharding):
        return x
    return lax.with_sharding_constraint(x, sharding)

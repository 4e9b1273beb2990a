"""Standard normal noise."""

import numpy as np
from jax import lax
from jax import numpy as jnp
from jax.sharding import NamedSharding
from jaxtyping import Array, Float32

from noisejax.noise._keys import Key, as_key
from noisejax.noise._mask import Shape
from noisejax.noise._once import draw_once
from noisejax.noise._placed import placed
from noisejax.noise._sharding import OutSharding, named


def standard_normal(
    key: Key, shape: Shape, *, out_sharding: OutSharding = None
) -> Float32[Array, "*shape"]:
    """Draws N(0, 1), the values of `jax.random.normal(key, shape, "float32")`.

    Args:
      key: typed or raw PRNG key. Consumed.
      shape: of the result.
      out_sharding: as in `bernoulli_mask`.
    """
    key = as_key(key)
    shape = tuple(int(n) for n in shape)
    sharding = named(out_sharding, shape)
    return placed(_draw_normal, sharding)(key, shape=shape, sharding=sharding)


def _draw_normal(
    key: Key, *, shape: tuple[int, ...], sharding: NamedSharding | None
) -> Float32[Array, "*shape"]:
    """√2 erf⁻¹(u), u uniform on (-1, 1): the upper 23 bits of each word, from just
    above -1."""
    lowest = np.nextafter(np.float32(-1), np.float32(0))

    def draw(words):
        # The mantissa of a number in [1, 2), as in jax.random.uniform.
        bits = (words >> np.uint32(9)) | np.uint32(0x3F800000)
        u = lax.bitcast_convert_type(bits, jnp.float32) - np.float32(1)
        u = jnp.maximum(lowest, u * (np.float32(1) - lowest) + lowest)
        return np.float32(np.sqrt(2)) * lax.erf_inv(u)

    return draw_once(draw, key, shape, sharding)

"""Random noise levels, one for all units that share it."""

import numpy as np
from jax import numpy as jnp
from jax.sharding import NamedSharding
from jaxtyping import Array, Float32

from noisejax.noise._keys import Key, as_key
from noisejax.noise._levels import Rate, check_rate
from noisejax.noise._mask import Shape
from noisejax.noise._once import draw_once
from noisejax.noise._placed import placed
from noisejax.noise._sharding import OutSharding, named


def sample_rate(
    key: Key, shape: Shape, *, rate: Rate, out_sharding: OutSharding = None
) -> Float32[Array, "*shape"]:
    """Draws noise levels: ρ ~ U(0, rate)  (Bouthillier et al. 2015, section 4.1).

    Args:
      key: typed or raw PRNG key. Consumed.
      shape: of the levels; (B, 1, ...) for one level per example.
      rate: the largest level, in [0, 1): a Python float, a scalar array, or an array of
        the rank of `shape` that broadcasts to it.
      out_sharding: as in `bernoulli_mask`.

    Returns:
      float32[shape], in [0, rate).

    Raises:
      TypeError: `key` is no key, `rate` no number.
      ValueError: `rate` outside [0, 1) or of another shape.

    Example:
      >>> import jax
      >>> from noisejax import noise
      >>> noise.sample_rate(jax.random.key(0), (3, 1), rate=0.5).shape
      (3, 1)

    Reference:
      Bouthillier et al., "Dropout as data augmentation", arXiv:1506.08700, 2015.
    """
    key = as_key(key)
    shape = tuple(int(n) for n in shape)
    rate = jnp.asarray(check_rate(rate, shape), jnp.float32)
    sharding = named(out_sharding, shape)
    return placed(_draw_uniform, sharding)(key, shape=shape, sharding=sharding) * rate


def _draw_uniform(
    key: Key, *, shape: tuple[int, ...], sharding: NamedSharding | None
) -> Float32[Array, "*shape"]:
    """U[0, 1) as `jax.random.uniform` draws it: the upper 23 bits of each word."""

    def draw(words):
        return (words >> np.uint32(9)).astype(jnp.float32) * np.float32(2.0**-23)

    return draw_once(draw, key, shape, sharding)

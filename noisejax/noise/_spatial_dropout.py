"""Spatial dropout: whole feature maps are dropped."""

import dataclasses
from typing import ClassVar

import jax
from jaxtyping import Array, Float

from noisejax.noise._keys import Key
from noisejax.noise._levels import Rate
from noisejax.noise._mask_scheme import MaskScheme
from noisejax.noise._scheme import apply_scheme
from noisejax.noise._shapes import check_batch_dims, share


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class SpatialDropout(MaskScheme):
    """Spatial dropout:  ã_bhwc = m_bc a_bhwc / (1 - rate),  m ~ Bernoulli(1 - rate).

    The axes between the batch axes and the last one (the channels) share a mask. On
    [B, C] it is dropout.

    Attributes:
      rate: probability of a feature map's being dropped, in [0, 1).
      bits: random bits per feature map, 32 or 8.
      batch_dims: how many leading axes have masks of their own.
      scale: False leaves kept maps as they are.

    Raises:
      TypeError: a rate that is an array (see `spatial_dropout`).
      ValueError: a rate outside [0, 1), or one that rounds away at 8 bits.

    Example:
      >>> import jax
      >>> from noisejax import noise
      >>> scheme = noise.SpatialDropout(0.5)
      >>> scheme.sample(jax.random.key(0), (8, 32, 32, 64)).mask.shape
      (8, 1, 1, 64)

    Reference:
      Tompson et al., "Efficient object localization using convolutional networks",
      CVPR 2015.
    """

    rate: float
    bits: int = 32
    batch_dims: int = 1
    scale: bool = True

    function: ClassVar[str] = "spatial_dropout"

    def __post_init__(self):
        super().__post_init__()
        check_batch_dims(self.batch_dims)

    def mask_shape(self, shape):
        return share(shape, tuple(range(self.batch_dims, len(shape) - 1)))


def spatial_dropout(
    key: Key,
    x: Float[Array, "*shape"],
    *,
    rate: Rate,
    bits: int = 32,
    batch_dims: int = 1,
) -> Float[Array, "*shape"]:
    """Drops whole feature maps of `x`: `apply(x, SpatialDropout(...).sample(...))`.

    Args:
      key: typed or raw PRNG key. Consumed.
      x: floating array, channels last, e.g. [B, H, W, C].
      rate: probability of a map's being dropped, in [0, 1), as in `dropout`.
      bits: random bits per feature map, 32 or 8.
      batch_dims: how many leading axes have masks of their own.

    Returns:
      Noisy x: its shape, its dtype.

    Raises:
      TypeError, ValueError: as `dropout`.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import noise
      >>> x = jnp.ones((1, 2, 2, 3))
      >>> noise.spatial_dropout(jax.random.key(0), x, rate=0.5)[0, :, :, 2]
      Array([[2., 2.],
             [2., 2.]], dtype=float32)
    """
    scheme = SpatialDropout(0.0, bits, batch_dims)
    return apply_scheme(key, x, scheme, level=rate)

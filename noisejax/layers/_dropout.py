"""Layers that drop units, feature maps or paths."""

from collections.abc import Sequence
from typing import ClassVar

from flax import linen as nn

from noisejax import noise
from noisejax.layers._base import NoiseLayer
from noisejax.layers._levels import Schedule


class Dropout(NoiseLayer):
    """Dropout, in the place of `flax.linen.Dropout`: same arguments, same masks.

    Faster on a CPU; its samples can be recorded and replayed (see `Noise`), its rate
    may be traced or a schedule of the step.

    Attributes:
      rate: probability of being dropped, in [0, 1]: a number, a traced one, or a
        schedule of the step. At 1 everything is dropped.
      broadcast_dims: axes along which the mask is shared.
      deterministic: True: no noise. Given here or in the call.
      rng_collection: the key collection to draw from.
      bits: random bits per unit: 32 (Flax's masks), or 8 (a quarter of the numbers).
      scale: False leaves kept units as they are.

    Raises:
      TypeError: a rate that is no number.
      ValueError: a rate outside [0, 1], or one that rounds away at 8 bits.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import layers
      >>> layer = layers.Dropout(0.5, deterministic=False)
      >>> layer.apply({}, jnp.ones((2, 3)), rngs={"dropout": jax.random.key(0)})
      Array([[0., 2., 2.],
             [0., 0., 0.]], dtype=float32)
    """

    scheme_type: ClassVar[type[noise.Scheme]] = noise.Dropout

    rate: float | Schedule
    broadcast_dims: Sequence[int] = ()
    deterministic: bool | None = None
    rng_collection: str = "dropout"
    bits: int = 32
    scale: bool = True

    @nn.nowrap
    def make_scheme(self) -> noise.Scheme:
        """The scheme that draws this layer's samples."""
        if self.drops_everything():  # no sample is drawn
            return noise.Dropout(0.0, self.bits, self.broadcast_dims)
        return super().make_scheme()

    @nn.nowrap
    def drops_everything(self) -> bool:
        """Whether the rate is 1."""
        return self.override() is None and self.rate == 1


class RandomDropout(NoiseLayer):
    """Random dropout: the noise level is drawn too (Bouthillier et al. 2015, eq. 10).

    Attributes:
      rate: the largest noise level, in [0, 1): a number, a traced one, or a schedule of
        the step.
      batch_dims: leading axes that have a level each; 0: one level for the batch.
      broadcast_dims: axes along which the mask is shared.
      deterministic: True: no noise. Given here or in the call.
      rng_collection: the key collection to draw from.
      bits: random bits per unit, 32 or 8.
      scale: False leaves kept units as they are.

    Raises:
      TypeError: a rate that is no number.
      ValueError: a rate outside [0, 1).

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import layers
      >>> layer = layers.RandomDropout(0.5, deterministic=False)
      >>> layer.apply({}, jnp.ones((2, 3)), rngs={"dropout": jax.random.key(0)}).shape
      (2, 3)
    """

    scheme_type: ClassVar[type[noise.Scheme]] = noise.RandomDropout

    rate: float | Schedule
    batch_dims: int = 1
    broadcast_dims: Sequence[int] = ()
    deterministic: bool | None = None
    rng_collection: str = "dropout"
    bits: int = 32
    scale: bool = True


class SpatialDropout(NoiseLayer):
    """Spatial dropout: whole feature maps are dropped; channels last.

    Attributes:
      rate: probability of a map's being dropped, in [0, 1): a number, a traced one, or
        a schedule of the step.
      batch_dims: how many leading axes have masks of their own.
      deterministic: True: no noise. Given here or in the call.
      rng_collection: the key collection to draw from.
      bits: random bits per map, 32 or 8.
      scale: False leaves kept maps as they are.

    Raises:
      TypeError: a rate that is no number.
      ValueError: a rate outside [0, 1), or one that rounds away at 8 bits.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import layers
      >>> layer = layers.SpatialDropout(0.5, deterministic=False)
      >>> x, key = jnp.ones((1, 2, 2, 3)), jax.random.key(0)
      >>> layer.apply({}, x, rngs={"dropout": key}).shape
      (1, 2, 2, 3)
    """

    scheme_type: ClassVar[type[noise.Scheme]] = noise.SpatialDropout

    rate: float | Schedule
    batch_dims: int = 1
    deterministic: bool | None = None
    rng_collection: str = "dropout"
    bits: int = 32
    scale: bool = True


class DropPath(NoiseLayer):
    """Drop path (stochastic depth): a residual branch is dropped, per example.

    Attributes:
      rate: probability of the branch's being dropped, in [0, 1): a number, a traced
        one, or a schedule of the step.
      batch_dims: leading axes that have a bit each.
      deterministic: True: no noise. Given here or in the call.
      rng_collection: the key collection to draw from.
      bits: random bits per example, 32 or 8.
      scale: False leaves kept branches as they are.

    Raises:
      TypeError: a rate that is no number.
      ValueError: a rate outside [0, 1), or one that rounds away at 8 bits.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import layers
      >>> branch, key = jnp.ones((3, 2)), jax.random.key(0)
      >>> layer = layers.DropPath(0.5, deterministic=False)
      >>> layer.apply({}, branch, rngs={"dropout": key}).shape
      (3, 2)
    """

    scheme_type: ClassVar[type[noise.Scheme]] = noise.DropPath

    rate: float | Schedule
    batch_dims: int = 1
    deterministic: bool | None = None
    rng_collection: str = "dropout"
    bits: int = 32
    scale: bool = True

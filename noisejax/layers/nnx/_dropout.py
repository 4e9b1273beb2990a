"""NNX layers that drop units, feature maps or paths."""

from collections.abc import Sequence

import jax
from flax import nnx

from noisejax import noise
from noisejax.layers._levels import Schedule, override_level, own_level
from noisejax.layers.nnx._base import NoiseLayer, Rngs


class Dropout(NoiseLayer):
    """Dropout, in the place of `flax.nnx.Dropout`: same arguments, same masks.

    Faster on a CPU; it applies a sample that it is handed, its rate may be an array or
    a schedule of the step.

    Args:
      rate: probability of being dropped, in [0, 1]: a number, an array, or a schedule
        of the step. At 1 everything is dropped.
      broadcast_dims: axes along which the mask is shared.
      deterministic: True: no noise. `model.train()` and `.eval()` set it.
      rng_collection: the stream of keys to draw from.
      rngs: the streams; the layer forks its own.
      bits: random bits per unit: 32 (Flax's masks), or 8 (a quarter of the numbers).
      scale: False leaves kept units as they are.

    Raises:
      TypeError: a rate that is no number; `rngs` of another type.
      ValueError: a rate outside [0, 1], or one that rounds away at 8 bits.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from noisejax.layers import nnx as layers
      >>> layer = layers.Dropout(0.5, rngs=nnx.Rngs(0))
      >>> layer(jnp.ones((2, 3))).shape
      (2, 3)
    """

    def __init__(
        self,
        rate: float | jax.Array | Schedule,
        *,
        broadcast_dims: Sequence[int] = (),
        deterministic: bool | None = False,
        rng_collection: str = "dropout",
        rngs: Rngs | None = None,
        bits: int = 32,
        scale: bool = True,
    ):
        everything = override_level(rate) is None and rate == 1
        known = 0.0 if everything else own_level(rate)
        scheme = noise.Dropout(known, bits, broadcast_dims, scale)
        super().__init__(scheme, rate, deterministic, rng_collection, rngs)
        self.everything = everything
        self.rate = nnx.data(rate) if isinstance(rate, jax.Array) else rate
        self.broadcast_dims = scheme.broadcast_dims

    def _drops_everything(self) -> bool:
        """Whether the rate is 1."""
        return self.everything


class RandomDropout(NoiseLayer):
    """Random dropout: the noise level is drawn too (Bouthillier et al. 2015, eq. 10).

    Args:
      rate: the largest noise level, in [0, 1): a number, an array, or a schedule of the
        step.
      batch_dims: leading axes that have a level each; 0: one level for the batch.
      broadcast_dims: axes along which the mask is shared.
      deterministic: True: no noise.
      rng_collection: the stream of keys to draw from.
      rngs: the streams; the layer forks its own.
      bits: random bits per unit, 32 or 8.
      scale: False leaves kept units as they are.

    Raises:
      TypeError: a rate that is no number; `rngs` of another type.
      ValueError: a rate outside [0, 1).

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from noisejax.layers import nnx as layers
      >>> layers.RandomDropout(0.5, rngs=nnx.Rngs(0))(jnp.ones((2, 3))).shape
      (2, 3)
    """

    def __init__(
        self,
        rate: float | jax.Array | Schedule,
        *,
        batch_dims: int = 1,
        broadcast_dims: Sequence[int] = (),
        deterministic: bool | None = False,
        rng_collection: str = "dropout",
        rngs: Rngs | None = None,
        bits: int = 32,
        scale: bool = True,
    ):
        scheme = noise.RandomDropout(
            own_level(rate), bits, batch_dims, scale, broadcast_dims
        )
        super().__init__(scheme, rate, deterministic, rng_collection, rngs)


class SpatialDropout(NoiseLayer):
    """Spatial dropout: whole feature maps are dropped; channels last.

    Args:
      rate: probability of a map's being dropped, in [0, 1): a number, an array, or a
        schedule of the step.
      batch_dims: how many leading axes have masks of their own.
      deterministic: True: no noise.
      rng_collection: the stream of keys to draw from.
      rngs: the streams; the layer forks its own.
      bits: random bits per map, 32 or 8.
      scale: False leaves kept maps as they are.

    Raises:
      TypeError: a rate that is no number; `rngs` of another type.
      ValueError: a rate outside [0, 1), or one that rounds away at 8 bits.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from noisejax.layers import nnx as layers
      >>> layers.SpatialDropout(0.5, rngs=nnx.Rngs(0))(jnp.ones((2, 4, 4, 3))).shape
      (2, 4, 4, 3)
    """

    def __init__(
        self,
        rate: float | jax.Array | Schedule,
        *,
        batch_dims: int = 1,
        deterministic: bool | None = False,
        rng_collection: str = "dropout",
        rngs: Rngs | None = None,
        bits: int = 32,
        scale: bool = True,
    ):
        scheme = noise.SpatialDropout(own_level(rate), bits, batch_dims, scale)
        super().__init__(scheme, rate, deterministic, rng_collection, rngs)


class DropPath(NoiseLayer):
    """Drop path (stochastic depth): a residual branch is dropped, per example.

    Args:
      rate: probability of the branch's being dropped, in [0, 1): a number, an array, or
        a schedule of the step.
      batch_dims: leading axes that have a bit each.
      deterministic: True: no noise.
      rng_collection: the stream of keys to draw from.
      rngs: the streams; the layer forks its own.
      bits: random bits per example, 32 or 8.
      scale: False leaves kept branches as they are.

    Raises:
      TypeError: a rate that is no number; `rngs` of another type.
      ValueError: a rate outside [0, 1), or one that rounds away at 8 bits.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from noisejax.layers import nnx as layers
      >>> layers.DropPath(0.5, rngs=nnx.Rngs(0))(jnp.ones((3, 2))).shape
      (3, 2)
    """

    def __init__(
        self,
        rate: float | jax.Array | Schedule,
        *,
        batch_dims: int = 1,
        deterministic: bool | None = False,
        rng_collection: str = "dropout",
        rngs: Rngs | None = None,
        bits: int = 32,
        scale: bool = True,
    ):
        scheme = noise.DropPath(own_level(rate), bits, batch_dims, scale)
        super().__init__(scheme, rate, deterministic, rng_collection, rngs)

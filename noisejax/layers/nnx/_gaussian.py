"""NNX layers of Gaussian noise, multiplied and added."""

from collections.abc import Sequence

import jax

from noisejax import noise
from noisejax.layers._levels import Schedule, own_level
from noisejax.layers.nnx._base import NoiseLayer, Rngs


class GaussianDropout(NoiseLayer):
    """Gaussian dropout: multiplies by N(1, rate / (1 - rate)).

    Args:
      rate: of the dropout that it matches, in [0, 1): a number, an array, or a schedule
        of the step.
      broadcast_dims: axes along which the noise is shared.
      deterministic: True: no noise.
      rng_collection: the stream of keys to draw from.
      rngs: the streams; the layer forks its own.

    Raises:
      TypeError: a rate that is no number; `rngs` of another type.
      ValueError: a rate outside [0, 1).

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from noisejax.layers import nnx as layers
      >>> layers.GaussianDropout(0.5, rngs=nnx.Rngs(0))(jnp.ones((2, 3))).shape
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
    ):
        scheme = noise.GaussianDropout(own_level(rate), broadcast_dims)
        super().__init__(scheme, rate, deterministic, rng_collection, rngs)


class GaussianNoise(NoiseLayer):
    """Adds Gaussian noise, N(0, stddev²).

    Args:
      stddev: standard deviation in the input's units, 0 or more: a number, an array, or
        a schedule of the step.
      broadcast_dims: axes along which the noise is shared.
      deterministic: True: no noise.
      rng_collection: the stream of keys to draw from.
      rngs: the streams; the layer forks its own.

    Raises:
      TypeError: a standard deviation that is no number; `rngs` of another type.
      ValueError: one that is negative or not finite.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from noisejax.layers import nnx as layers
      >>> layers.GaussianNoise(0.1, rngs=nnx.Rngs(0))(jnp.ones((2, 3))).shape
      (2, 3)
    """

    def __init__(
        self,
        stddev: float | jax.Array | Schedule,
        *,
        broadcast_dims: Sequence[int] = (),
        deterministic: bool | None = False,
        rng_collection: str = "dropout",
        rngs: Rngs | None = None,
    ):
        scheme = noise.GaussianNoise(own_level(stddev), broadcast_dims)
        super().__init__(scheme, stddev, deterministic, rng_collection, rngs)

"""Layers of Gaussian noise, multiplied and added."""

from collections.abc import Sequence
from typing import ClassVar

from noisejax import noise
from noisejax.layers._base import NoiseLayer
from noisejax.layers._levels import Schedule


class GaussianDropout(NoiseLayer):
    """Gaussian dropout: multiplies by N(1, rate / (1 - rate)).

    Attributes:
      rate: of the dropout that it matches, in [0, 1): a number, a traced one, or a
        schedule of the step.
      broadcast_dims: axes along which the noise is shared.
      deterministic: True: no noise. Given here or in the call.
      rng_collection: the key collection to draw from.

    Raises:
      TypeError: a rate that is no number.
      ValueError: a rate outside [0, 1).

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import layers
      >>> layer = layers.GaussianDropout(0.5, deterministic=False)
      >>> layer.apply({}, jnp.ones((2, 3)), rngs={"dropout": jax.random.key(0)}).shape
      (2, 3)
    """

    scheme_type: ClassVar[type[noise.Scheme]] = noise.GaussianDropout

    rate: float | Schedule
    broadcast_dims: Sequence[int] = ()
    deterministic: bool | None = None
    rng_collection: str = "dropout"


class GaussianNoise(NoiseLayer):
    """Adds Gaussian noise, N(0, stddev²).

    Attributes:
      stddev: standard deviation in the input's units, 0 or more: a number, a traced
        one, or a schedule of the step.
      broadcast_dims: axes along which the noise is shared.
      deterministic: True: no noise. Given here or in the call.
      rng_collection: the key collection to draw from.

    Raises:
      TypeError: a standard deviation that is no number.
      ValueError: one that is negative or not finite.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import layers
      >>> layer = layers.GaussianNoise(0.1, deterministic=False)
      >>> layer.apply({}, jnp.ones((2, 3)), rngs={"dropout": jax.random.key(0)}).shape
      (2, 3)
    """

    scheme_type: ClassVar[type[noise.Scheme]] = noise.GaussianNoise

    stddev: float | Schedule
    broadcast_dims: Sequence[int] = ()
    deterministic: bool | None = None
    rng_collection: str = "dropout"

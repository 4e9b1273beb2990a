"""Gaussian noise: multiplied (Gaussian dropout) and added."""

import dataclasses
import math
from collections.abc import Sequence

import jax
import numpy as np
from jax import numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from noisejax.noise._checks import (
    Key,
    Rate,
    Shape,
    as_key,
    check_rate,
    check_stddev,
    share,
)
from noisejax.noise._random_bits import OutSharding, draw_normal
from noisejax.noise._sample import FactorSample, OffsetSample, Scheme, apply_scheme


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class GaussianDropout(Scheme):
    """Gaussian dropout:  ã = ξ ⊙ a,  ξ ~ N(1, rate / (1 - rate)) per unit.

    Arguments: see `gaussian_dropout`.

    Attributes:
      broadcast_dims: axes along which the noise is shared.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import noise
      >>> sample = noise.GaussianDropout(0.5).sample(jax.random.key(0), (100_000,))
      >>> float(jnp.var(sample.factor).round(2))
      1.0
    """

    rate: float
    broadcast_dims: Sequence[int] = ()

    @property
    def level(self) -> float:
        return self.rate

    def sample(
        self,
        key: Key,
        shape: Shape,
        dtype: DTypeLike = jnp.float32,
        out_sharding: OutSharding = None,
        *,
        level: Rate | None = None,
    ) -> FactorSample:
        key, shape = as_key(key), share(tuple(shape), tuple(self.broadcast_dims))
        rate = self.rate if level is None else check_rate(level, shape)
        normal = draw_normal(key, shape, out_sharding)
        if isinstance(rate, float):
            factor = np.float32(1) + normal * np.float32(math.sqrt(rate / (1 - rate)))
        else:
            safe = jnp.where(rate < 1, jnp.maximum(rate, 0), 0)
            factor = np.float32(1) + normal * jnp.sqrt(safe / (np.float32(1) - safe))
            factor = jnp.where(rate < 1, factor, np.float32(0))
        return FactorSample(factor.astype(dtype))


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class GaussianNoise(Scheme):
    """Additive Gaussian noise:  ã = a + ε,  ε ~ N(0, stddev²) per unit.

    Arguments: see `gaussian_noise`.

    Attributes:
      broadcast_dims: axes along which the noise is shared.

    Example:
      >>> import jax
      >>> from noisejax import noise
      >>> noise.GaussianNoise(0.1).sample(jax.random.key(0), (2, 3)).offset.shape
      (2, 3)
    """

    stddev: float
    broadcast_dims: Sequence[int] = ()

    @property
    def level(self) -> float:
        return self.stddev

    def sample(
        self,
        key: Key,
        shape: Shape,
        dtype: DTypeLike = jnp.float32,
        out_sharding: OutSharding = None,
        *,
        level: Rate | None = None,
    ) -> OffsetSample:
        key, shape = as_key(key), share(tuple(shape), tuple(self.broadcast_dims))
        stddev = self.stddev if level is None else check_stddev(level, shape)
        normal = draw_normal(key, shape, out_sharding)
        return OffsetSample((normal * stddev).astype(dtype))


def gaussian_dropout(
    key: Key, x: Float[Array, "*shape"], *, rate: Rate
) -> Float[Array, "*shape"]:
    """Apply Gaussian dropout:  ã = ξ ⊙ a,  ξ ~ N(1, rate / (1 - rate)) per unit.

    The noise has the mean and variance of the scaled dropout mask at the same rate. The
    function is equivalent to `apply(x, GaussianDropout(...).sample(...))`.

    Args:
      key: PRNG key, typed or raw. Do not reuse it.
      x: floating array, any shape.
      rate: rate of the dropout with the same mean and variance, as in `dropout`.

    Returns:
      Noisy array, with the shape and dtype of x.

    Raises:
      TypeError, ValueError: as for `dropout`.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import noise
      >>> x = jnp.ones(100_000)
      >>> float(noise.gaussian_dropout(jax.random.key(0), x, rate=0.2).std().round(2))
      0.5

    Reference:
      Srivastava et al., "Dropout: a simple way to prevent neural networks from
      overfitting", JMLR 15, 2014, section 10.
    """
    return apply_scheme(key, x, GaussianDropout(0.0), rate)


def gaussian_noise(
    key: Key, x: Float[Array, "*shape"], *, stddev: Rate
) -> Float[Array, "*shape"]:
    """Add Gaussian noise:  ã = a + ε,  ε ~ N(0, stddev²) per unit.

    The function is equivalent to `apply(x, GaussianNoise(...).sample(...))`.

    Args:
      key: PRNG key, typed or raw. Do not reuse it.
      x: floating array, any shape.
      stddev: standard deviation in the units of x, 0 or more: a Python float, a scalar
        array, or an array with the rank of x that broadcasts to x.

    Returns:
      Noisy array, with the shape and dtype of x.

    Raises:
      TypeError: `key` is not a key, `x` is not floating, or `stddev` is not a number.
      ValueError: a Python or NumPy `stddev` is negative or not finite, or the shape of
        `stddev` does not broadcast to x.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import noise
      >>> x = jnp.zeros(100_000)
      >>> float(noise.gaussian_noise(jax.random.key(0), x, stddev=3.0).std().round(1))
      3.0

    Reference:
      Bishop, "Training with noise is equivalent to Tikhonov regularization", Neural
      Computation 7, 1995.
    """
    return apply_scheme(key, x, GaussianNoise(0.0), stddev)

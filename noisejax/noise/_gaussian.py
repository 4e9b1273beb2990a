"""Gaussian noise: multiplied (Gaussian dropout) and added."""

import dataclasses
import math
from collections.abc import Sequence

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax.noise._keys import Key
from noisejax.noise._levels import Rate, check_rate, check_stddev
from noisejax.noise._normal import standard_normal
from noisejax.noise._sample import FactorSample, OffsetSample
from noisejax.noise._scheme import Scheme, apply_scheme, own_level
from noisejax.noise._shapes import check_axes, share


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class GaussianDropout(Scheme):
    """Gaussian dropout:  ã = ξ ⊙ a,  ξ ~ N(1, rate / (1 - rate)) per unit.

    The mean and variance of dropout's scaled mask at the same rate.

    Attributes:
      rate: of the dropout that it matches, in [0, 1).
      broadcast_dims: axes along which the noise is shared.

    Raises:
      TypeError: a rate that is an array (see `gaussian_dropout`).
      ValueError: a rate outside [0, 1).

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import noise
      >>> sample = noise.GaussianDropout(0.5).sample(jax.random.key(0), (100_000,))
      >>> float(jnp.var(sample.factor).round(2))
      1.0

    Reference:
      Srivastava et al., "Dropout: a simple way to prevent neural networks from
      overfitting", JMLR 15, 2014, section 10.
    """

    rate: float
    broadcast_dims: Sequence[int] = ()

    def __post_init__(self):
        rate = own_level(
            self.rate, check_rate, name="rate", function="gaussian_dropout"
        )
        object.__setattr__(self, "rate", rate)
        axes = check_axes(self.broadcast_dims, name="broadcast_dims")
        object.__setattr__(self, "broadcast_dims", axes)

    @property
    def level(self) -> float:
        return self.rate

    def sample(
        self, key, shape, dtype=jnp.float32, out_sharding=None, *, level=None
    ) -> FactorSample:
        shape = share(shape, self.broadcast_dims)
        rate = check_rate(self.rate if level is None else level, shape)
        normal = standard_normal(key, shape, out_sharding=out_sharding)
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

    Attributes:
      stddev: standard deviation, in the units of what it is added to; 0 or more.
      broadcast_dims: axes along which the noise is shared.

    Raises:
      TypeError: a standard deviation that is an array (see `gaussian_noise`).
      ValueError: one that is negative or not finite.

    Example:
      >>> import jax
      >>> from noisejax import noise
      >>> noise.GaussianNoise(0.1).sample(jax.random.key(0), (2, 3)).offset.shape
      (2, 3)

    Reference:
      Bishop, "Training with noise is equivalent to Tikhonov regularization", Neural
      Computation 7, 1995.
    """

    stddev: float
    broadcast_dims: Sequence[int] = ()

    def __post_init__(self):
        stddev = own_level(
            self.stddev, check_stddev, name="stddev", function="gaussian_noise"
        )
        object.__setattr__(self, "stddev", stddev)
        axes = check_axes(self.broadcast_dims, name="broadcast_dims")
        object.__setattr__(self, "broadcast_dims", axes)

    @property
    def level(self) -> float:
        return self.stddev

    def sample(
        self, key, shape, dtype=jnp.float32, out_sharding=None, *, level=None
    ) -> OffsetSample:
        shape = share(shape, self.broadcast_dims)
        stddev = check_stddev(self.stddev if level is None else level, shape)
        normal = standard_normal(key, shape, out_sharding=out_sharding)
        return OffsetSample((normal * stddev).astype(dtype))


def gaussian_dropout(
    key: Key, x: Float[Array, "*shape"], *, rate: Rate
) -> Float[Array, "*shape"]:
    """Gaussian dropout of `x`: `apply(x, GaussianDropout(...).sample(...))`.

    Args:
      key: typed or raw PRNG key. Consumed.
      x: floating array, any shape.
      rate: of the dropout whose mean and variance it has, in [0, 1), as in `dropout`.

    Returns:
      Noisy x: its shape, its dtype.

    Raises:
      TypeError, ValueError: as `dropout`.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import noise
      >>> x = jnp.ones(100_000)
      >>> float(noise.gaussian_dropout(jax.random.key(0), x, rate=0.2).std().round(2))
      0.5
    """
    return apply_scheme(key, x, GaussianDropout(0.0), level=rate)


def gaussian_noise(
    key: Key, x: Float[Array, "*shape"], *, stddev: Rate
) -> Float[Array, "*shape"]:
    """Adds Gaussian noise to `x`: `apply(x, GaussianNoise(...).sample(...))`.

    Args:
      key: typed or raw PRNG key. Consumed.
      x: floating array, any shape.
      stddev: standard deviation in x's units, 0 or more: a Python float, a scalar
        array, or an array of x's rank that broadcasts to x.

    Returns:
      Noisy x: its shape, its dtype.

    Raises:
      TypeError: `key` is no key, `x` not floating, `stddev` no number.
      ValueError: a Python or NumPy `stddev` that is negative or not finite, or one of
        another shape.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import noise
      >>> x = jnp.zeros(100_000)
      >>> float(noise.gaussian_noise(jax.random.key(0), x, stddev=3.0).std().round(1))
      3.0
    """
    return apply_scheme(key, x, GaussianNoise(0.0), level=stddev)

"""What every noise scheme is: a hashable description that draws samples."""

import abc

import jax
import numpy as np
from jax import numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from noisejax._floating import check_floating
from noisejax.noise._keys import Key
from noisejax.noise._levels import Rate
from noisejax.noise._mask import Shape
from noisejax.noise._sample import Sample, apply
from noisejax.noise._sharding import OutSharding, sharding_of


class Scheme(abc.ABC):
    """A kind of noise and its level: frozen, hashable, a pytree without leaves.

    A scheme's own level is a Python float, checked when the scheme is made. A level
    that is an array, or changes while training, is passed to `sample`.
    """

    @property
    @abc.abstractmethod
    def level(self) -> float:
        """The scheme's own rate, or standard deviation; at 0 it makes no noise."""

    @abc.abstractmethod
    def sample(
        self,
        key: Key,
        shape: Shape,
        dtype: DTypeLike = jnp.float32,
        out_sharding: OutSharding = None,
        *,
        level: Rate | None = None,
    ) -> Sample:
        """Draws a noise sample for an array.

        Args:
          key: typed or raw PRNG key. Consumed.
          shape: of the array that the sample is for.
          dtype: of that array. Masks and scales do not depend on it.
          out_sharding: how that array lies over a mesh (a NamedSharding, or a
            PartitionSpec for the mesh in context).
          level: in place of the scheme's own rate (or standard deviation): a traced
            number such as `schedule(step)`, or an array that broadcasts to `shape`.

        Returns:
          A sample: array leaves of the rank of `shape`, of size 1 where shared.

        Raises:
          TypeError: `key` is no key, `level` no number.
          ValueError: `level` out of range or of another shape.
        """


def own_level(level: float, check, *, name: str, function: str) -> float:
    """Returns a scheme's own level as a Python float; arrays belong elsewhere."""
    if isinstance(level, jax.Array) or np.ndim(level):
        raise TypeError(
            f"a scheme's own {name} is a Python float, got an array of shape "
            f"{np.shape(level)}; pass an array or a traced {name} to "
            f"noise.{function}(key, x, {name}=...) or to scheme.sample(level=...)"
        )
    return check(level)


def sample_like(
    key: Key, x: Float[Array, "..."], scheme: Scheme, *, level: Rate | None = None
) -> Sample:
    """Draws a sample for `x`: of its shape and dtype, lying over a mesh as `x` does.

    Args:
      key: typed or raw PRNG key. Consumed.
      x: floating array, any shape.
      scheme: of the noise.
      level: in place of the scheme's own rate (or standard deviation).

    Returns:
      The sample, for `apply(x, sample)`.

    Raises:
      TypeError: `key` is no key, `x` not floating, `scheme` none, `level` no number.
      ValueError: `level` out of range or of another shape.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import noise
      >>> x = jnp.ones((2, 3))
      >>> sample = noise.sample_like(jax.random.key(0), x, noise.Dropout(0.5))
      >>> noise.apply(x, sample)
      Array([[0., 0., 2.],
             [2., 0., 2.]], dtype=float32)
    """
    x = check_floating(x)
    if not isinstance(scheme, Scheme):
        raise TypeError(
            f"scheme must be a noise scheme such as noise.Dropout(0.5), got {scheme!r}"
        )
    return scheme.sample(key, x.shape, x.dtype, sharding_of(x), level=level)


def apply_scheme(
    key: Key, x: Float[Array, "*shape"], scheme: Scheme, *, level: Rate
) -> Float[Array, "*shape"]:
    """Draws and applies: what the functions of x do."""
    if level is None:
        raise TypeError("the noise level must be a number, got None")
    return apply(x, sample_like(key, x, scheme, level=level))

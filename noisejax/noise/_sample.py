"""A noise sample is a value: a scheme draws it from a key, `apply` applies it.

The array leaves of a sample have the rank of the array that it is applied to, with axes
of size 1 where the noise is shared. So S samples stack, map and fold into a batch. A
static value (a scale that follows from a Python rate) is not a leaf.
"""

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from jax.core import Tracer
from jax.typing import ArrayLike, DTypeLike
from jaxtyping import Array, Bool, Float

from noisejax._floating import at_least_float32, check_floating
from noisejax.noise._checks import (
    Key,
    Rate,
    Shape,
    as_key,
    broadcasts,
    check_axes,
    check_batch_dims,
    check_bits,
    check_rate,
    own_rate,
    own_stddev,
)
from noisejax.noise._counting import COUNT
from noisejax.noise._random_bits import OutSharding, inverse_scale, sharding_of


class Sample(abc.ABC):
    """One drawn noise: a pytree. Apply it with `apply(x, sample)`."""

    @abc.abstractmethod
    def _noisy(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The noisy `x`, in its dtype or a wider one."""


@jax.tree_util.register_pytree_with_keys_class
@dataclasses.dataclass(frozen=True, eq=False)
class MaskSample(Sample):
    """A mask with its scale: x ↦ m·x·scale, and 0 where m = 0, even if x is infinite.

    Attributes:
      mask: bool, True = kept; has the rank of x, with axes of x or of size 1.
      scale: factor of kept units. A Python float is static; an array (of the rank of
        x, with axes of x or of size 1) is a leaf.
    """

    mask: Bool[Array, "..."]
    scale: float | Float[Array, "..."]

    def _noisy(self, x):
        if not isinstance(self.scale, float) or self.scale != 1:
            # No product with 1, since XLA flushes subnormal numbers when it multiplies.
            x = x.astype(at_least_float32(x.dtype))
            x = x * jnp.asarray(self.scale, x.dtype)
        return jnp.where(self.mask, x, jnp.zeros((), x.dtype))

    def tree_flatten_with_keys(self) -> tuple[tuple[Any, ...], float | None]:
        mask = (jax.tree_util.GetAttrKey("mask"), self.mask)
        if isinstance(self.scale, float):
            return (mask,), self.scale
        return (mask, (jax.tree_util.GetAttrKey("scale"), self.scale)), None

    @classmethod
    def tree_unflatten(
        cls, static_scale: float | None, leaves: Sequence[Any]
    ) -> "MaskSample":
        return cls(*leaves) if static_scale is None else cls(leaves[0], static_scale)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class FactorSample(Sample):
    """Multiplicative noise: x ↦ factor·x.

    Attributes:
      factor: array of the rank of x, with axes of x or of size 1.
    """

    factor: Float[Array, "..."]

    def _noisy(self, x):
        x = x.astype(at_least_float32(x.dtype))
        return x * self.factor.astype(x.dtype)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class OffsetSample(Sample):
    """Additive noise: x ↦ x + offset.

    Attributes:
      offset: array of the rank of x, with axes of x or of size 1.
    """

    offset: Float[Array, "..."]

    def _noisy(self, x):
        x = x.astype(at_least_float32(x.dtype))
        return x + self.offset.astype(x.dtype)


FIELD_CHECKS = {
    "rate": own_rate,
    "stddev": own_stddev,
    "bits": check_bits,
    "batch_dims": check_batch_dims,
    "broadcast_dims": check_axes,
}
"""Field of a scheme -> its check, which returns the value to store."""


class Scheme(abc.ABC):
    """A kind of noise and its level: frozen, hashable, a pytree without leaves.

    The level of a scheme is a Python float. A level that is an array, or that changes
    during training, is passed to `sample`. Fields named in `FIELD_CHECKS` are checked
    when a scheme is constructed.
    """

    def __post_init__(self) -> None:
        kind: Any = self  # every scheme is a dataclass, this base class is not
        for field in dataclasses.fields(kind):
            check = FIELD_CHECKS.get(field.name)
            if check is not None:
                object.__setattr__(self, field.name, check(getattr(self, field.name)))

    @property
    @abc.abstractmethod
    def level(self) -> float:
        """Rate or standard deviation of the scheme; at 0 it makes no noise."""

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
        """Draw a noise sample for an array.

        Args:
          key: typed or raw PRNG key. Consumed.
          shape: shape of the array that the sample is for.
          dtype: dtype of that array. Masks and scales do not depend on it.
          out_sharding: sharding of that array (a NamedSharding, or a PartitionSpec for
            the mesh in context).
          level: override of the scheme's rate (or standard deviation): a traced number
            such as `schedule(step)`, or an array that broadcasts to `shape`.

        Returns:
          A sample: array leaves of the rank of `shape`, of size 1 where shared.

        Raises:
          TypeError: `key` is not a key, or `level` is not a number.
          ValueError: `level` is out of range or has another shape.
        """


def sample_like(
    key: Key, x: Float[Array, "..."], scheme: Scheme, *, level: Rate | None = None
) -> Sample:
    """Draw a sample for `x`: with its shape and dtype, and sharded like it.

    Args:
      key: typed or raw PRNG key. Consumed.
      x: floating array, any shape.
      scheme: noise scheme.
      level: override of the scheme's rate (or standard deviation).

    Returns:
      The sample, for `apply(x, sample)`.

    Raises:
      TypeError: `key` is not a key, `x` is not floating, `scheme` is not a scheme, or
        `level` is not a number.
      ValueError: `level` is out of range or has another shape.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import noise
      >>> x = jnp.ones((2, 3))
      >>> sample = noise.sample_like(jax.random.key(0), x, noise.Dropout(0.5))
      >>> noise.apply(x, sample)
      Array([[0., 0., 2.],
             [2., 0., 2.]], dtype=float32)
    """
    key, x = as_key(key), check_floating(x)
    if not isinstance(scheme, Scheme):
        raise TypeError(
            f"scheme must be a noise scheme such as noise.Dropout(0.5), got {scheme!r}"
        )
    return scheme.sample(key, x.shape, x.dtype, sharding_of(x), level=level)


def apply(x: Float[Array, "*shape"], sample: Sample) -> Float[Array, "*shape"]:
    """Apply a noise sample: pure, differentiable, without randomness.

    Half-precision inputs are scaled in float32 and rounded once, so that the mean of
    the noise stays exact.

    Args:
      x: floating array, any shape.
      sample: noise sample that a scheme drew for the shape of x, or `mask_sample` made.

    Returns:
      The noisy x: its shape, its dtype.

    Raises:
      TypeError: `x` is not floating, or `sample` is not a sample.
      ValueError: `sample` was drawn for another shape.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import noise
      >>> sample = noise.mask_sample(jnp.array([True, False, True]), rate=0.5)
      >>> noise.apply(jnp.array([1.0, 2.0, 3.0]), sample)
      Array([2., 0., 6.], dtype=float32)
    """
    x = check_floating(x)
    if not isinstance(sample, Sample):
        raise TypeError(
            "sample must be a noise sample (scheme.sample(key, x.shape), or "
            f"noise.mask_sample(mask)), got {type(sample).__name__}"
        )
    for path, leaf in jax.tree_util.tree_leaves_with_path(sample):
        shape = np.shape(leaf)
        if not broadcasts(shape, x.shape):
            raise ValueError(
                f"a sample's axes must be those of x, {x.shape}, or 1 where the "
                f"noise is shared; {type(sample).__name__}"
                f"{jax.tree_util.keystr(path)} has shape {shape}: draw it with "
                f"scheme.sample(key, {x.shape})"
            )
    count = COUNT.get()
    if count is not None:
        count.applied += 1
    return sample._noisy(x).astype(x.dtype)


def apply_scheme(
    key: Key, x: Float[Array, "*shape"], scheme: Scheme, level: Rate
) -> Float[Array, "*shape"]:
    """Draw and apply a sample: the body of the functions of x."""
    if level is None:
        raise TypeError("the noise level must be a number, got None")
    return apply(x, sample_like(key, x, scheme, level=level))


def mask_sample(mask: ArrayLike | Sequence[Any], *, rate: Rate = 0.0) -> MaskSample:
    """Make a sample from a mask written by hand.

    Args:
      mask: array of the rank of x; 1 or True keeps, 0 or False drops.
      rate: rate whose scale, 1 / (1 - rate), kept units get; 0 does not scale.

    Returns:
      The sample, for `apply`.

    Raises:
      ValueError: `mask` has values other than 0 and 1 (traced values are not checked:
        all but 0 keep), or `rate` lies outside [0, 1) or has another shape.

    Example: shut unit 2 of 4 off, leave the others as they are.
      >>> import jax.numpy as jnp
      >>> from noisejax import noise
      >>> sample = noise.mask_sample(jnp.arange(4)[None] != 2)
      >>> noise.apply(jnp.ones((2, 4)), sample)[0]
      Array([1., 1., 0., 1.], dtype=float32)
    """
    known = not isinstance(mask, Tracer)
    if known and getattr(mask, "dtype", None) != jnp.bool_:
        try:
            valid = np.isin(np.asarray(mask), (0, 1)).all()
        except (TypeError, ValueError):  # ragged, or without numbers
            valid = False
        if not valid:
            raise ValueError(f"mask must hold 0 (drop) and 1 (keep) only, got {mask!r}")
    mask = jnp.asarray(mask).astype(bool)
    return MaskSample(mask, inverse_scale(check_rate(rate, mask.shape), bits=32))

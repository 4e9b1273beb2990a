"""Noise schemes, and the samples that they draw.

A sample is a pytree. Its array leaves have the rank of the noisy array, with size 1
along each axis that shares the noise. Samples can therefore be stacked, mapped with
`jax.vmap`, and folded into a batch. Static values, such as the scale for a Python rate,
are not leaves.
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
    scheme_rate,
    scheme_stddev,
)
from noisejax.noise._counting import COUNT
from noisejax.noise._random_bits import OutSharding, inverse_scale, sharding_of


class Sample(abc.ABC):
    """Noise that was drawn for one array, a pytree. See `apply`."""

    @abc.abstractmethod
    def _noisy(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Return the noisy `x` in the dtype of `x` or a wider one."""


@jax.tree_util.register_pytree_with_keys_class
@dataclasses.dataclass(frozen=True, eq=False)
class MaskSample(Sample):
    """Mask with a scale:  x ↦ m·x·scale.  Dropped units are 0, even if x is infinite.

    Attributes:
      mask: boolean array that broadcasts to x and has the rank of x; True keeps a unit.
      scale: factor of kept units. A Python float is static. An array, which broadcasts
        to x and has the rank of x, is a leaf.
    """

    mask: Bool[Array, "..."]
    scale: float | Float[Array, "..."]

    def _noisy(self, x):
        if not isinstance(self.scale, float) or self.scale != 1:
            # Multiplying by 1 is not the identity: XLA flushes subnormal numbers to 0.
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
      factor: array that broadcasts to x and has the rank of x.
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
      offset: array that broadcasts to x and has the rank of x.
    """

    offset: Float[Array, "..."]

    def _noisy(self, x):
        x = x.astype(at_least_float32(x.dtype))
        return x + self.offset.astype(x.dtype)


FIELD_CHECKS = {
    "rate": scheme_rate,
    "stddev": scheme_stddev,
    "bits": check_bits,
    "batch_dims": check_batch_dims,
    "broadcast_dims": check_axes,
}
"""Checks by field of a scheme. Each check returns the value to store."""


class Scheme(abc.ABC):
    """Base class of noise schemes, which draw samples.

    A scheme is frozen, hashable, and a pytree without leaves. The level of a scheme
    (its rate or standard deviation) is a Python float. Pass a level that is an array,
    or that changes during training, to `sample`.
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
        """Rate or standard deviation of the scheme. A level of 0 means no noise."""

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
          key: PRNG key, typed or raw. Do not reuse it.
          shape: shape of the array that the sample is for.
          dtype: dtype of that array. Masks and scales do not depend on the dtype.
          out_sharding: sharding of that array, a NamedSharding, or a PartitionSpec for
            the current mesh.
          level: override of the rate or standard deviation: a traced number such as
            `schedule(step)`, or an array that broadcasts to `shape`.

        Returns:
          Sample for that array.

        Raises:
          TypeError: `key` is not a key, or `level` is not a number.
          ValueError: `level` is out of range or does not broadcast to `shape`.
        """


def sample_like(
    key: Key, x: Float[Array, "..."], scheme: Scheme, *, level: Rate | None = None
) -> Sample:
    """Draw a sample with the shape, dtype and sharding of `x`.

    Args:
      key: PRNG key, typed or raw. Do not reuse it.
      x: floating array, any shape.
      scheme: noise scheme.
      level: override of the rate or standard deviation of the scheme.

    Returns:
      Sample for `apply(x, sample)`.

    Raises:
      TypeError: `key` is not a key, `x` is not floating, `scheme` is not a scheme, or
        `level` is not a number.
      ValueError: `level` is out of range or does not broadcast to x.

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
    """Apply a noise sample to an array. This function is pure and differentiable.

    Half-precision inputs are scaled in float32 and rounded once, so that the mean of
    the noise stays exact.

    Args:
      x: floating array, any shape.
      sample: noise sample for the shape of x, from a scheme or from `mask_sample`.

    Returns:
      Noisy array, with the shape and dtype of x.

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
                f"a sample's axes must be those of x, {x.shape}, or 1 if the noise is "
                f"shared; {type(sample).__name__}"
                f"{jax.tree_util.keystr(path)} has shape {shape}. To get a sample for "
                f"this shape, draw it with scheme.sample(key, {x.shape})"
            )
    count = COUNT.get()
    if count is not None:
        count.applied += 1
    return sample._noisy(x).astype(x.dtype)


def apply_scheme(
    key: Key, x: Float[Array, "*shape"], scheme: Scheme, level: Rate
) -> Float[Array, "*shape"]:
    """Draw a sample and apply it, for functions such as `dropout`."""
    if level is None:
        raise TypeError("the noise level must be a number, got None")
    return apply(x, sample_like(key, x, scheme, level=level))


def mask_sample(mask: ArrayLike | Sequence[Any], *, rate: Rate = 0.0) -> MaskSample:
    """Make a sample from a given mask.

    Args:
      mask: array with the rank of x; 1 or True keeps a unit, 0 or False drops it.
      rate: rate for the scale 1 / (1 - rate) of kept units; 0 means no scaling.

    Returns:
      Sample for `apply`.

    Raises:
      ValueError: `mask` has values other than 0 and 1, or `rate` is outside [0, 1) or
        does not broadcast to the mask. In a traced mask, any nonzero value keeps a
        unit.

    Example: switch off unit 2 of 4, and keep the others unscaled.
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

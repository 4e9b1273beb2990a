"""A noise sample is a value: all that is needed to apply it, again and again.

Its array leaves have the rank of what they are applied to, with axes of size 1 where
the noise is shared, so that S samples stack, map and fold into a batch. What is static
(a scale that follows from a Python rate) is no leaf.
"""

import abc
import dataclasses
from collections.abc import Sequence

import jax
import numpy as np
from jax import numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from noisejax._floating import at_least_float32, check_floating
from noisejax.noise._counting import note_applied
from noisejax.noise._levels import Rate, broadcasts, check_rate
from noisejax.noise._rates import inverse_scale


class Sample(abc.ABC):
    """One drawn noise: a pytree. Apply it with `apply(x, sample)`."""

    @abc.abstractmethod
    def _noisy(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The noisy `x`, in its dtype or a wider one."""


@jax.tree_util.register_pytree_with_keys_class
@dataclasses.dataclass(frozen=True, eq=False)
class MaskSample(Sample):
    """A mask with its scale: x ↦ m·x·scale, and 0 where m = 0, whatever x holds there.

    Attributes:
      mask: bool, True = kept; of x's rank, its axes x's or 1.
      scale: what kept units are multiplied by. A Python float is static, an array (of
        x's rank, its axes x's or 1) a leaf.
    """

    mask: Bool[Array, "..."]
    scale: float | Float[Array, "..."]

    def _noisy(self, x):
        if not isinstance(self.scale, float) or self.scale != 1:
            # Not by 1: XLA flushes subnormal numbers when it multiplies.
            x = _wide(x)
            x = x * jnp.asarray(self.scale, x.dtype)
        return jnp.where(self.mask, x, jnp.zeros((), x.dtype))

    def tree_flatten_with_keys(self):
        mask = (jax.tree_util.GetAttrKey("mask"), self.mask)
        if isinstance(self.scale, float):
            return (mask,), self.scale
        return (mask, (jax.tree_util.GetAttrKey("scale"), self.scale)), None

    @classmethod
    def tree_unflatten(cls, static_scale, leaves):
        return cls(*leaves) if static_scale is None else cls(*leaves, static_scale)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class FactorSample(Sample):
    """Multiplicative noise: x ↦ factor·x.

    Attributes:
      factor: of x's rank, its axes x's or 1.
    """

    factor: Float[Array, "..."]

    def _noisy(self, x):
        x = _wide(x)
        return x * self.factor.astype(x.dtype)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class OffsetSample(Sample):
    """Additive noise: x ↦ x + offset.

    Attributes:
      offset: of x's rank, its axes x's or 1.
    """

    offset: Float[Array, "..."]

    def _noisy(self, x):
        x = _wide(x)
        return x + self.offset.astype(x.dtype)


def apply(x: Float[Array, "*shape"], sample: Sample) -> Float[Array, "*shape"]:
    """Applies a noise sample: pure, differentiable, without randomness.

    Half-precision inputs are scaled in float32 and rounded once, so that the mean of
    the noise stays exact.

    Args:
      x: floating array, any shape.
      sample: drawn by a scheme for x's shape, or made by `mask_sample`.

    Returns:
      The noisy x: its shape, its dtype.

    Raises:
      TypeError: `x` is not floating, `sample` is no sample.
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
                f"a sample's axes must be those of x, {x.shape}, or 1 where the noise "
                f"is shared; {type(sample).__name__}{jax.tree_util.keystr(path)} has "
                f"shape {shape}: draw it with scheme.sample(key, {x.shape})"
            )
    note_applied()
    return sample._noisy(x).astype(x.dtype)


def _wide(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    return x.astype(at_least_float32(x.dtype))


def mask_sample(mask: ArrayLike | Sequence, *, rate: Rate = 0.0) -> MaskSample:
    """Makes a sample of a mask written by hand.

    Args:
      mask: 1 or True keeps, 0 or False drops; of the rank of what it is applied to.
      rate: kept units are scaled by 1 / (1 - rate); 0 (the default) does not scale.

    Returns:
      The sample, for `apply`.

    Raises:
      ValueError: values other than 0 and 1 (those of traced arrays are not looked at:
        what is not 0 keeps); `rate` outside [0, 1) or of another shape.

    Example: shut unit 2 of 4 off, leave the others as they are.
      >>> import jax.numpy as jnp
      >>> from noisejax import noise
      >>> sample = noise.mask_sample(jnp.arange(4)[None] != 2)
      >>> noise.apply(jnp.ones((2, 4)), sample)[0]
      Array([1., 1., 0., 1.], dtype=float32)
    """
    known = not isinstance(mask, jax.core.Tracer)
    if known and getattr(mask, "dtype", None) != jnp.bool_:
        _check_zeros_and_ones(mask)
    mask = jnp.asarray(mask).astype(bool)
    return MaskSample(mask, inverse_scale(check_rate(rate, mask.shape), bits=32))


def _check_zeros_and_ones(mask: ArrayLike | Sequence) -> None:
    try:
        valid = np.isin(np.asarray(mask), (0, 1)).all()
    except (TypeError, ValueError):  # ragged, or of no numbers at all
        valid = False
    if not valid:
        raise ValueError(f"mask must hold 0 (drop) and 1 (keep) only, got {mask!r}")

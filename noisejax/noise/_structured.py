"""Noise that drops whole branches (drop path) or feature maps (spatial dropout)."""

import dataclasses

import jax
from jaxtyping import Array, Float

from noisejax.noise._checks import Key, Rate, Shape, share_behind
from noisejax.noise._dropout import MaskScheme
from noisejax.noise._sample import apply_scheme


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class DropPath(MaskScheme):
    """Drop path:  y_b = x_b + m_b f(x_b) / (1 - rate),  m_b ~ Bernoulli(1 - rate).

    Each example is kept or dropped as a whole. Arguments: see `drop_path`.

    Attributes:
      scale: True to multiply kept branches by 1 / (1 - rate); False to keep them
        unscaled, as in the original paper.

    Example:
      >>> import jax
      >>> from noisejax import noise
      >>> noise.DropPath(0.1).sample(jax.random.key(0), (8, 32, 32, 64)).mask.shape
      (8, 1, 1, 1)
    """

    rate: float
    bits: int = 32
    batch_dims: int = 1
    scale: bool = True

    def mask_shape(self, shape: Shape) -> tuple[int, ...]:
        """Return `shape` with size 1 along each axis that shares its mask."""
        return _shared(tuple(shape), self.batch_dims)


def drop_path(
    key: Key,
    x: Float[Array, "*shape"],
    *,
    rate: Rate,
    bits: int = 32,
    batch_dims: int = 1,
) -> Float[Array, "*shape"]:
    """Apply drop path:  x_b ↦ m_b x_b / (1 - rate),  m_b ~ Bernoulli(1 - rate).

    Drop path, or stochastic depth, is applied to the output of a residual branch. The
    function is equivalent to `apply(x, DropPath(...).sample(...))`.

    Args:
      key: PRNG key, typed or raw. Do not reuse it.
      x: output of the branch, floating array, batch axes first.
      rate: probability of dropping the branch, as in `dropout`.
      bits: number of random bits per example, 32 or 8.
      batch_dims: number of batch axes. Use 0 to keep or drop all of x together, for
        example inside `jax.vmap`, where x has no batch axis.

    Returns:
      Noisy array, with the shape and dtype of x.

    Raises:
      TypeError, ValueError: as for `dropout`.
      ValueError: x has no axis after the batch axes.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import noise
      >>> noise.drop_path(jax.random.key(0), jnp.ones((3, 2)), rate=0.5)
      Array([[0., 0.],
             [0., 0.],
             [2., 2.]], dtype=float32)

    Reference:
      Huang et al., "Deep networks with stochastic depth", ECCV 2016; Larsson et al.,
      "FractalNet: ultra-deep neural networks without residuals", ICLR 2017.
    """
    return apply_scheme(key, x, DropPath(0.0, bits, batch_dims), rate)


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class SpatialDropout(MaskScheme):
    """Spatial dropout:  ã_bhwc = m_bc a_bhwc / (1 - rate),  m ~ Bernoulli(1 - rate).

    The axes between the batch axes and the last axis (the channels) share a mask. For
    arrays [B, C] spatial dropout equals dropout. Arguments: see `spatial_dropout`.

    Attributes:
      scale: True to multiply kept maps by 1 / (1 - rate); False to keep them unscaled.

    Example:
      >>> import jax
      >>> from noisejax import noise
      >>> scheme = noise.SpatialDropout(0.5)
      >>> scheme.sample(jax.random.key(0), (8, 32, 32, 64)).mask.shape
      (8, 1, 1, 64)
    """

    rate: float
    bits: int = 32
    batch_dims: int = 1
    scale: bool = True

    def mask_shape(self, shape: Shape) -> tuple[int, ...]:
        """Return `shape` with size 1 along each axis that shares its mask."""
        shape = tuple(shape)
        return _shared(shape, self.batch_dims)[:-1] + shape[-1:]


def spatial_dropout(
    key: Key,
    x: Float[Array, "*shape"],
    *,
    rate: Rate,
    bits: int = 32,
    batch_dims: int = 1,
) -> Float[Array, "*shape"]:
    """Drop feature maps:  ã_bhwc = m_bc a_bhwc / (1 - rate),  m ~ Bernoulli(1 - rate).

    The function, spatial dropout, is equivalent to
    `apply(x, SpatialDropout(...).sample(...))`.

    Args:
      key: PRNG key, typed or raw. Do not reuse it.
      x: floating array, channels last, e.g. [B, H, W, C].
      rate: probability of dropping a feature map, as in `dropout`.
      bits: number of random bits per feature map, 32 or 8.
      batch_dims: number of batch axes. Use 0 if x has no batch axis, for example
        inside `jax.vmap`.

    Returns:
      Noisy array, with the shape and dtype of x.

    Raises:
      TypeError, ValueError: as for `dropout`.
      ValueError: x has no axis after the batch axes.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import noise
      >>> x = jnp.ones((1, 2, 2, 3))
      >>> noise.spatial_dropout(jax.random.key(0), x, rate=0.5)[0, :, :, 2]
      Array([[2., 2.],
             [2., 2.]], dtype=float32)

    Reference:
      Tompson et al., "Efficient object localization using convolutional networks",
      CVPR 2015.
    """
    return apply_scheme(key, x, SpatialDropout(0.0, bits, batch_dims), rate)


def _shared(shape: tuple[int, ...], batch_dims: int) -> tuple[int, ...]:
    """Return `shape` with size 1 in place of each axis after the batch axes.

    Raises:
      ValueError: no axis follows the batch axes.
    """
    shared = share_behind(shape, batch_dims)
    if batch_dims == len(shape):
        raise ValueError(
            f"batch_dims={batch_dims} makes all axes of shape {shape} batch axes, but "
            "an axis must follow them. Use batch_dims=0 for an array without a batch "
            "axis, for example inside jax.vmap"
        )
    return shared

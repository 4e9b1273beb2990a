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

    One bit decides for a whole example. Arguments: see `drop_path`.

    Attributes:
      scale: False leaves kept branches as they are (the original paper).

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
        """`shape` with size 1 along the axes that share a bit."""
        return _shared(tuple(shape), self.batch_dims)


def drop_path(
    key: Key,
    x: Float[Array, "*shape"],
    *,
    rate: Rate,
    bits: int = 32,
    batch_dims: int = 1,
) -> Float[Array, "*shape"]:
    """Drop path:  y_b = x_b + m_b f(x_b) / (1 - rate),  m_b ~ Bernoulli(1 - rate).

    (Stochastic depth.) It returns m_b f(x_b) / (1 - rate) for the output f(x) of a
    residual branch: `apply(x, DropPath(...).sample(...))`.

    Args:
      key: typed or raw PRNG key. Consumed.
      x: floating array, output of the branch; its leading axes are batch axes.
      rate: probability that the branch is dropped, as in `dropout`.
      bits: random bits per example, 32 or 8.
      batch_dims: number of leading axes with a bit each; 0: one bit for all of x, also
        for an array without a batch axis, as inside `jax.vmap`.

    Returns:
      Noisy x: its shape, its dtype.

    Raises:
      TypeError, ValueError: as `dropout`; or no axis of x follows the batch axes.

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

    The axes between the batch axes and the channels (the last axis) share a mask. On
    [B, C] it is dropout. Arguments: see `spatial_dropout`.

    Attributes:
      scale: False leaves kept maps as they are.

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
        """`shape` with size 1 along the axes that share a bit."""
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
    """Spatial dropout:  ã_bhwc = m_bc a_bhwc / (1 - rate),  m ~ Bernoulli(1 - rate).

    Whole feature maps are dropped: `apply(x, SpatialDropout(...).sample(...))`.

    Args:
      key: typed or raw PRNG key. Consumed.
      x: floating array, channels last, e.g. [B, H, W, C].
      rate: probability that a map is dropped, as in `dropout`.
      bits: random bits per feature map, 32 or 8.
      batch_dims: number of leading axes with masks of their own; 0 for an array
        without a batch axis, as inside `jax.vmap`.

    Returns:
      Noisy x: its shape, its dtype.

    Raises:
      TypeError, ValueError: as `dropout`; or no axis of x follows the batch axes.

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
    """`shape` with size 1 behind its batch axes; a ValueError if none is behind."""
    shared = share_behind(shape, batch_dims)
    if batch_dims == len(shape):
        raise ValueError(
            f"batch_dims={batch_dims} takes all axes of shape {shape} for batch axes, "
            "so that no units would share a bit: an axis must follow them. Use "
            "batch_dims=0 for an array without a batch axis, as inside jax.vmap"
        )
    return shared

"""Drop path, or stochastic depth: a whole branch is dropped, per example."""

import dataclasses
from typing import ClassVar

import jax
from jaxtyping import Array, Float

from noisejax.noise._keys import Key
from noisejax.noise._levels import Rate
from noisejax.noise._mask_scheme import MaskScheme
from noisejax.noise._scheme import apply_scheme
from noisejax.noise._shapes import check_batch_dims, share_behind


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class DropPath(MaskScheme):
    """Path dropout:  y_b = x_b + m_b f(x_b) / (1 - rate),  m_b ~ Bernoulli(1 - rate).

    Put it on the residual branch f(x): one bit decides for a whole example.

    Attributes:
      rate: probability of the branch's being dropped, in [0, 1).
      bits: random bits per example, 32 or 8.
      batch_dims: leading axes that have a bit each; 0: one for the whole batch.
      scale: False leaves kept branches as they are (the original paper).

    Raises:
      TypeError: a rate that is an array (see `drop_path`).
      ValueError: a rate outside [0, 1), or one that rounds away at 8 bits.

    Example:
      >>> import jax
      >>> from noisejax import noise
      >>> noise.DropPath(0.1).sample(jax.random.key(0), (8, 32, 32, 64)).mask.shape
      (8, 1, 1, 1)

    Reference:
      Huang et al., "Deep networks with stochastic depth", ECCV 2016; Larsson et al.,
      "FractalNet: ultra-deep neural networks without residuals", ICLR 2017.
    """

    rate: float
    bits: int = 32
    batch_dims: int = 1
    scale: bool = True

    function: ClassVar[str] = "drop_path"

    def __post_init__(self):
        super().__post_init__()
        check_batch_dims(self.batch_dims)

    def mask_shape(self, shape):
        return share_behind(shape, self.batch_dims)


def drop_path(
    key: Key,
    x: Float[Array, "*shape"],
    *,
    rate: Rate,
    bits: int = 32,
    batch_dims: int = 1,
) -> Float[Array, "*shape"]:
    """Drops a residual branch `x`, per example: `apply(x, DropPath(...).sample(...))`.

    Args:
      key: typed or raw PRNG key. Consumed.
      x: floating array, the branch's output; its leading axes are batch axes.
      rate: probability of being dropped, in [0, 1), as in `dropout`.
      bits: random bits per example, 32 or 8.
      batch_dims: leading axes that have a bit each.

    Returns:
      Noisy x: its shape, its dtype.

    Raises:
      TypeError, ValueError: as `dropout`.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import noise
      >>> noise.drop_path(jax.random.key(0), jnp.ones((3, 2)), rate=0.5)
      Array([[0., 0.],
             [0., 0.],
             [2., 2.]], dtype=float32)
    """
    scheme = DropPath(0.0, bits, batch_dims)
    return apply_scheme(key, x, scheme, level=rate)

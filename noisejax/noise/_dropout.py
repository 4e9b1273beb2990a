"""Dropout: each unit dropped with the same probability."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

import jax
from jaxtyping import Array, Float

from noisejax.noise._keys import Key
from noisejax.noise._levels import Rate
from noisejax.noise._mask_scheme import MaskScheme
from noisejax.noise._scheme import apply_scheme
from noisejax.noise._shapes import check_axes, share


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class Dropout(MaskScheme):
    """Dropout:  ã = m ⊙ a / (1 - rate),  m ~ Bernoulli(1 - rate) per unit.

    (Bouthillier et al. 2015, eq. 9, whose p is our rate. The scaled mask has mean 1 and
    variance rate / (1 - rate).)

    Attributes:
      rate: probability of being dropped, in [0, 1). At 8 bits the nearest multiple of
        1/256 is drawn and scaled by.
      bits: random bits per unit: 32, or 8 for a quarter of the random numbers.
      broadcast_dims: axes along which the mask is shared. Time, for recurrent networks:
        `broadcast_dims=(1,)` on [B, T, H] is one mask per sequence.
      scale: False leaves kept units as they are (papers that scale at test time).

    Raises:
      TypeError: a rate that is an array (see `dropout`).
      ValueError: a rate outside [0, 1), or one that rounds away at 8 bits.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import noise
      >>> sample = noise.Dropout(0.5).sample(jax.random.key(0), (2, 3))
      >>> noise.apply(jnp.ones((2, 3)), sample)
      Array([[0., 0., 2.],
             [2., 0., 2.]], dtype=float32)

    Reference:
      Srivastava et al., "Dropout: a simple way to prevent neural networks from
      overfitting", JMLR 15, 2014.
    """

    rate: float
    bits: int = 32
    broadcast_dims: Sequence[int] = ()
    scale: bool = True

    function: ClassVar[str] = "dropout"

    def __post_init__(self):
        super().__post_init__()
        axes = check_axes(self.broadcast_dims, name="broadcast_dims")
        object.__setattr__(self, "broadcast_dims", axes)

    def mask_shape(self, shape):
        return share(shape, self.broadcast_dims)


def dropout(
    key: Key,
    x: Float[Array, "*shape"],
    *,
    rate: Rate,
    bits: int = 32,
    broadcast_dims: Sequence[int] = (),
) -> Float[Array, "*shape"]:
    """Drops units of `x` and scales the others: `apply(x, Dropout(...).sample(...))`.

    Args:
      key: typed or raw PRNG key. Consumed.
      x: floating array, any shape.
      rate: probability of being dropped, in [0, 1): a Python float, a scalar array (a
        schedule of the step, traced or not), or an array of x's rank that broadcasts to
        x ([B, 1] for a rate per example). Values of JAX arrays are not checked; at or
        above 1 they give zeros. No gradient flows to it.
      bits: random bits per unit, 32 or 8.
      broadcast_dims: axes along which the mask is shared.

    Returns:
      Noisy x: its shape, its dtype.

    Raises:
      TypeError: `key` is no key, `x` not floating, `rate` no number.
      ValueError: a Python or NumPy rate outside [0, 1), a rate of another shape, or one
        that rounds away at 8 bits.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import noise
      >>> noise.dropout(jax.random.key(0), jnp.ones((2, 3)), rate=0.5)
      Array([[0., 0., 2.],
             [2., 0., 2.]], dtype=float32)
    """
    scheme = Dropout(0.0, bits, broadcast_dims)
    return apply_scheme(key, x, scheme, level=rate)

"""Dropout, and random dropout, whose noise level is drawn too."""

import dataclasses
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
    round_rate,
    share,
    share_behind,
)
from noisejax.noise._random_bits import (
    OutSharding,
    draw_levels,
    draw_mask,
    inverse_scale,
)
from noisejax.noise._sample import MaskSample, Scheme, apply_scheme


class MaskScheme(Scheme):
    """A scheme with the fields rate, bits and scale, whose samples have a mask."""

    rate: float
    bits: int
    broadcast_dims: Sequence[int]
    scale: bool

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bits < 32:
            round_rate(self.rate, bits=self.bits)  # an error if it rounds to 0 or 1

    @property
    def level(self) -> float:
        return self.rate

    def mask_shape(self, shape: Shape) -> tuple[int, ...]:
        """`shape` with size 1 along the axes that share a bit."""
        return share(tuple(shape), tuple(self.broadcast_dims))

    def sample(
        self,
        key: Key,
        shape: Shape,
        dtype: DTypeLike = jnp.float32,
        out_sharding: OutSharding = None,
        *,
        level: Rate | None = None,
    ) -> MaskSample:
        key, shape = as_key(key), self.mask_shape(shape)
        rate = self.rate
        if level is not None:
            rate = check_rate(level, shape, bits=self.bits)
        return self._draw(key, shape, rate, out_sharding)

    def _draw(self, key, shape, rate, out_sharding) -> MaskSample:
        mask = draw_mask(key, shape, rate, self.bits, out_sharding)
        return MaskSample(
            mask, inverse_scale(rate, bits=self.bits) if self.scale else 1.0
        )


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class Dropout(MaskScheme):
    """Dropout:  ã = m ⊙ a / (1 - rate),  m ~ Bernoulli(1 - rate) per unit.

    (Bouthillier et al. 2015, eq. 9, whose p is our rate. The scaled mask has mean 1 and
    variance rate / (1 - rate).) For recurrent networks on [B, T, H],
    `broadcast_dims=(1,)` is one mask per sequence. Arguments: see `dropout`.

    Attributes:
      scale: False leaves kept units as they are (papers that scale at test time).

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import noise
      >>> sample = noise.Dropout(0.5).sample(jax.random.key(0), (2, 3))
      >>> noise.apply(jnp.ones((2, 3)), sample)
      Array([[0., 0., 2.],
             [2., 0., 2.]], dtype=float32)
    """

    rate: float
    bits: int = 32
    broadcast_dims: Sequence[int] = ()
    scale: bool = True


def dropout(
    key: Key,
    x: Float[Array, "*shape"],
    *,
    rate: Rate,
    bits: int = 32,
    broadcast_dims: Sequence[int] = (),
) -> Float[Array, "*shape"]:
    """Dropout:  ã = m ⊙ a / (1 - rate),  m ~ Bernoulli(1 - rate) per unit.

    (Bouthillier et al. 2015, eq. 9.) It is `apply(x, Dropout(...).sample(...))`.

    Args:
      key: typed or raw PRNG key. Consumed.
      x: floating array, any shape.
      rate: probability of being dropped, in [0, 1): a Python float, a scalar array (a
        schedule of the step, traced or not), or an array of x's rank that broadcasts to
        x ([B, 1] for a rate per example). Values of JAX arrays are not checked; at or
        above 1 they give zeros. No gradient flows to the rate.
      bits: random bits per unit: 32, or 8 for a quarter of the random numbers. At 8
        bits the rate is rounded to a multiple of 1/256, and the scale follows it.
      broadcast_dims: axes along which the mask is shared.

    Returns:
      Noisy x: its shape, its dtype.

    Raises:
      TypeError: `key` is not a key, `x` is not floating, or `rate` is not a number.
      ValueError: a Python or NumPy rate lies outside [0, 1), has another shape, or
        rounds to 0 or 1 at 8 bits.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import noise
      >>> noise.dropout(jax.random.key(0), jnp.ones((2, 3)), rate=0.5)
      Array([[0., 0., 2.],
             [2., 0., 2.]], dtype=float32)

    Reference:
      Srivastava et al., "Dropout: a simple way to prevent neural networks from
      overfitting", JMLR 15, 2014.
    """
    return apply_scheme(key, x, Dropout(0.0, bits, broadcast_dims), rate)


def dropconnect(
    key: Key, w: Float[Array, "*shape"], *, rate: Rate, bits: int = 32
) -> Float[Array, "*shape"]:
    """Dropconnect:  W̃ = M ⊙ W / (1 - rate),  M ~ Bernoulli(1 - rate) per weight.

    It is dropout of a weight array; the sample of any scheme can be applied to weights
    like this. One call gives one mask for all examples. A mask per example, as in the
    paper, is `jax.vmap` over keys and examples. The test-time network is the mean one
    (the paper samples a Gaussian there).

    Args:
      key: typed or raw PRNG key. Consumed.
      w: floating array of weights, any shape.
      rate: probability that a weight is dropped, as in `dropout`.
      bits: random bits per weight, 32 or 8.

    Returns:
      Noisy weights: the shape and dtype of `w`.

    Raises:
      TypeError, ValueError: as `dropout`.

    Example: a mask per example.
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import noise
      >>> w, x = jnp.ones((3, 2)), jnp.ones((4, 3))
      >>> keys = jax.random.split(jax.random.key(0), 4)
      >>> layer = lambda key, x: x @ noise.dropconnect(key, w, rate=0.5)
      >>> jax.vmap(layer)(keys, x).shape
      (4, 2)

    Reference:
      Wan et al., "Regularization of neural networks using DropConnect", ICML 2013.
    """
    return apply_scheme(key, w, Dropout(0.0, bits), rate)


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class RandomDropout(MaskScheme):
    """Random dropout:  ã = m ⊙ a / (1 - ρ),  ρ ~ U(0, rate),  m ~ Bernoulli(1 - ρ).

    (Bouthillier et al. 2015, section 4.1 and eq. 10, whose p is our rate.) All units of
    a layer and example share ρ, so the share of dropped units varies from example to
    example. The scaled mask has mean 1 and variance -log(1 - rate) / rate - 1.
    Arguments: see `random_dropout` and `dropout`.

    Attributes:
      scale: False leaves kept units as they are.

    Example:
      >>> import jax
      >>> from noisejax import noise
      >>> sample = noise.RandomDropout(0.8).sample(jax.random.key(1), (3, 1000))
      >>> 1 - sample.mask.mean(axis=1)  # the share dropped, per example
      Array([0.584     , 0.19799995, 0.654     ], dtype=float32)
    """

    rate: float
    bits: int = 32
    batch_dims: int = 1
    scale: bool = True
    broadcast_dims: Sequence[int] = ()

    def sample(
        self,
        key: Key,
        shape: Shape,
        dtype: DTypeLike = jnp.float32,
        out_sharding: OutSharding = None,
        *,
        level: Rate | None = None,
    ) -> MaskSample:
        rate_key, mask_key = jax.random.split(as_key(key))
        shape = self.mask_shape(shape)
        rho_shape = share_behind(shape, self.batch_dims)
        largest = self.rate
        if level is not None:
            largest = check_rate(level, rho_shape, bits=self.bits)
        # Without the barrier XLA may fuse the draw of the levels into that of the mask,
        # and compile for minutes (jaxlib 0.12, CPU, inside lax.scan, scale=False).
        rho = jax.lax.optimization_barrier(
            draw_levels(rate_key, rho_shape, largest, out_sharding)
        )
        if self.bits == 8:  # never round to dropping everything: the mean stays 1
            rho = jnp.minimum(rho, np.float32(255 / 256))
        if not isinstance(largest, float):  # a traced rate of 1 or more, or NaN
            rho = jnp.where(largest < 1, rho, np.float32(1))
        return self._draw(mask_key, shape, rho, out_sharding)


def random_dropout(
    key: Key,
    x: Float[Array, "*shape"],
    *,
    rate: Rate,
    bits: int = 32,
    batch_dims: int = 1,
) -> Float[Array, "*shape"]:
    """Random dropout:  ã = m ⊙ a / (1 - ρ),  ρ ~ U(0, rate),  m ~ Bernoulli(1 - ρ).

    (Bouthillier et al. 2015, section 4.1 and eq. 10.) It is
    `apply(x, RandomDropout(...).sample(...))`.

    Args:
      key: typed or raw PRNG key. Consumed.
      x: floating array, the first `batch_dims` of its axes are batch axes.
      rate: largest noise level, in [0, 1): a Python float, a scalar array, or an array
        of x's rank that broadcasts to the shape of the levels ([B, 1] for x [B, H]).
        Values of JAX arrays are not checked; at or above 1 they give zeros.
      bits: random bits per unit, 32 or 8; at 8, ρ is rounded to a multiple of 1/256.
      batch_dims: number of leading axes with a level each: 1 is a level per example (as
        in the paper's figure 5), 0 one for all of x. An array [H] without a batch axis,
        as inside `jax.vmap`, needs 0.

    Returns:
      Noisy x: its shape, its dtype.

    Raises:
      TypeError: `key` is not a key, `x` is not floating, or `rate` is not a number.
      ValueError: a Python or NumPy rate lies outside [0, 1), has another shape, or
        rounds to 0 or 1 at 8 bits; or x has fewer than `batch_dims` axes.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import noise
      >>> x = jnp.ones((4, 1000))
      >>> noise.random_dropout(jax.random.key(0), x, rate=0.5).shape
      (4, 1000)

    Reference:
      Bouthillier et al., "Dropout as data augmentation", arXiv:1506.08700, 2015.
    """
    return apply_scheme(key, x, RandomDropout(0.0, bits, batch_dims), rate)

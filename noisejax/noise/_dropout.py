"""Dropout, dropconnect, and random dropout, which also draws its rate."""

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
    """Base class of schemes that draw masks; its fields are rate, bits and scale."""

    rate: float
    bits: int
    broadcast_dims: Sequence[int]
    scale: bool

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bits < 32:
            round_rate(self.rate, bits=self.bits)  # raises if the result is 0 or 1

    @property
    def level(self) -> float:
        return self.rate

    def mask_shape(self, shape: Shape) -> tuple[int, ...]:
        """Return `shape` with size 1 along each axis that shares its mask."""
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

    This is eq. 9 of Bouthillier et al. (2015), who write p for the rate. The scaled
    mask has mean 1 and variance rate / (1 - rate). In a recurrent network on
    [B, T, H], `broadcast_dims=(1,)` draws one mask per sequence.

    Arguments: see `dropout`.

    Attributes:
      scale: True to multiply kept units by 1 / (1 - rate); False to keep them
        unscaled, as in papers that scale at test time.

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
    """Apply dropout:  ã = m ⊙ a / (1 - rate),  m ~ Bernoulli(1 - rate) per unit.

    This is eq. 9 of Bouthillier et al. (2015). The function is equivalent to
    `apply(x, Dropout(...).sample(...))`.

    Args:
      key: PRNG key, typed or raw. Do not reuse it.
      x: floating array, any shape.
      rate: probability of dropping a unit, in [0, 1). A Python float, a scalar array
        (such as the value of a schedule), or an array with the rank of x that
        broadcasts to x ([B, 1] for one rate per example). The values of JAX arrays are
        not checked; rates of 1 or more give zeros. The rate receives no gradient.
      bits: number of random bits per unit, 32 or 8. With 8 bits, a quarter of the
        random numbers is needed, and the rate is rounded to a multiple of 1/256.
      broadcast_dims: axes along which the mask is shared.

    Returns:
      Noisy array, with the shape and dtype of x.

    Raises:
      TypeError: `key` is not a key, `x` is not floating, or `rate` is not a number.
      ValueError: a Python or NumPy rate is outside [0, 1) or rounds to 0 or 1 at 8
        bits, or the shape of the rate does not broadcast to x.

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
    """Apply dropconnect:  W̃ = M ⊙ W / (1 - rate),  M ~ Bernoulli(1 - rate) per weight.

    Dropconnect is dropout on an array of weights. A call draws one mask for all
    examples. For one mask per example, as in the paper, use `jax.vmap` over keys and
    examples. At test time use the weights without noise; the paper samples from a
    Gaussian instead.

    Args:
      key: PRNG key, typed or raw. Do not reuse it.
      w: floating array of weights, any shape.
      rate: probability of dropping a weight, as in `dropout`.
      bits: number of random bits per weight, 32 or 8.

    Returns:
      Noisy weights, with the shape and dtype of `w`.

    Raises:
      TypeError, ValueError: as for `dropout`.

    Example: one mask per example.
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

    This is eq. 10 of Bouthillier et al. (2015, section 4.1), who write p for the rate.
    All units of an example share ρ, so the fraction of dropped units varies from
    example to example. The scaled mask has mean 1 and variance
    -log(1 - rate) / rate - 1.

    Arguments: see `random_dropout` and `dropout`.

    Attributes:
      scale: True to multiply kept units by 1 / (1 - ρ); False to keep them unscaled.

    Example:
      >>> import jax
      >>> from noisejax import noise
      >>> sample = noise.RandomDropout(0.8).sample(jax.random.key(1), (3, 1000))
      >>> 1 - sample.mask.mean(axis=1)  # fraction of dropped units per example
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
        # Without the barrier XLA may fuse the draws of the levels and of the mask, and
        # compile for minutes (jaxlib 0.12, CPU, inside lax.scan, scale=False).
        rho = jax.lax.optimization_barrier(
            draw_levels(rate_key, rho_shape, largest, out_sharding)
        )
        if self.bits == 8:  # a level that rounds to 1 would change the mean
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
    """Apply dropout at a random rate ρ ~ U(0, rate):  ã = m ⊙ a / (1 - ρ).

    This is eq. 10 of Bouthillier et al. (2015, section 4.1). The function is equivalent
    to `apply(x, RandomDropout(...).sample(...))`.

    Args:
      key: PRNG key, typed or raw. Do not reuse it.
      x: floating array, with `batch_dims` batch axes first.
      rate: upper end of the range of ρ, in [0, 1). A Python float, a scalar array, or
        an array with the rank of x that broadcasts to the shape of ρ ([B, 1] for x of
        shape [B, H]). The values of JAX arrays are not checked; rates of 1 or more give
        zeros.
      bits: number of random bits per unit, 32 or 8. At 8 bits ρ is rounded to a
        multiple of 1/256.
      batch_dims: number of leading axes along which ρ differs. Use 1 for one ρ per
        example, as in figure 5 of the paper. Use 0 for one ρ for all of x, for example
        inside `jax.vmap`, where x has no batch axis.

    Returns:
      Noisy array, with the shape and dtype of x.

    Raises:
      TypeError: `key` is not a key, `x` is not floating, or `rate` is not a number.
      ValueError: as for `dropout`, or x has fewer than `batch_dims` axes.

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

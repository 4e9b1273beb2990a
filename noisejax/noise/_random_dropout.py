"""Random dropout: dropout whose noise level is drawn too."""

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax.noise._keys import Key, as_key
from noisejax.noise._levels import Rate, check_rate
from noisejax.noise._mask_scheme import draw_mask_sample
from noisejax.noise._rates import check_bits, check_resolved
from noisejax.noise._sample import MaskSample
from noisejax.noise._sample_rate import sample_rate
from noisejax.noise._scheme import Scheme, apply_scheme, own_level
from noisejax.noise._shapes import check_axes, check_batch_dims, share, share_behind


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class RandomDropout(Scheme):
    """Random dropout:  ã = m ⊙ a / (1 - ρ),  ρ ~ U(0, rate),  m ~ Bernoulli(1 - ρ).

    (Bouthillier et al. 2015, section 4.1 and eq. 10, whose p is our rate.) All units of
    a layer and example share ρ, so the share of dropped units varies from example to
    example. The scaled mask has mean 1 and variance -log(1 - rate) / rate - 1.

    Attributes:
      rate: the largest noise level, in [0, 1).
      bits: random bits per unit: 32, or 8 (ρ is then rounded to a multiple of 1/256).
      batch_dims: leading axes that have a ρ each: 1 is a level per example (as in the
        paper's figure 5), 0 one for the whole batch.
      scale: False leaves kept units as they are.
      broadcast_dims: axes along which the mask is shared.

    Raises:
      TypeError: a rate that is an array (see `random_dropout`).
      ValueError: a rate outside [0, 1), or one that rounds away at 8 bits.

    Example:
      >>> import jax
      >>> from noisejax import noise
      >>> sample = noise.RandomDropout(0.8).sample(jax.random.key(1), (3, 1000))
      >>> 1 - sample.mask.mean(axis=1)  # the share dropped, per example
      Array([0.584     , 0.19799995, 0.654     ], dtype=float32)

    Reference:
      Bouthillier et al., "Dropout as data augmentation", arXiv:1506.08700, 2015.
    """

    rate: float
    bits: int = 32
    batch_dims: int = 1
    scale: bool = True
    broadcast_dims: Sequence[int] = ()

    def __post_init__(self):
        rate = own_level(self.rate, check_rate, name="rate", function="random_dropout")
        check_bits(self.bits)
        check_resolved(rate, bits=self.bits)
        check_batch_dims(self.batch_dims)
        object.__setattr__(self, "rate", rate)
        axes = check_axes(self.broadcast_dims, name="broadcast_dims")
        object.__setattr__(self, "broadcast_dims", axes)

    @property
    def level(self) -> float:
        return self.rate

    def sample(
        self, key, shape, dtype=jnp.float32, out_sharding=None, *, level=None
    ) -> MaskSample:
        rate_key, mask_key = jax.random.split(as_key(key))
        shape = share(shape, self.broadcast_dims)
        rate = self.rate if level is None else level
        rho_shape = share_behind(shape, self.batch_dims)
        largest = check_rate(rate, rho_shape)
        check_resolved(rate, bits=self.bits)
        rho = sample_rate(rate_key, rho_shape, rate=largest, out_sharding=out_sharding)
        if self.bits == 8:  # never round to dropping everything: the mean stays 1
            rho = jnp.minimum(rho, np.float32(255 / 256))
        if not isinstance(largest, float):  # a traced rate of 1 or more, or NaN
            rho = jnp.where(largest < 1, rho, np.float32(1))
        return draw_mask_sample(
            mask_key,
            shape,
            rate=rho,
            bits=self.bits,
            scale=self.scale,
            out_sharding=out_sharding,
        )


def random_dropout(
    key: Key,
    x: Float[Array, "*shape"],
    *,
    rate: Rate,
    bits: int = 32,
    batch_dims: int = 1,
) -> Float[Array, "*shape"]:
    """Random dropout of `x`: `apply(x, RandomDropout(...).sample(...))`.

    Args:
      key: typed or raw PRNG key. Consumed.
      x: floating array, leading axes `batch_dims` of them batch axes.
      rate: the largest noise level, in [0, 1): a Python float, a scalar array, or an
        array of x's rank that broadcasts to the levels' shape ([B, 1] for x [B, H]).
        Values of JAX arrays are not checked; at or above 1 they give zeros.
      bits: random bits per unit, 32 or 8.
      batch_dims: leading axes that have a level each; 0: one level for all of x.

    Returns:
      Noisy x: its shape, its dtype.

    Raises:
      TypeError: `key` is no key, `x` not floating, `rate` no number.
      ValueError: a Python or NumPy rate outside [0, 1), a rate of another shape, or one
        that rounds away at 8 bits; more batch axes than x has.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import noise
      >>> x = jnp.ones((4, 1000))
      >>> noise.random_dropout(jax.random.key(0), x, rate=0.5).shape
      (4, 1000)

    Reference:
      Bouthillier et al., "Dropout as data augmentation", arXiv:1506.08700, 2015.
    """
    scheme = RandomDropout(0.0, bits, batch_dims)
    return apply_scheme(key, x, scheme, level=rate)

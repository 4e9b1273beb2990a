"""Invariant dropout: a learnable shift inside the mask, so that "dropped" may mean any
level of activity and not zero alone (Ba et al. 2014)."""

from jaxtyping import Array, Float

from noisejax._floating import at_least_float32, check_floating
from noisejax.noise._dropout import Dropout
from noisejax.noise._keys import Key
from noisejax.noise._levels import Rate
from noisejax.noise._scheme import apply_scheme
from noisejax.noise._shapes import fit


def shift(
    x: Float[Array, "*shape"], beta: Float[Array, "..."]
) -> Float[Array, "*shape"]:
    """Shifts activities:  a ↦ a + β  (Ba et al. 2014, eq. 8, before the mask).

    At test time, under inverted scaling, it stands alone (eq. 9); the fold functions
    absorb it into the next layer's bias.

    Args:
      x: floating array, batch axes first.
      beta: the shifts, shaped like the last axes of x: [H] per unit of [B, H], [C] per
        feature map of [B, Y, X, C], [Y, X, C] per position; axes of size 1 are shared.

    Returns:
      x + β: the shape and dtype of x.

    Raises:
      TypeError: `x` or `beta` is not floating.
      ValueError: `beta` does not fit the last axes of x.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import noise
      >>> noise.shift(jnp.zeros((2, 3)), jnp.array([1.0, 2.0, 3.0]))
      Array([[1., 2., 3.],
             [1., 2., 3.]], dtype=float32)

    Reference:
      Ba, Xiong and Frey, "Making dropout invariant to transformations of activation
      functions and inputs", 2014.
    """
    x, beta = check_floating(x), check_floating(beta)
    beta = beta.reshape(fit(beta.shape, x.shape, name="beta"))
    wide = at_least_float32(x.dtype)
    return (x.astype(wide) + beta.astype(wide)).astype(x.dtype)


def invariant_dropout(
    key: Key,
    x: Float[Array, "*shape"],
    beta: Float[Array, "..."],
    *,
    rate: Rate,
    bits: int = 32,
) -> Float[Array, "*shape"]:
    """Invariant dropout:  a = m ⊙ (g(z) + β) / (1 - rate)  (Ba et al. 2014, eq. 8).

    Any other noise takes a shift in the same way: `apply(shift(x, beta), sample)`.

    Args:
      key: typed or raw PRNG key. Consumed.
      x: the activities g(z), floating, batch axes first.
      beta: learnable shifts, zeros at the start; shaped like the last axes of x.
      rate: probability of being dropped, in [0, 1), as in `dropout`. The paper's p
        keeps: it is 1 - rate.
      bits: random bits per unit, 32 or 8.

    Returns:
      Noisy activities: the shape and dtype of x.

    Raises:
      TypeError: `key` is no key, `x` or `beta` not floating, `rate` no number.
      ValueError: `beta` does not fit the last axes of x; `rate` as in `dropout`.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import noise
      >>> beta = jnp.array([-1.0, 0.0, 1.0])
      >>> noise.invariant_dropout(jax.random.key(0), jnp.ones((2, 3)), beta, rate=0.5)
      Array([[0., 0., 4.],
             [0., 0., 4.]], dtype=float32)

    Reference:
      Ba, Xiong and Frey, "Making dropout invariant to transformations of activation
      functions and inputs", 2014.
    """
    return apply_scheme(key, shift(x, beta), Dropout(0.0, bits), level=rate)

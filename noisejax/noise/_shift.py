"""Invariant dropout: a learnable shift inside the mask (Ba et al. 2014).

With a shift, "dropped" may mean any level of activity, not only zero. This file holds
the shift, its priors and its running-average baseline.

Ba, Xiong and Frey, "Making dropout invariant to transformations of activation functions
and inputs", 2014.
"""

import jax
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float, PyTree

from noisejax._floating import at_least_float32, check_floating
from noisejax.noise._checks import Key, Rate, as_key, fit
from noisejax.noise._dropout import Dropout
from noisejax.noise._sample import apply_scheme


def shift(
    x: Float[Array, "*shape"], beta: Float[Array, "..."]
) -> Float[Array, "*shape"]:
    """Shifts activities:  a ↦ a + β  (Ba et al. 2014, eq. 8, before the mask).

    At test time, under inverted scaling, the shift is used without a mask (eq. 9); the
    fold functions absorb it into the next layer's bias.

    Args:
      x: floating array, batch axes first.
      beta: shifts, shaped like the last axes of x: [H] per unit of [B, H], [C] per
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
      x: activities g(z), floating, batch axes first.
      beta: learnable shifts, initially zeros; shaped like the last axes of x.
      rate: probability of being dropped, as in `dropout`. The paper's p is the
        probability of being kept, 1 - rate.
      bits: random bits per unit, 32 or 8.

    Returns:
      Noisy activities: the shape and dtype of x.

    Raises:
      TypeError: `key` is not a key, `x` or `beta` is not floating, or `rate` is not a
        number.
      ValueError: `beta` does not fit the last axes of x; `rate` as in `dropout`.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import noise
      >>> beta = jnp.array([-1.0, 0.0, 1.0])
      >>> noise.invariant_dropout(jax.random.key(0), jnp.ones((2, 3)), beta, rate=0.5)
      Array([[0., 0., 4.],
             [0., 0., 4.]], dtype=float32)
    """
    return apply_scheme(as_key(key), shift(x, beta), Dropout(0.0, bits), rate)


def shift_decay_penalty(
    betas: PyTree[Float[Array, "..."]], *, decay: float = 0.1
) -> Float[Array, ""]:
    """Weight decay on shifts:  (decay / 2) Σ β²,  whose gradient is decay·β.

    (Ba et al. 2014, section 2.1.)

    Args:
      betas: array of shifts, or a tree of them.
      decay: strength of the prior, 0 or more; the paper's experiments use 0.1.

    Returns:
      The penalty to add to a loss, a scalar.

    Raises:
      ValueError: `decay` is negative.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import noise
      >>> jax.grad(noise.shift_decay_penalty)(jnp.array([1.0, -2.0]))
      Array([ 0.1, -0.2], dtype=float32)
    """
    return _half_sum_of_squares(betas, decay, lambda beta: beta)


def shift_variance_penalty(
    betas: PyTree[Float[Array, "..."]], *, decay: float = 0.1
) -> Float[Array, ""]:
    """Prior for shifts that vary little:  (decay / 2) Σ (β - mean β)².

    (Ba et al. 2014, section 2.1.) The mean is that of each array in the tree, one per
    layer: a shift that all units share costs nothing.

    Args:
      betas: array of shifts, or a tree of them.
      decay: strength of the prior, 0 or more (the paper prints none).

    Returns:
      The penalty to add to a loss, a scalar.

    Raises:
      ValueError: `decay` is negative.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import noise
      >>> float(noise.shift_variance_penalty(jnp.array([3.0, 3.0, 3.0])))
      0.0
    """
    return _half_sum_of_squares(betas, decay, lambda beta: beta - jnp.mean(beta))


def _half_sum_of_squares(betas, decay, transform) -> Float[Array, ""]:
    if not isinstance(decay, jax.Array) and not decay >= 0:
        raise ValueError(f"decay must be 0 or more, got {decay!r}")
    squares = [jnp.sum(transform(beta) ** 2) for beta in jax.tree.leaves(betas)]
    return 0.5 * decay * sum(squares, jnp.float32(0))


def update_running_mean(
    mean: Float[Array, "..."], x: Float[Array, "*shape"], *, decay: float = 0.99
) -> Float[Array, "..."]:
    """Exponential average of clean activity:  μ ← decay·μ + (1 - decay)·mean(a).

    (The baseline of Ba et al. 2014, table 2.) The baseline subtracts the average before
    the mask, `apply(shift(x, -mean), sample)`, and freezes it at test time. No gradient
    flows through it.

    Args:
      mean: average so far, initially zeros; shaped like the last axes of x, as a shift
        is.
      x: clean activities, floating, batch axes first.
      decay: share of the old average, in [0, 1); the paper prints none.
        A traced value is not checked.

    Returns:
      The new average: the shape and dtype of `mean`.

    Raises:
      ValueError: `mean` does not fit the last axes of x, or `decay` lies outside
        [0, 1).

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import noise
      >>> x = jnp.array([[1.0, 2.0], [3.0, 4.0]])
      >>> noise.update_running_mean(jnp.zeros(2), x, decay=0.5)
      Array([1. , 1.5], dtype=float32)
    """
    if not isinstance(decay, jax.Array) and not 0 <= decay < 1:
        raise ValueError(f"decay must lie in [0, 1), got {decay!r}")
    shape = fit(mean.shape, x.shape, name="mean")
    shared = tuple(axis for axis, n in enumerate(shape) if n == 1)
    clean = lax.stop_gradient(check_floating(x).astype(mean.dtype))
    batch_mean = jnp.mean(clean, axis=shared).reshape(mean.shape)
    return decay * mean + (1 - decay) * batch_mean

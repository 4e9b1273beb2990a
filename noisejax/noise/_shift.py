"""Invariant dropout: dropout with a learnable shift before the mask (Ba et al. 2014).

This file defines the shift, penalties on the shift, and the running-average baseline.

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
    """Shift activities before the mask:  a ↦ a + β  (Ba et al. 2014, eq. 8).

    At test time the shift is applied without a mask (eq. 9). Functions such as
    `fold_into_dense` absorb the shift into the bias of the next layer.

    Args:
      x: floating array, batch axes first.
      beta: shifts with the shape of the last axes of x: [H] for one shift per unit of
        [B, H], [C] for one per feature map of [B, Y, X, C], or [Y, X, C] for one per
        position. Axes of size 1 share the shift.

    Returns:
      Shifted array x + β, with the shape and dtype of x.

    Raises:
      TypeError: `x` or `beta` is not floating.
      ValueError: `beta` does not broadcast to the last axes of x.

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
    """Apply invariant dropout:  a = m ⊙ (g(z) + β) / (1 - rate)  (Ba et al., eq. 8).

    To combine a shift with other noise, use `apply(shift(x, beta), sample)`.

    Args:
      key: PRNG key, typed or raw. Do not reuse it.
      x: activities g(z), floating, batch axes first.
      beta: learnable shifts, initially zeros, as in `shift`.
      rate: probability of dropping a unit, as in `dropout`. The paper writes p for the
        probability of keeping a unit, 1 - rate.
      bits: number of random bits per unit, 32 or 8.

    Returns:
      Noisy activities, with the shape and dtype of x.

    Raises:
      TypeError: `key` is not a key, `x` or `beta` is not floating, or `rate` is not a
        number.
      ValueError: `beta` does not broadcast to the last axes of x, or `rate` is invalid
        (see `dropout`).

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
    """Compute weight decay on shifts:  (decay / 2) Σ β²,  with gradient decay·β.

    See section 2.1 of Ba et al. (2014).

    Args:
      betas: array of shifts, or pytree of such arrays.
      decay: strength of the prior, 0 or more; the paper's experiments use 0.1.

    Returns:
      Penalty to add to a loss, a scalar.

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
    """Compute the penalty on the variation of shifts:  (decay / 2) Σ (β - mean β)².

    See section 2.1 of Ba et al. (2014). The mean is computed for each array of the
    pytree, which is one layer. A shift that is equal for all units of a layer has no
    penalty.

    Args:
      betas: array of shifts, or pytree of such arrays.
      decay: strength of the prior, 0 or more; the paper gives no value.

    Returns:
      Penalty to add to a loss, a scalar.

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
    """Update the average of clean activities:  μ ← decay·μ + (1 - decay)·mean(a).

    The baseline in table 2 of Ba et al. (2014) subtracts this average before the mask:
    `apply(shift(x, -mean), sample)`. At test time the average is not updated. The
    average receives no gradient.

    Args:
      mean: current average, initially zeros, with the shape of a shift (see `shift`).
      x: clean activities, floating, batch axes first.
      decay: weight of the current average, in [0, 1); the paper gives no value. A
        traced value is not checked.

    Returns:
      Updated average, with the shape and dtype of `mean`.

    Raises:
      ValueError: `mean` does not broadcast to the last axes of x, or `decay` is outside
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

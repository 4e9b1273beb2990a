"""Importance weights and the bound, in log space (Noh et al. 2017, eqs. 4 and 8).

w_s = p_s / Σ_s' p_s',    log (1/S) Σ_s p_s
"""

import jax
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax._floating import at_least_float32, check_floating


def importance_weights(log_probs: Float[Array, "S ..."]) -> Float[Array, "S ..."]:
    """Compute importance weights:  w_s = p_s / Σ_s' p_s'  (Noh et al. 2017, eq. 8).

    The computation is stable for log-likelihoods of any size, including -inf. If all
    samples of an example have likelihood 0, the weights are 1 / S.

    Args:
      log_probs: log-likelihoods log p(y | x, ε_s), samples first, e.g. [S, B].

    Returns:
      Weights with the shape of `log_probs`, in float32 or wider. They sum to 1 over
      axis 0.

    Raises:
      TypeError: `log_probs` is not floating.
      ValueError: `log_probs` has no axis of samples, or no sample.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import objectives
      >>> log_probs = jnp.log(jnp.array([[0.2], [0.6]])) - 10_000.0
      >>> objectives.importance_weights(log_probs).round(2)
      Array([[0.25],
             [0.75]], dtype=float32)

    Reference:
      Noh et al., "Regularizing deep neural networks by noise: its interpretation and
      optimization", NIPS 2017.
    """
    return _weights(check_log_probs(log_probs))


def iw_log_likelihood(log_probs: Float[Array, "S ..."]) -> Float[Array, "..."]:
    """Compute the bound for S noise samples:  log (1/S) Σ_s p(y | x, ε_s).

    This is eq. 4 of Noh et al. (2017), before the mean over noise and data. Its
    gradient is the weighted sum of the gradients of the samples, Σ_s w_s ∇ log p_s
    (eq. 7). If all samples have likelihood 0, the bound is -inf and its gradient is 0.

    Args:
      log_probs: log-likelihoods log p(y | x, ε_s), samples first, e.g. [S, B].

    Returns:
      Bound, without the axis of samples, in float32 or wider.

    Raises:
      TypeError: `log_probs` is not floating.
      ValueError: `log_probs` has no axis of samples, or no sample.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import objectives
      >>> log_probs = jnp.log(jnp.array([[0.2], [0.6]])) - 10_000.0
      >>> objectives.iw_log_likelihood(log_probs) - jnp.log(0.4)
      Array([-10000.], dtype=float32)

    Reference:
      Noh et al., "Regularizing deep neural networks by noise: its interpretation and
      optimization", NIPS 2017.
    """
    return _log_mean_exp(check_log_probs(log_probs))


def effective_samples(weights: Float[Array, "S ..."]) -> Float[Array, "..."]:
    """Compute the effective number of samples:  1 / Σ_s w_s², from 1 to S.

    Args:
      weights: importance weights, which sum to 1 over axis 0, e.g. [S, B].

    Returns:
      Effective numbers of samples, without the axis of samples.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import objectives
      >>> objectives.effective_samples(jnp.array([[0.5, 1.0], [0.5, 0.0]]))
      Array([2., 1.], dtype=float32)
    """
    return 1 / jnp.sum(jnp.square(weights), axis=0)


def check_log_probs(log_probs: Float[Array, "S ..."]) -> Float[Array, "S ..."]:
    """Return log-likelihoods in float32 or wider; raise if there is no sample."""
    log_probs = check_floating(log_probs)
    if not log_probs.ndim or not log_probs.shape[0]:
        raise ValueError(
            "log_probs holds the log-likelihoods of one or more noise samples along "
            f"its first axis, got shape {log_probs.shape}; stack them, e.g. to [S, B]"
        )
    return log_probs.astype(at_least_float32(log_probs.dtype))


def _shifted(log_probs: Array) -> tuple[Array, Array]:
    """Return the maximum, and the differences from it; the maximum itself gives 0."""
    largest = jnp.max(log_probs, axis=0)
    below = lax.stop_gradient(largest)
    equal = log_probs == below[None]
    return largest, jnp.where(equal, jnp.zeros_like(log_probs), log_probs - below[None])


@jax.custom_jvp
def _weights(log_probs: Array) -> Array:
    exp = jnp.exp(_shifted(log_probs)[1])
    return exp / jnp.sum(exp, axis=0, keepdims=True)


@_weights.defjvp
def _weights_jvp(primals, tangents):
    w, t = _weights(*primals), tangents[0]
    return w, w * (t - jnp.sum(w * t, axis=0, keepdims=True))


@jax.custom_jvp
def _log_mean_exp(log_probs: Array) -> Array:
    largest, shifted = _shifted(log_probs)
    return largest + jnp.log(jnp.mean(jnp.exp(shifted), axis=0))


@_log_mean_exp.defjvp
def _log_mean_exp_jvp(primals, tangents):
    """∇ log (1/S) Σ_s p_s = Σ_s w_s ∇ log p_s  (Noh et al. 2017, eq. 7)."""
    bound = _log_mean_exp(*primals)
    possible = bound > -jnp.inf
    weights = jnp.where(possible[None], _weights(*primals), 0)
    return bound, jnp.sum(weights * tangents[0], axis=0)

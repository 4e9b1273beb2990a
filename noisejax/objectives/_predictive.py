"""Monte-Carlo prediction:  p(c | x) = (1/S) Σ_s p(c | x, ε_s),  and its uncertainty."""

import dataclasses

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax.objectives._weights import check_log_probs, iw_log_likelihood


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Predictive:
    """A Monte-Carlo prediction and its uncertainty in nats.

    Attributes:
      log_probs: logarithm of the mean distribution, [..., C].
      entropy: entropy of the mean distribution, [...], the total uncertainty.
      mutual_information: mutual information of class and noise, [...]. This is the part
        of the entropy that comes from differences between samples.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import objectives
      >>> sure = jnp.log(jnp.array([[[1.0, 0.0]], [[0.0, 1.0]]]))
      >>> prediction = objectives.predictive(sure)
      >>> float(prediction.entropy[0]) == float(prediction.mutual_information[0])
      True
    """

    log_probs: Float[Array, "... C"]
    entropy: Float[Array, "..."]
    mutual_information: Float[Array, "..."]


def predictive(log_probs: Float[Array, "S ... C"]) -> Predictive:
    """Compute the Monte-Carlo prediction:  p(c | x) = (1/S) Σ_s p(c | x, ε_s).

    With  H[p] = -Σ_c p_c log p_c,  the entropy is  H[p]  and the mutual information is
    H[p] - (1/S) Σ_s H[p_s]  (Gal et al. 2017, section 3). Noh et al. (2017, section
    3.2.3) predict without noise instead.

    Args:
      log_probs: log p(c | x, ε_s), samples first and classes last, e.g. [S, B, C], such
        as the log_softmax of S noisy forward passes.

    Returns:
      Prediction, without the axis of samples.

    Raises:
      TypeError: `log_probs` is not floating.
      ValueError: `log_probs` has fewer than two axes, or no sample.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import noise, objectives
      >>> x, w = jnp.ones((2, 6)), jnp.eye(6, 3)
      >>> noisy = lambda key: jax.nn.log_softmax(noise.dropout(key, x, rate=0.5) @ w)
      >>> keys = jax.random.split(jax.random.key(0), 100)
      >>> objectives.predictive(jax.vmap(noisy)(keys)).log_probs.shape
      (2, 3)

    Reference:
      Gal, Islam and Ghahramani, "Deep Bayesian active learning with image data", 2017.
    """
    log_probs = check_log_probs(log_probs)
    if log_probs.ndim < 2:
        raise ValueError(
            "log_probs must have samples first and classes last, e.g. [S, B, C], got "
            f"shape {log_probs.shape}"
        )
    mean = iw_log_likelihood(log_probs)
    entropy = _entropy(mean)
    information = entropy - jnp.mean(_entropy(log_probs), axis=0)
    # By Jensen's inequality only rounding can give a negative value.
    return Predictive(mean, entropy, jnp.maximum(information, 0))


def _entropy(log_probs: Float[Array, "... C"]) -> Float[Array, "..."]:
    possible = log_probs > -jnp.inf
    terms = jnp.exp(log_probs) * jnp.where(possible, log_probs, 0)
    return -jnp.sum(terms, axis=-1)

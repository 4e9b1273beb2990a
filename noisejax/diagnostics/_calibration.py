"""Calibration of predicted distributions."""

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float, Int

from noisejax._dataclass import dataclass
from noisejax._floating import promote


@dataclass
class Calibration:
    """Calibration of predictions, in bins of equal width in confidence.

    Attributes:
      error: expected calibration error, in [0, 1].
      negative_log_likelihood: mean of -log p(y), in nats.
      brier_score: mean of Σ_c (p(c) - [c = y])², in [0, 2].
      confidence: mean of max_c p(c) in each bin, or 0 for an empty bin.
      accuracy: share of correct predictions in each bin, or 0 for an empty bin.
      count: number of examples in each bin.
    """

    error: Float[Array, ""]
    negative_log_likelihood: Float[Array, ""]
    brier_score: Float[Array, ""]
    confidence: Float[Array, " bins"]
    accuracy: Float[Array, " bins"]
    count: Int[Array, " bins"]


def calibration(
    log_probs: Float[Array, "examples classes"],
    labels: Int[Array, " examples"],
    *,
    num_bins: int = 15,
) -> Calibration:
    """Measure the difference between the confidence and the accuracy of predictions.

      ECE = Σ_b (n_b / n) |accuracy_b - confidence_b|

    Args:
      log_probs: log-probabilities log p(c | x), [B, C], such as
        `objectives.predictive(...).log_probs` of a Monte-Carlo prediction.
      labels: class labels, [B].
      num_bins: number of bins, at least 1.

    Returns:
      The calibration. A plot of accuracy against confidence is a reliability diagram.

    Raises:
      TypeError: `log_probs` is not floating.
      ValueError: the shapes do not match, there are no examples, or `num_bins` is below
        1.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import diagnostics
      >>> log_probs = jnp.log(jnp.array([[0.9, 0.1], [0.9, 0.1]]))
      >>> found = diagnostics.calibration(log_probs, jnp.array([0, 1]))
      >>> round(float(found.error), 3)  # confidence 0.9, accuracy 0.5
      0.4

    Reference:
      Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", 2017,
      eq. 3.
    """
    log_probs, labels = promote(log_probs), jnp.asarray(labels)
    if log_probs.ndim != 2 or labels.shape != log_probs.shape[:1] or not labels.size:
        raise ValueError(
            "log_probs must be [B, C] and labels [B], with at least one example; got "
            f"shapes {log_probs.shape} and {labels.shape}"
        )
    if num_bins < 1:
        raise ValueError(f"num_bins must be at least 1, got {num_bins}")
    n, probs = len(labels), jnp.exp(log_probs)
    confidence = jnp.max(probs, axis=-1)
    right = (jnp.argmax(probs, axis=-1) == labels).astype(probs.dtype)
    bins = jnp.minimum((confidence * num_bins).astype(int), num_bins - 1)

    def sums(values):
        return jax.ops.segment_sum(values, bins, num_bins)

    count = sums(jnp.ones_like(bins))
    total = jnp.maximum(count, 1).astype(probs.dtype)
    one_hot = jax.nn.one_hot(labels, log_probs.shape[1], dtype=probs.dtype)
    of_label = jnp.take_along_axis(log_probs, labels[:, None], axis=-1)
    return Calibration(
        error=jnp.sum(jnp.abs(sums(right) - sums(confidence))) / n,
        negative_log_likelihood=-jnp.mean(of_label),
        brier_score=jnp.mean(jnp.sum((probs - one_hot) ** 2, axis=-1)),
        confidence=sums(confidence) / total,
        accuracy=sums(right) / total,
        count=count,
    )

"""Tasks of networks: log-likelihoods and errors of examples."""

import dataclasses
from collections.abc import Callable

import jax
import optax
from jax import numpy as jnp
from jaxtyping import Array, Float, Int

from noisejax import data, objectives


@dataclasses.dataclass(frozen=True)
class Task:
    """Functions that compare outputs with examples.

    Attributes:
      log_prob: function (outputs [B, K], x [B, ...], y [B]) -> log-likelihoods [B].
      error: function (outputs, x, y) -> errors [B]. Runs report the mean in percent.
      inputs: function (x, y) -> inputs of the network.
    """

    log_prob: Callable[[Array, Array, Array], Float[Array, " batch"]]
    error: Callable[[Array, Array, Array], Float[Array, " batch"]]
    inputs: Callable[[Array, Array], tuple[Array, ...]] = lambda x, y: (x,)


def _label_log_prob(
    logits: Float[Array, "batch classes"], x: Array, y: Int[Array, " batch"]
) -> Float[Array, " batch"]:
    del x
    log_probs = jax.nn.log_softmax(logits)
    return jnp.take_along_axis(log_probs, y[:, None], axis=-1)[:, 0]


def _is_wrong(
    logits: Float[Array, "batch classes"], x: Array, y: Int[Array, " batch"]
) -> Float[Array, " batch"]:
    del x
    return (jnp.argmax(logits, axis=-1) != y).astype(jnp.float32)


def _gaussian_log_prob(
    outputs: Float[Array, "batch inputs"], x: Array, y: Array
) -> Float[Array, " batch"]:
    """Compute -½ Σ (x̂ - x)², a Gaussian of unit variance up to a constant."""
    del y
    return -0.5 * jnp.sum((outputs - x.reshape(outputs.shape)) ** 2, axis=-1)


def _relative_squared_error(
    outputs: Float[Array, "batch inputs"], x: Array, y: Array
) -> Float[Array, " batch"]:
    del y
    x = x.reshape(outputs.shape)
    return jnp.sum((outputs - x) ** 2, axis=-1) / jnp.sum(x**2, axis=-1)


def _soft_log_prob(
    logits: Float[Array, "batch tissues outcomes"],
    x: Array,
    y: Float[Array, "batch tissues outcomes"],
) -> Float[Array, " batch"]:
    """Compute Σ y log softmax(z), summed over tissues and outcomes."""
    del x
    return jnp.sum(y * jax.nn.log_softmax(logits), axis=(-2, -1))


def _relative_divergence(
    logits: Float[Array, "batch tissues outcomes"],
    x: Array,
    y: Float[Array, "batch tissues outcomes"],
) -> Float[Array, " batch"]:
    """Compute KL(y ‖ prediction) / ln K, averaged over tissues."""
    entropy = -jnp.sum(jax.scipy.special.xlogy(y, y), axis=(-2, -1))
    divergence = -_soft_log_prob(logits, x, y) - entropy
    return divergence / (logits.shape[1] * jnp.log(float(logits.shape[2])))


def _caption_log_prob(
    logits: Float[Array, "batch length words"], x: Array, y: Int[Array, "batch length"]
) -> Float[Array, " batch"]:
    """Compute Σ_t log p(y_t | y_<t, x), over the words and the end token."""
    del x
    return objectives.sequence_log_prob(logits, y, y != data.PADDING)


def _wrong_words(
    logits: Float[Array, "batch length words"], x: Array, y: Int[Array, "batch length"]
) -> Float[Array, " batch"]:
    """Compute the fraction of words that are not predicted, given the words before."""
    del x
    counts = y != data.PADDING
    wrong = (jnp.argmax(logits, axis=-1) != y) & counts
    return jnp.sum(wrong, axis=1) / jnp.maximum(1, jnp.sum(counts, axis=1))


def _answer_log_prob(
    logits: Float[Array, "batch answers"], x: Array, y: Int[Array, "batch length"]
) -> Float[Array, " batch"]:
    """Compute log p(answer | question, x), or 0 if the answer is not a class."""
    log_probs = _label_log_prob(logits, x, y[:, 0])
    return jnp.where(y[:, 0] == 0, 0.0, log_probs)


def _wrong_answers(
    logits: Float[Array, "batch answers"], x: Array, y: Int[Array, "batch length"]
) -> Float[Array, " batch"]:
    """Return 1 if the predicted answer is wrong or the true answer is not a class."""
    return jnp.maximum(_is_wrong(logits, x, y[:, 0]), y[:, 0] == 0)


def _regression(stddev: float) -> Task:
    """log N(y; z, σ²), and the mean squared error over the outputs."""

    def log_prob(outputs, x, y):
        del x
        return objectives.gaussian_log_prob(outputs, y, stddev=stddev)

    def squared_error(outputs, x, y):
        del x
        return jnp.mean(jnp.square(outputs - y), axis=-1)

    return Task(log_prob, squared_error)


CLASSIFICATION = Task(_label_log_prob, _is_wrong)
RECONSTRUCTION = Task(_gaussian_log_prob, _relative_squared_error)
SOFT_TARGETS = Task(_soft_log_prob, _relative_divergence)
CAPTIONING = Task(_caption_log_prob, _wrong_words, lambda x, y: (x, y))
ANSWERING = Task(_answer_log_prob, _wrong_answers, lambda x, y: (x, y[:, 1:]))

QUESTION_NETWORKS = ("stacked_attention", "question_lstm")
"""Networks that answer questions, with the image and without."""

TASKS = {
    "autoencoder": RECONSTRUCTION,
    "soft_targets": SOFT_TARGETS,
    "caption_lstm": CAPTIONING,
    **dict.fromkeys(QUESTION_NETWORKS, ANSWERING),
}
"""Tasks of the networks that are not classifiers."""


def task_of(
    network: str, *, target_stddev: float | None = None, label_smoothing: float = 0.0
) -> Task:
    """Return the task of a network; networks not in `TASKS` classify or regress.

    Args:
      network: name of the network.
      target_stddev: standard deviation σ of the scaled, real-valued targets; None for
        class labels.
      label_smoothing: fraction α of a label that is spread over all K classes:
        log p = (1 - α) log p(y) + α/K Σ_k log p(k).
    """
    if target_stddev is not None:
        return _regression(target_stddev)
    task = TASKS.get(network, CLASSIFICATION)
    if not label_smoothing:
        return task

    def log_prob(logits, x, y):
        del x
        labels = jax.nn.one_hot(y, logits.shape[-1])
        smooth = optax.smooth_labels(labels, label_smoothing)
        return -optax.softmax_cross_entropy(logits, smooth)

    return dataclasses.replace(task, log_prob=log_prob)

"""What a network is judged by: the log-likelihood of an example, and its error."""

import dataclasses
from collections.abc import Callable

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float, Int


@dataclasses.dataclass(frozen=True)
class Task:
    """How outputs are compared with examples.

    Attributes:
      log_prob: (outputs [B, K], x [B, ...], y [B]) -> log-likelihoods [B].
      error: the same arguments -> errors [B], of which the mean is reported, times 100.
    """

    log_prob: Callable[[Array, Array, Array], Float[Array, " batch"]]
    error: Callable[[Array, Array, Array], Float[Array, " batch"]]


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
    """Of unit variance, up to a constant: minus half the squared error, summed."""
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
    """Σ target ln prediction, over tissues and outcomes."""
    del x
    return jnp.sum(y * jax.nn.log_softmax(logits), axis=(-2, -1))


def _relative_divergence(
    logits: Float[Array, "batch tissues outcomes"],
    x: Array,
    y: Float[Array, "batch tissues outcomes"],
) -> Float[Array, " batch"]:
    """KL(target, prediction) over that of a uniform guess of one outcome, ln K."""
    entropy = -jnp.sum(jax.scipy.special.xlogy(y, y), axis=(-2, -1))
    divergence = -_soft_log_prob(logits, x, y) - entropy
    return divergence / (logits.shape[1] * jnp.log(float(logits.shape[2])))


CLASSIFICATION = Task(_label_log_prob, _is_wrong)
RECONSTRUCTION = Task(_gaussian_log_prob, _relative_squared_error)
SOFT_TARGETS = Task(_soft_log_prob, _relative_divergence)

TASKS = {"autoencoder": RECONSTRUCTION, "soft_targets": SOFT_TARGETS}
"""Network -> what it is judged by, where that is no classification error."""


def task_of(network: str) -> Task:
    """What a network is judged by: classification error, relative squared error, or
    relative divergence from soft targets."""
    return TASKS.get(network, CLASSIFICATION)

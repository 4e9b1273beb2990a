"""Log-likelihoods of the usual targets, one number per example."""

import math

import jax
from jax import numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from noisejax._floating import at_least_float32, check_floating
from noisejax.noise import Rate


def label_log_prob(
    logits: Float[Array, "B ... C"], labels: Int[Array, "B ..."]
) -> Float[Array, " B"]:
    """Class labels:  log p(y | x) = log softmax(z)_y, summed over outputs.

    Args:
      logits: z, classes last; between them and the batch, axes of several outputs.
      labels: the classes, as integers.

    Returns:
      The log-likelihoods, [B]. At least float32.

    Raises:
      TypeError: `logits` not floating, `labels` no integers.
      ValueError: `labels` of another shape than `logits` without its last axis.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import objectives
      >>> objectives.label_log_prob(jnp.zeros((2, 4)), jnp.array([0, 3])).round(2)
      Array([-1.39, -1.39], dtype=float32)
    """
    return _sum_outputs(_label_log_probs(logits, labels))


def soft_label_log_prob(
    logits: Float[Array, "B ... C"], targets: Float[Array, "B ... C"]
) -> Float[Array, " B"]:
    """Soft targets:  Σ_c t_c log softmax(z)_c, summed over outputs.

    Args:
      logits: z, classes last; between them and the batch, axes of several outputs.
      targets: t, probabilities of the classes; same shape.

    Returns:
      The log-likelihoods, [B]. At least float32. A class of target 0 counts for
      nothing, whatever its logit.

    Raises:
      TypeError: `logits` or `targets` not floating.
      ValueError: they have different shapes.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import objectives
      >>> targets = jnp.array([[0.5, 0.5, 0.0]])
      >>> objectives.soft_label_log_prob(jnp.zeros((1, 3)), targets).round(2)
      Array([-1.1], dtype=float32)
    """
    logits, targets = _wide(logits), _wide(targets)
    _check_shape("targets", targets, logits.shape)
    log_probs = jax.nn.log_softmax(logits)
    counts = targets != 0
    terms = jnp.where(counts, targets * jnp.where(counts, log_probs, 0), 0)
    return _sum_outputs(jnp.sum(terms, axis=-1))


def gaussian_log_prob(
    mean: Float[Array, "B ..."], targets: Float[Array, "B ..."], *, stddev: Rate = 1.0
) -> Float[Array, " B"]:
    """Regression:  log N(y; μ, σ²), summed over outputs.

    Args:
      mean: μ, what the network predicts.
      targets: y; same shape.
      stddev: σ > 0, in the units of the targets: a number, or an array that broadcasts
        to `mean` (learned, or predicted by the network).

    Returns:
      The log-likelihoods, [B]. At least float32.

    Raises:
      TypeError: `mean` or `targets` not floating.
      ValueError: they have different shapes; a number for `stddev` that is not above 0.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import objectives
      >>> objectives.gaussian_log_prob(jnp.zeros((1, 2)), jnp.ones((1, 2))).round(2)
      Array([-2.84], dtype=float32)
    """
    mean, targets = _wide(mean), _wide(targets)
    _check_shape("targets", targets, mean.shape)
    if isinstance(stddev, int | float) and not stddev > 0:
        raise ValueError(f"stddev must be above 0, got {stddev!r}")
    stddev = jnp.asarray(stddev, mean.dtype)
    if stddev.ndim not in (0, mean.ndim):
        raise ValueError(
            "stddev must be a number or an array of the rank of mean, shape "
            f"{mean.shape}; got shape {stddev.shape}"
        )
    z = (targets - mean) / stddev
    log_density = -jnp.square(z) / 2 - jnp.log(stddev) - math.log(2 * math.pi) / 2
    return _sum_outputs(log_density)


def sequence_log_prob(
    logits: Float[Array, "B T C"], tokens: Int[Array, "B T"], counts: Bool[Array, "B T"]
) -> Float[Array, " B"]:
    """Sequences:  Σ_t log p(y_t | y_<t, x) over the tokens that count.

    The likelihood of the whole target (a caption), as the importance weights need it:
    the sum is taken before they are.

    Args:
      logits: of each token, classes last.
      tokens: the classes, as integers; any where the token does not count.
      counts: False for padding. Logits there may hold anything: they pass no gradient.

    Returns:
      The log-likelihoods, [B]; 0 for an empty sequence. At least float32.

    Raises:
      TypeError: `logits` not floating, `tokens` no integers, `counts` not boolean.
      ValueError: shapes that do not fit.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import objectives
      >>> logits, tokens = jnp.zeros((2, 3, 4)), jnp.array([[1, 2, 3], [1, 0, 0]])
      >>> objectives.sequence_log_prob(logits, tokens, tokens != 0).round(2)
      Array([-4.16, -1.39], dtype=float32)
    """
    counts = jnp.asarray(counts)
    if counts.dtype != jnp.bool_:
        raise TypeError(f"counts must be boolean, got {counts.dtype}")
    logits, tokens = _wide(logits), jnp.asarray(tokens)
    _check_shape("counts", counts, logits.shape[:-1])
    _check_shape("tokens", tokens, logits.shape[:-1])
    log_probs = _label_log_probs(
        jnp.where(counts[..., None], logits, 0), jnp.where(counts, tokens, 0)
    )
    return _sum_outputs(jnp.where(counts, log_probs, 0))


def _label_log_probs(logits: Array, labels: Array) -> Array:
    logits, labels = _wide(logits), jnp.asarray(labels)
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(f"labels must be integers, got {labels.dtype}")
    _check_shape("labels", labels, logits.shape[:-1])
    log_probs = jax.nn.log_softmax(logits)
    return jnp.take_along_axis(log_probs, labels[..., None], axis=-1)[..., 0]


def _wide(x: Array) -> Array:
    x = check_floating(x)
    return x.astype(at_least_float32(x.dtype))


def _sum_outputs(log_probs: Array) -> Array:
    return jnp.sum(log_probs, axis=tuple(range(1, log_probs.ndim)))


def _check_shape(name: str, x: Array, shape: tuple[int, ...]) -> None:
    if not shape or x.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {x.shape}")

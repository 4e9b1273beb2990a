"""Log-likelihoods log p(y | x) of common kinds of targets, one value per example."""

import math

import jax
import numpy as np
from jax import numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Int

from noisejax._floating import promote
from noisejax.noise import Rate


def label_log_prob(
    logits: Float[Array, "B ... C"],
    labels: Int[Array, "B ..."],
    *,
    ignore_label: int | None = None,
) -> Float[Array, " B"]:
    """Compute log p(y | x) = log softmax(z)_y of class labels, summed over outputs.

    Args:
      logits: logits z, classes last; axes of several outputs follow the batch axis.
      labels: class labels, integers from 0 to C - 1. Under `jax.jit`, a label out of
        range gives a log-likelihood of NaN. Negative labels are out of range.
      ignore_label: label of outputs to ignore, such as -100 or -1. The log-likelihood
        of these outputs is 0, for any logits. None means that no label is ignored.

    Returns:
      Log-likelihoods, [B], in float32 or wider.

    Raises:
      TypeError: `logits` is not floating, `labels` is not integer.
      ValueError: the shape of `labels` is not that of `logits` without the last axis,
        or a label is out of range.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import objectives
      >>> objectives.label_log_prob(jnp.zeros((2, 4)), jnp.array([0, 3])).round(2)
      Array([-1.39, -1.39], dtype=float32)
    """
    counts = None if ignore_label is None else jnp.asarray(labels) != ignore_label
    return _sum_outputs(_label_log_probs("labels", logits, labels, counts))


def soft_label_log_prob(
    logits: Float[Array, "B ... C"], targets: Float[Array, "B ... C"]
) -> Float[Array, " B"]:
    """Compute Σ_c t_c log softmax(z)_c for soft targets, summed over outputs.

    Args:
      logits: logits z, classes last; axes of several outputs follow the batch axis.
      targets: probabilities t of the classes, with the shape of `logits`. A class of
        probability 0 adds nothing, even if its logit is -inf.

    Returns:
      Log-likelihoods, [B], in float32 or wider.

    Raises:
      TypeError: `logits` or `targets` is not floating.
      ValueError: the shapes differ.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import objectives
      >>> targets = jnp.array([[0.5, 0.5, 0.0]])
      >>> objectives.soft_label_log_prob(jnp.zeros((1, 3)), targets).round(2)
      Array([-1.1], dtype=float32)
    """
    logits, targets = promote(logits), promote(targets)
    _check_shape("targets", targets, logits.shape)
    log_probs = jax.nn.log_softmax(logits)
    counts = targets != 0
    terms = jnp.where(counts, targets * jnp.where(counts, log_probs, 0), 0)
    return _sum_outputs(jnp.sum(terms, axis=-1))


def gaussian_log_prob(
    mean: Float[Array, "B ..."], targets: Float[Array, "B ..."], *, stddev: Rate = 1.0
) -> Float[Array, " B"]:
    """Compute log N(y; μ, σ²) for regression, summed over outputs.

    Args:
      mean: predictions μ of the network.
      targets: targets y, with the shape of `mean`.
      stddev: standard deviation σ > 0 in the units of the targets: a number, or an
        array that broadcasts to `mean` (learned, or predicted by the network).

    Returns:
      Log-likelihoods, [B], in float32 or wider.

    Raises:
      TypeError: `mean` or `targets` is not floating.
      ValueError: the shapes differ, or a number for `stddev` is not above 0.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import objectives
      >>> objectives.gaussian_log_prob(jnp.zeros((1, 2)), jnp.ones((1, 2))).round(2)
      Array([-2.84], dtype=float32)
    """
    mean, targets = promote(mean), promote(targets)
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


def bernoulli_log_prob(
    logits: Float[Array, "B ..."], targets: Float[Array, "B ..."]
) -> Float[Array, " B"]:
    """Compute Σ y log σ(z) + (1 - y) log σ(-z) for binary targets, over outputs.

    Args:
      logits: logits z of the network.
      targets: targets y in [0, 1], with the shape of `logits`. For y between 0 and 1
        the result is minus the cross-entropy.

    Returns:
      Log-likelihoods, [B], in float32 or wider.

    Raises:
      TypeError: `logits` or `targets` is not floating.
      ValueError: the shapes differ.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import objectives
      >>> objectives.bernoulli_log_prob(jnp.zeros((1, 2)), jnp.ones((1, 2))).round(2)
      Array([-1.39], dtype=float32)
    """
    logits, targets = promote(logits), promote(targets)
    _check_shape("targets", targets, logits.shape)
    log_probs = jnp.where(targets == 0, 0, targets * jax.nn.log_sigmoid(logits))
    log_probs += jnp.where(targets == 1, 0, (1 - targets) * jax.nn.log_sigmoid(-logits))
    return _sum_outputs(log_probs)


def sequence_log_prob(
    logits: Float[Array, "B T C"],
    tokens: Int[Array, "B T"],
    counts: Bool[Array, "B T"],
    *,
    block_size: int | None = None,
) -> Float[Array, "B ..."]:
    """Compute log p(y | x) = Σ_t log p(y_t | y_<t, x) over the tokens that count.

    With weighting="importance", one sample dominates in long sequences, because the
    variance of a sum over tokens grows with its length. An untrained transformer (two
    layers, dropout 0.1) has 2.2 effective samples of 4 at 12 tokens, 1.3 at 64, and 1.1
    at 256 (see `IWSGDAux.effective_samples`). With `block_size` and weighting="blocks",
    each block of tokens has separate weights. At 256 tokens, blocks of 12 have 2.1
    effective samples, and single tokens 3.4. With P_k(ε) = p(block k | tokens before,
    x, ε), the bounds are

        whole:   L(S)   = E log (1/S) Σ_s Π_k P_k(ε_s)  ≤  log E Π_k P_k(ε)
        blocks:  L_K(S) = E Σ_k log (1/S) Σ_s P_k(ε_s)  ≤  log Π_k E P_k(ε)

    L is a bound on log p(y | x) for one noise sample per sequence, as in the paper. L_K
    is a bound on log q(y | x) for a network that draws new noise for each block. If the
    blocks depend on independent noise, then q = p and L_K(S) ≥ L(S). Otherwise L_K may
    exceed log p(y | x), unless the P_k are positively correlated. Both bounds increase
    with S, and both equal the objective of dropout at S = 1.

    Use whole sequences for short targets such as captions, or to report a bound. Use
    blocks if the effective number of samples is close to 1.

    Args:
      logits: logits of each token, classes last.
      tokens: classes of the tokens, integers. Padding may have any class.
      counts: mask of the tokens that count; False for padding. The logits of padding
        may have any value, and their gradient is 0.
      block_size: number of tokens per block, n. None means one block.

    Returns:
      Log-likelihoods in float32 or wider: [B], or [B, K] with K = ceil(T / n) blocks.
      Sequences and blocks of padding have a log-likelihood of 0.

    Raises:
      TypeError: `logits` is not floating, `tokens` is not integer, or `counts` is not
        boolean.
      ValueError: the shapes differ, a token that counts is out of range (under
        `jax.jit`, the result is NaN instead), or `block_size` is below 1.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import objectives
      >>> logits, tokens = jnp.zeros((2, 3, 4)), jnp.array([[1, 2, 3], [1, 0, 0]])
      >>> objectives.sequence_log_prob(logits, tokens, tokens != 0).round(2)
      Array([-4.16, -1.39], dtype=float32)
      >>> objectives.sequence_log_prob(logits, tokens, tokens != 0, block_size=2).shape
      (2, 2)
    """
    counts = jnp.asarray(counts)
    if counts.dtype != jnp.bool_:
        raise TypeError(f"counts must be boolean, got {counts.dtype}")
    if block_size is not None and block_size < 1:
        raise ValueError(f"block_size must be 1 or more tokens, got {block_size}")
    logits = promote(logits)
    _check_shape("counts", counts, logits.shape[:-1])
    log_probs = _label_log_probs("tokens", logits, tokens, counts)
    if block_size is None:
        return _sum_outputs(log_probs)
    padding = [(0, 0), (0, -log_probs.shape[1] % block_size)]
    blocks = jnp.pad(log_probs, padding).reshape(len(log_probs), -1, block_size)
    return jnp.sum(blocks, axis=-1)


def _label_log_probs(
    name: str, logits: Array, labels: Array, counts: Array | None
) -> Array:
    """Compute log softmax(z)_y of each output; 0 for outputs that do not count."""
    logits, labels = promote(logits), jnp.asarray(labels)
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(f"{name} must be integers, got {labels.dtype}")
    _check_shape(name, labels, logits.shape[:-1])
    if counts is not None:
        logits = jnp.where(counts[..., None], logits, 0)
        labels = jnp.where(counts, labels, 0)
    classes = logits.shape[-1]
    _check_range(name, labels, classes)
    index = labels.astype(jnp.int32)
    index = jnp.where(index < 0, classes, index)  # out of range as well: NaN
    log_probs = jnp.take_along_axis(
        jax.nn.log_softmax(logits), index[..., None], axis=-1, mode="fill"
    )[..., 0]
    return log_probs if counts is None else jnp.where(counts, log_probs, 0)


def _check_range(name: str, labels: Array, classes: int) -> None:
    """Raise a ValueError if a label is out of range; traced labels are not checked."""
    if isinstance(labels, Tracer) or not labels.is_fully_addressable:
        return
    values = np.asarray(labels)
    wrong = values[(values < 0) | (values >= classes)]
    if wrong.size:
        raise ValueError(
            f"{name} must be 0 to {classes - 1} for {classes} classes, got "
            f"{wrong.ravel()[0]}; for outputs that do not count pass "
            + ("ignore_label" if name == "labels" else "counts=False")
        )


def _sum_outputs(log_probs: Array) -> Array:
    return jnp.sum(log_probs, axis=tuple(range(1, log_probs.ndim)))


def _check_shape(name: str, x: Array, shape: tuple[int, ...]) -> None:
    if not shape or x.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {x.shape}")

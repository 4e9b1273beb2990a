"""The IWSGD bound for several numbers of samples:  E log (1/S) Σ_s p(y | x, ε_s).

(Noh et al. 2017, eqs. 4 and 6.)
"""

import dataclasses

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float, Int

from noisejax.objectives._weights import check_log_probs, iw_log_likelihood


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class BoundCurve:
    """The bound L(S) for K numbers of samples S = 1, 2, 4, ....

    Attributes:
      num_samples: numbers of samples S, [K].
      bound: means of L(S) over examples and groups of samples, [K].
      standard_error: standard errors of `bound` over the examples, [K].
      gain_standard_error: standard errors of bound[k] - bound[0] over the examples,
        [K]. All S use the same examples, so the gain has a smaller error.

    Example:
      >>> import jax
      >>> from noisejax import objectives
      >>> log_probs = jax.random.normal(jax.random.key(0), (8, 500))
      >>> curve = objectives.bound_curve(log_probs)
      >>> (curve.bound[1:] > curve.bound[:-1]).all()
      Array(True, dtype=bool)
    """

    num_samples: Int[Array, " K"]
    bound: Float[Array, " K"]
    standard_error: Float[Array, " K"]
    gain_standard_error: Float[Array, " K"]


def bound_curve(log_probs: Float[Array, "S B"]) -> BoundCurve:
    """Compute L(S) = E log (1/S) Σ_s p(y | x, ε_s) for S = 1, 2, 4, ....

    The bound is defined by eqs. 4 and 6 of Noh et al. (2017). Its expectation never
    decreases with S. For each S, the samples are split into groups of S, so that all
    points of the curve use the same noise. Samples in an incomplete group are ignored.

    Args:
      log_probs: log-likelihoods of held-out examples, [S, B], such as
        `IWSGDAux.log_probs`, or the result of `jax.vmap` over S keys.

    Returns:
      Curve up to the largest power of 2 that is at most the number of samples.

    Raises:
      TypeError: `log_probs` is not floating.
      ValueError: it does not have two axes, or has no sample.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import objectives
      >>> p = jnp.array([[0.2, 0.4], [0.6, 0.4]])
      >>> jnp.exp(objectives.bound_curve(jnp.log(p)).bound).round(3)
      Array([0.372, 0.4  ], dtype=float32)

    Reference:
      Noh et al., "Regularizing deep neural networks by noise: its interpretation and
      optimization", NIPS 2017.
    """
    log_probs = check_log_probs(log_probs)
    if log_probs.ndim != 2 or not log_probs.shape[1]:
        raise ValueError(
            "log_probs must be [samples, examples], got shape "
            f"{log_probs.shape}; for one example pass [S, 1]"
        )
    total, examples = log_probs.shape
    sizes = [2**k for k in range(total.bit_length())]
    per_example = jnp.stack([_mean_bound(log_probs, size) for size in sizes])
    gains = per_example - per_example[:1]
    return BoundCurve(
        jnp.array(sizes),
        jnp.mean(per_example, axis=1),
        _standard_error(per_example, examples),
        _standard_error(gains, examples),
    )


def _mean_bound(log_probs: Array, size: int) -> Float[Array, " B"]:
    groups = log_probs.shape[0] // size
    grouped = log_probs[: groups * size].reshape(groups, size, -1)
    return jnp.mean(iw_log_likelihood(jnp.swapaxes(grouped, 0, 1)), axis=0)


def _standard_error(values: Float[Array, "K B"], examples: int) -> Float[Array, " K"]:
    """Standard error of the mean over examples; NaN for a single example."""
    squares = jnp.square(values - jnp.mean(values, axis=1, keepdims=True))
    variance = jnp.sum(squares, axis=1) / (examples - 1 if examples > 1 else jnp.nan)
    return jnp.sqrt(variance / examples)

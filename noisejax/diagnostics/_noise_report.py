"""What a model's noise does, in one call."""

from collections.abc import Callable
from typing import Any

import chex
import jax
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from noisejax import noise, objectives
from noisejax.diagnostics._net_variance import net_variance


@chex.dataclass(frozen=True)
class BoundCurve:
    """The bound of Noh et al. 2017 against the number of noise samples.

    Attributes:
      num_samples: S: 1, 2, 4, ...
      bound: L(S), the mean over examples; it never falls.
      standard_error: of that mean, over examples.
      effective_samples: 1 / Σ w², the mean over examples and groups of samples.
    """

    num_samples: Int[Array, " points"]
    bound: Float[Array, " points"]
    standard_error: Float[Array, " points"]
    effective_samples: Float[Array, " points"]


def bound_curve(log_probs: Float[Array, "samples examples"]) -> BoundCurve:
    """The bound at S = 1, 2, 4, ...:  L(S) = E log (1/S) Σ_s p(y | x, ε_s).

    (Noh et al. 2017, eq. 4.) The samples are taken in groups of S, all of them at every
    S: a point is a mean over as many draws as the others, and the curve never falls, as
    eq. 6 has it.

    Args:
      log_probs: log p(y | x, ε_s), [S, B], S a power of 2.

    Returns:
      The curve, and the effective samples.

    Raises:
      ValueError: not of shape [S, B], S no power of 2.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import diagnostics
      >>> curve = diagnostics.bound_curve(jnp.log(jnp.array([[0.2], [0.6]])))
      >>> jnp.exp(curve.bound).round(2)  # geometric, then arithmetic mean
      Array([0.35, 0.4 ], dtype=float32)

    Reference:
      Noh et al., "Regularizing deep neural networks by noise: its interpretation and
      optimization", NIPS 2017.
    """
    shape = jnp.shape(log_probs)
    if len(shape) != 2 or not shape[1] or shape[0] not in [2**i for i in range(31)]:
        raise ValueError(
            "log_probs must be [samples, examples], the samples a power of 2 and at "
            f"least one example, got shape {shape}"
        )
    points = []
    for i in range(shape[0].bit_length()):
        groups = log_probs.reshape(-1, 2**i, shape[1]).swapaxes(0, 1)
        per_example = objectives.iw_log_likelihood(groups).mean(axis=0)
        weights = objectives.importance_weights(groups)
        error = per_example.std() / jnp.sqrt(max(shape[1] - 1.0, 1.0))
        effective = objectives.effective_samples(weights).mean()
        points.append((per_example.mean(), error, effective))
    bound, error, effective = (
        jnp.stack(values) for values in zip(*points, strict=True)
    )
    return BoundCurve(
        num_samples=2 ** jnp.arange(len(points)),
        bound=bound,
        standard_error=error,
        effective_samples=effective,
    )


@chex.dataclass(frozen=True)
class NoiseReport:
    """What the noise of a model does on a batch.

    Attributes:
      bound: against the number of samples, with the effective samples.
      net_variance: for every array of net values, [B, ...], a `NetVariance`.
    """

    bound: BoundCurve
    net_variance: Any


def report_noise(
    key: noise.Key,
    apply_fn: Callable[..., Any],
    params: PyTree[Array],
    x: Float[Array, "batch ..."],
    y: Array,
    *,
    log_prob_fn: Callable[[Array, Array], Float[Array, " batch"]] | None = None,
    num_samples: int = 64,
    num_draws: int = 20,
) -> NoiseReport:
    """Reports what a model's noise does: the bound against S, and net variances.

    For a Linen or an NNX model `apply_fn` is what `layers.functional` makes of it, or a
    line around that which passes the model's own arguments on.

    Args:
      key: typed or raw PRNG key. Consumed.
      apply_fn: (params, key, x) -> outputs, or (outputs, net values), of a noisy pass;
        the net values are a pytree as for `net_variance`.
      params: of the model.
      x: examples, [B, ...].
      y: their targets.
      log_prob_fn: (outputs, y) -> log p(y | x, ε), [B]; None: y holds class labels and
        the outputs are logits.
      num_samples: of the bound, a power of 2; they follow one another.
      num_draws: for the net variance, at least 2.

    Returns:
      The report. Where `apply_fn` gives no net values, the net variance is that of the
      outputs.

    Raises:
      TypeError: `key` is no key.
      ValueError: `num_samples` is no power of 2; fewer than 2 draws.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from flax import linen as nn
      >>> from noisejax import diagnostics, layers
      >>> model = nn.Sequential([nn.Dropout(0.5, deterministic=False), nn.Dense(3)])
      >>> key, x, y = jax.random.key(0), jnp.ones((4, 8)), jnp.array([0, 1, 2, 0])
      >>> params = model.init(key, x)["params"]
      >>> apply = layers.functional(model)
      >>> report = diagnostics.report_noise(jax.random.key(1), apply, params, x, y)
      >>> report.bound.num_samples
      Array([ 1,  2,  4,  8, 16, 32, 64], dtype=int32)
      >>> report.net_variance.measured.shape
      (4, 3)
    """
    log_prob_fn = objectives.label_log_prob if log_prob_fn is None else log_prob_fn

    def outputs_and_nets(params, key, x):
        result = apply_fn(params, key, x)
        return result if isinstance(result, tuple) else (result, result)

    def log_prob(sample_key):
        return log_prob_fn(outputs_and_nets(params, sample_key, x)[0], y)

    def nets(params, key, x):
        return outputs_and_nets(params, key, x)[1]

    bound_key, net_key = jax.random.split(noise.as_key(key))
    keys = jax.random.split(bound_key, num_samples)
    return NoiseReport(
        bound=bound_curve(lax.map(jax.checkpoint(log_prob), keys)),
        net_variance=net_variance(net_key, nets, params, x, num_draws=num_draws),
    )

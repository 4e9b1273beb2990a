"""Report on the noise of a model: bound, effective samples and variances."""

import functools
import warnings
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float, PyTree

from noisejax import noise, objectives
from noisejax._dataclass import dataclass
from noisejax.diagnostics._net_variance import NetVariance, net_variance

MANY = 1 / 3
"""Share of dead units above which `report_noise` warns."""

COLLAPSED = 0.1
"""Threshold c of the warning  effective samples < 1 + c (samples - 1)."""


@dataclass
class NoiseReport:
    """Effects of the noise of a model on a batch; `print` shows them as tables.

    Attributes:
      bound: bound L(S) for S = 1, 2, 4, ... (Noh et al. 2017, eq. 4).
      effective_samples: mean of 1 / Σ_s w_s² over examples, for the same S.
      net_variance: `NetVariance` of each array of pre-activations.
      dead_share: share of units that have no pre-activation above 0 on any example or
        sample, for each array of pre-activations. With a ReLU these units are dead.
        None if `apply_fn` returns only outputs.
      positive_share: share of log-probabilities above 0. If the targets are discrete
        and the share is not 0, `log_prob_fn` may return a loss.
    """

    bound: objectives.BoundCurve
    effective_samples: Float[Array, " points"]
    net_variance: Any
    dead_share: Any
    positive_share: Float[Array, ""]

    def __str__(self) -> str:
        """Format the report as tables of means over examples and units."""
        curve = zip(
            self.bound.num_samples,
            self.bound.bound,
            self.effective_samples,
            strict=True,
        )
        lines = ["noise samples S   bound L(S), nats   effective samples"]
        lines += [f"{int(s):15d}   {b:16.4f}   {e:17.2f}" for s, b, e in curve]
        found = jax.tree_util.tree_leaves_with_path(
            self.net_variance, is_leaf=lambda part: isinstance(part, NetVariance)
        )
        dead = jax.tree.leaves(self.dead_share)
        names = [
            jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in found
        ]
        width = max(14, *map(len, names))
        lines += ["", f"{'pre-activations':{width}}   variance   dead units"]
        for i, (name, (_, part)) in enumerate(zip(names, found, strict=True)):
            share = f"{float(dead[i]):10.0%}" if dead else "         -"
            variance = float(jnp.mean(part.measured))
            lines.append(f"{name or 'outputs':{width}}   {variance:8.4g}   {share}")
        return "\n".join(lines)

    def plot(self) -> Any:
        """Plot the bound and the effective samples against S, with Matplotlib."""
        from noisejax import figures  # needs Matplotlib

        return figures.bound_curve(
            np.asarray(self.bound.num_samples),
            np.asarray(self.bound.bound),
            standard_error=np.asarray(self.bound.standard_error),
            effective_samples=np.asarray(self.effective_samples),
        )


def report_noise(
    key: noise.Key,
    apply_fn: Callable[..., Any],
    params: PyTree[Array],
    x: Float[Array, "batch ..."],
    y: PyTree[Array],
    *,
    log_prob_fn: Callable[[Array, Array], Float[Array, " batch"]] | None = None,
    num_samples: int = 64,
    num_draws: int = 20,
) -> NoiseReport:
    """Measure the bound for several S, and the variance of pre-activations.

    JAX compiles the measurements once for each pair of functions and each shape, so use
    the same `apply_fn` for all parameters. There is a UserWarning in three cases:

    - log-probabilities of integer targets are above 0;
    - one sample has almost all of the importance weight;
    - more than a third of the units of a layer are dead.

    Args:
      key: typed or raw PRNG key. Consumed.
      apply_fn: noisy forward pass (params, key, x) -> outputs or (outputs,
        pre-activations), such as `layers.functional` of a Linen or NNX model.
        Pre-activations are a pytree as in `net_variance`.
      params: parameters of the model.
      x: examples, [B, ...].
      y: targets, an array or a pytree of arrays.
      log_prob_fn: function (outputs, y) -> log p(y | x, ε), [B]. By default the outputs
        are logits and y has class labels.
      num_samples: number of noise samples of the bound, which run sequentially. If this
        is not a power of 2, the largest S does not use all samples.
      num_draws: number of draws for the variance, at least 2.

    Returns:
      The report. If `apply_fn` returns only outputs, `net_variance` is the variance of
      the outputs.

    Raises:
      TypeError: `key` is not a PRNG key. ValueError: `num_samples` is below 1,
      `num_draws` is below 2, or `apply_fn` returns
        a tuple that is not a pair of outputs and pre-activations.

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
    if num_samples < 1:
        raise ValueError(f"num_samples must be at least 1, got {num_samples}")
    log_prob_fn = objectives.label_log_prob if log_prob_fn is None else log_prob_fn
    options = num_samples, num_draws
    report = _report(apply_fn, log_prob_fn, *options, noise.as_key(key), params, x, y)
    _warn_of_dead_units(report.dead_share)
    _warn_of_losses(report.positive_share, y)
    size = 2 ** (len(report.effective_samples) - 1)
    _warn_of_collapse(report.effective_samples[-1], size)
    return report


@functools.partial(jax.jit, static_argnums=range(4))
def _report(apply_fn, log_prob_fn, num_samples, num_draws, key, params, x, y):
    """Compute the report, without warnings."""

    def outputs_and_nets(params, key, x):
        result = apply_fn(params, key, x)
        if not isinstance(result, tuple):
            return result, None
        return _check_pair(result, len(jax.tree.leaves(x)[0]))

    def one_sample(sample_key):
        outputs, nets = outputs_and_nets(params, sample_key, x)
        active = jax.tree.map(lambda z: (z > 0).any(tuple(range(z.ndim - 1))), nets)
        return log_prob_fn(outputs, y), active

    def nets(params, key, x):
        outputs, nets = outputs_and_nets(params, key, x)
        return outputs if nets is None else nets

    bound_key, net_key = jax.random.split(key)
    keys = jax.random.split(bound_key, num_samples)
    log_probs, active = lax.map(jax.checkpoint(one_sample), keys)
    bound = objectives.bound_curve(log_probs)
    effective = [_effective_samples(log_probs, 2**i) for i in range(len(bound.bound))]
    return NoiseReport(
        bound=bound,
        effective_samples=jnp.stack(effective),
        dead_share=jax.tree.map(lambda units: jnp.mean(~units.any(axis=0)), active),
        net_variance=net_variance(net_key, nets, params, x, num_draws=num_draws),
        positive_share=jnp.mean(log_probs > 0, dtype=jnp.float32),
    )


def _check_pair(result: tuple[Any, ...], batch_size: int) -> tuple[Any, PyTree[Array]]:
    """Return the pair; raise unless it is (outputs, pre-activations)."""
    nets = jax.tree.leaves(result[1:])
    fits = all(
        jnp.issubdtype(jnp.result_type(z), jnp.floating)
        and jnp.ndim(z) > 1
        and len(z) == batch_size
        for z in nets
    )
    if len(result) != 2 or not nets or not fits:
        shapes = [(jnp.shape(z), str(jnp.result_type(z))) for z in nets]
        raise ValueError(
            "apply_fn must return outputs, or a pair (outputs, pre-activations) with "
            f"floating pre-activations [{batch_size}, ...]; got a tuple of "
            f"{len(result)}, with {shapes} after its first entry. To report on the "
            "outputs alone, pass lambda params, key, x: apply_fn(params, key, x)[0]"
        )
    return result[0], result[1]


def _warn_of_losses(positive_share: Array, y: PyTree[Array]) -> None:
    """Warn if integer targets have log-probabilities above 0, except under tracing."""
    dtypes = [jnp.asarray(leaf).dtype for leaf in jax.tree.leaves(y)]
    discrete = all(jnp.issubdtype(dtype, jnp.integer) for dtype in dtypes)
    if isinstance(positive_share, Tracer) or not discrete:
        return
    if float(positive_share) > 0:
        warnings.warn(
            "log_prob_fn must return log p(y | x), at most 0 for integer targets; "
            f"{float(positive_share):.0%} of the values are above 0. If it returns a "
            "loss, return its negative",
            stacklevel=3,
        )


def _warn_of_dead_units(dead_share: PyTree[Array]) -> None:
    """Warn if many units of a layer are never active, except under tracing."""
    for path, share in jax.tree_util.tree_leaves_with_path(dead_share):
        if isinstance(share, Tracer) or float(share) <= MANY:
            continue
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        warnings.warn(
            f"{float(share):.0%} of the units of pre-activations {name} are at most 0 "
            "on all examples and samples. With a ReLU they are dead. Lower the "
            "learning rate, warm it up, or centre the inputs",
            stacklevel=3,
        )


def _warn_of_collapse(effective: Array, size: int) -> None:
    """Warn if one of `size` samples has almost all the weight, except under tracing."""
    if size < 4 or isinstance(effective, Tracer):
        return
    if float(effective) < 1 + COLLAPSED * (size - 1):
        warnings.warn(
            f"importance weights of {size} noise samples count as "
            f"{float(effective):.2f} samples, because one sample has almost all the "
            "weight. This is common for long sequences. Use weighting='blocks' or "
            "'equal' in objectives.iwsgd",
            stacklevel=3,
        )


def _effective_samples(
    log_probs: Float[Array, "samples examples"], size: int
) -> Float[Array, ""]:
    """Return the mean number over examples and groups of `size` samples."""
    whole = len(log_probs) // size * size
    groups = log_probs[:whole].reshape(-1, size, log_probs.shape[1]).swapaxes(0, 1)
    weights = objectives.importance_weights(groups)
    return objectives.effective_samples(weights).mean()

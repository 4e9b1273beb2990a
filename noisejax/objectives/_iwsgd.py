"""IWSGD, a loss with several noise samples per example (Noh et al. 2017, eqs. 4, 7).

-L(S) = -1/B Σ_b log (1/S) Σ_s p(y_b | x_b, ε_s),   ∇L(S) = 1/B Σ_b Σ_s w_s ∇ log p_s
"""

import dataclasses
import operator
from collections.abc import Callable
from typing import Any

import jax
from jax import numpy as jnp
from jaxtyping import Array, Bool, Float

from noisejax.objectives._arguments import (
    Noise,
    check_log_prob_fn,
    check_noise,
    num_examples,
)
from noisejax.objectives._resample import resample
from noisejax.objectives._strategies import fold_samples, map_samples, vmap_samples
from noisejax.objectives._weights import (
    effective_samples,
    importance_weights,
    iw_log_likelihood,
)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class IWSGDAux:
    """Log-likelihoods and weights of S noise samples for B examples.

    With weighting="blocks" the arrays have a last axis of K blocks.

    Attributes:
      log_probs: log-likelihoods log p(y | x, ε_s), [S, B].
      weights: importance weights of the samples, or 1 / S, [S, B].
      effective_samples: effective number of samples, 1 / Σ_s w_s², [B], from 1 to S.
      user_aux: auxiliary output of `log_prob_fn`; None unless `has_aux` is True.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import noise, objectives
      >>> def log_prob(w, key, x):
      ...     return -jnp.square(noise.dropout(key, x * w, rate=0.5) - 1)
      >>> loss_fn = objectives.iwsgd(log_prob, num_samples=4)
      >>> _, aux = loss_fn(jnp.float32(1), jax.random.key(0), jnp.ones(3))
      >>> (aux.bound >= aux.bound_at_1).all()
      Array(True, dtype=bool)
    """

    log_probs: Float[Array, "S B"]
    weights: Float[Array, "S B"]
    effective_samples: Float[Array, " B"]
    user_aux: Any

    @property
    def bound(self) -> Float[Array, " B"]:
        """L(S) per example:  log (1/S) Σ_s p_s (eq. 4), summed over blocks."""
        return _sum_blocks(iw_log_likelihood(self.log_probs))

    @property
    def bound_at_1(self) -> Float[Array, " B"]:
        """L(1) per example:  (1/S) Σ_s log p_s, the objective of dropout (eq. 9)."""
        return _sum_blocks(jnp.mean(self.log_probs, axis=0))

    @property
    def impossible(self) -> Bool[Array, " B"]:
        """True for examples with likelihood 0 under all samples; the loss is +inf."""
        return self.bound == -jnp.inf


LossFn = Callable[..., tuple[Float[Array, ""], IWSGDAux]]


def _sum_blocks(values: Float[Array, "B ..."]) -> Float[Array, " B"]:
    return jnp.sum(values, axis=tuple(range(1, values.ndim)))


_STRATEGIES = {"vmap": vmap_samples, "map": map_samples, "fold": fold_samples}
_OBJECTIVES = {
    "importance": iw_log_likelihood,
    "equal": lambda log_probs: jnp.mean(log_probs, axis=0),
    "blocks": lambda log_probs: _sum_blocks(iw_log_likelihood(log_probs)),
}


def iwsgd(
    log_prob_fn: Callable[..., Any],
    *,
    num_samples: int,
    strategy: str = "vmap",
    weighting: str = "importance",
    has_aux: bool = False,
) -> LossFn:
    """Make the IWSGD loss:  -1/B Σ_b log (1/S) Σ_s p(y_b | x_b, ε_s).

    This loss is eq. 4 of Noh et al. (2017). Its gradient is eq. 7, the sum of the
    gradients of the samples, weighted by importance. With one sample, the loss is the
    usual negative log-likelihood under noise.

    The layers before the first noise give the same result for all samples. The
    strategies "vmap" and "resample" compute this result once. The strategies "fold" and
    "map" compute it for each sample. To avoid the repetition, compute it outside
    `log_prob_fn` and pass it in the batch. The gradient is the same:

        def loss(params, key, x, y):
            hidden = encode(params, x)                # layers without noise
            return loss_fn(params, key, hidden, y)    # log_prob_fn starts at hidden

    The layers before the first noise have one backward pass. If a custom_vjp in these
    layers clips gradients, it clips the weighted sum over the samples.

    Args:
      log_prob_fn: pure function (params, noise, *batch) -> log p(y | x, noise), [B],
        the log-likelihood of the whole target of each example. For a classifier, return
        minus the cross-entropy. To mask a log(0), mask the argument of the logarithm,
        because a mask on the result gives gradients of NaN.
      num_samples: number of noise samples per example, S.
      strategy: method to compute the samples. All methods except "resample" compute the
        same gradient.
        "vmap": run all samples at once with `jax.vmap`.
        "map": run one sample after another, with the memory of one sample and one
          gradient. This takes about a third longer. On a CPU convolutions take much
          longer, except `models.convolutions`.
        "fold": run one call with S adjacent copies of each example. Batch statistics
          are computed over all copies. This is the fastest method for dense networks
          with noise on the input.
        "resample": run S forward passes, and one backward pass per example for a sample
          drawn by its weight. The gradient is unbiased, has a higher variance, and
          needs less than half of the operations. Noise that a batch shares is drawn for
          each example. `log_prob_fn` runs on one example at a time under `jax.vmap`, so
          it must treat examples independently; call `check_independence` once. If
          `log_prob_fn` mixes examples, the result is wrong without an error.
      weighting: weights of the samples.
        "importance": weights by the likelihood of the whole target (eq. 8).
        "equal": weights 1 / S, a control with equal cost. The loss is the mean of
          -log p_s.
        "blocks": weights by the likelihood of each block of a target. `log_prob_fn`
          returns the log-likelihoods of K blocks, [B, K], as
          `sequence_log_prob(..., block_size=n)` does, which describes the bound. This
          weighting cannot be combined with "resample".
      has_aux: True if `log_prob_fn` returns a pair ([B], aux).

    Returns:
      Function loss_fn(params, noise, *batch) -> (loss, IWSGDAux).
        noise: key (typed, or raw uint32[2]), or pytree of samples to replay. The first
          axis of each leaf is S.
          "vmap", "map": sample s receives jax.random.split(key, S)[s], or leaf[s]. The
            first axis of user_aux is S.
          "fold": `log_prob_fn` receives the key, or leaves [B·S, ...], which are made
            from [S, B, ...] or [S, 1, ...]. Copy b·S + s is sample s of example b.
            user_aux is the output of the single call.
          "resample": k_noise, k_pick = split(key). Sample s of example b receives
            split(k_noise, (S, B))[s, b], or leaf[s, b:b+1] of leaves [S, B, ...]. For
            leaves, k_pick is a hash of the log-likelihoods. user_aux belongs to the
            chosen samples, and its first axis is B.
        batch: arrays with first axis B, or scalars, which are passed on unchanged.

    Raises:
      TypeError: `log_prob_fn` is not a function, or `num_samples` is not an integer.
      ValueError: `num_samples` is below 1, or the strategy or weighting is unknown.
        `loss_fn` raises it if samples, batch or log-likelihoods have a wrong shape.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import noise, objectives
      >>> def log_prob(w, key, x, y):
      ...     logits = noise.dropout(key, x, rate=0.5) @ w
      ...     return objectives.label_log_prob(logits, y)
      >>> loss_fn = objectives.iwsgd(log_prob, num_samples=8, strategy="fold")
      >>> x, y, w = jnp.ones((4, 6)), jnp.arange(4) % 3, jnp.eye(6, 3)
      >>> gradient_fn = jax.grad(loss_fn, has_aux=True)
      >>> gradient, aux = gradient_fn(w, jax.random.key(0), x, y)
      >>> gradient.shape, aux.weights.shape
      ((6, 3), (8, 4))

    Reference:
      Noh et al., "Regularizing deep neural networks by noise: its interpretation and
      optimization", NIPS 2017.
    """
    num_samples = _check_num_samples(num_samples)
    _check_choice("strategy", strategy, (*_STRATEGIES, "resample"))
    _check_choice("weighting", weighting, _OBJECTIVES)
    if (strategy, weighting) == ("resample", "blocks"):
        raise ValueError(
            "weighting='blocks' needs strategy='vmap', 'map' or 'fold', got "
            "'resample', which chooses one sample for the whole target"
        )
    by_block, objective = weighting == "blocks", _OBJECTIVES[weighting]
    log_prob = check_log_prob_fn(log_prob_fn, has_aux=has_aux, by_block=by_block)

    def loss_fn(params: Any, noise: Noise, *batch: Any):
        size = num_examples(batch)
        if size is None and strategy in ("fold", "resample"):
            raise ValueError(
                f"strategy={strategy!r} needs a batch, and none was passed. Call "
                "loss_fn(params, noise, *batch), or use strategy='vmap'"
            )
        check_noise(noise, num_samples, strategy, size)
        if strategy == "resample":
            bounds, log_probs, user_aux = resample(
                log_prob, num_samples, params, noise, batch, objective
            )
        else:
            run = _STRATEGIES[strategy]
            log_probs, user_aux = run(log_prob, num_samples, params, noise, batch)
            bounds = objective(log_probs)
        weights = importance_weights(log_probs)
        if weighting == "equal":
            weights = jnp.full_like(weights, 1 / num_samples)
        aux = IWSGDAux(log_probs, weights, effective_samples(weights), user_aux)
        return -jnp.mean(bounds), aux

    return loss_fn


def _check_num_samples(num_samples: int) -> int:
    rule = "num_samples is the number of noise samples per example, an integer above 0"
    try:
        number = operator.index(num_samples)
    except TypeError as error:
        raise TypeError(f"{rule}; got {num_samples!r}") from error
    if number < 1 or isinstance(num_samples, bool):
        raise ValueError(f"{rule}; got {num_samples!r}")
    return number


def _check_choice(name: str, value: str, valid: Any) -> None:
    if value not in valid:
        raise ValueError(f"{name} must be one of {sorted(valid)}, got {value!r}")

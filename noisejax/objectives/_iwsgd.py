"""IWSGD: several noise samples per example, weighted by importance."""

import dataclasses
import operator
from collections.abc import Callable
from typing import Any

import jax
from jax import numpy as jnp
from jaxtyping import Array, Bool, Float

from noisejax.objectives._call import PureFn, checked
from noisejax.objectives._noise import Noise
from noisejax.objectives._resample import resample
from noisejax.objectives._strategies import fold_samples, map_samples, vmap_samples
from noisejax.objectives._weights import (
    check_log_probs,
    effective_samples,
    importance_weights,
    iw_log_likelihood,
)

_EXACT = {"vmap": vmap_samples, "map": map_samples, "fold": fold_samples}
STRATEGIES = (*_EXACT, "resample")
WEIGHTINGS = ("importance", "equal")


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class IWSGDAux:
    """What IWSGD knows besides the loss, of S noise samples and B examples.

    Attributes:
      log_probs: log p(y | x, ε_s), [S, B].
      weights: of the samples' gradients, [S, B]: by importance, or 1 / S.
      effective_samples: 1 / Σ_s w_s², [B], from 1 to S.
      user_aux: of the log-likelihood function. None without `has_aux`.

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
        """L(S) per example, log (1/S) Σ_s p_s (Noh et al. 2017, eq. 4)."""
        return iw_log_likelihood(self.log_probs)

    @property
    def bound_at_1(self) -> Float[Array, " B"]:
        """L(1) per example, (1/S) Σ_s log p_s: what dropout's loss bounds (eq. 9)."""
        return jnp.mean(self.log_probs, axis=0)

    @property
    def impossible(self) -> Bool[Array, " B"]:
        """The examples that have likelihood 0 under every sample: the loss is +inf."""
        return jnp.all(self.log_probs == -jnp.inf, axis=0)


LossFn = Callable[..., tuple[Float[Array, ""], IWSGDAux]]


def iwsgd(
    log_prob_fn: PureFn,
    *,
    num_samples: int,
    strategy: str = "vmap",
    weighting: str = "importance",
    has_aux: bool = False,
) -> LossFn:
    """The IWSGD loss:  -1/B Σ_b log (1/S) Σ_s p(y_b | x_b, ε_s).

    (Noh et al. 2017, eq. 4; its gradient is eq. 7, importance weights times the
    gradients of the samples.) With one sample it is the ordinary loss under noise.
    Work that `log_prob_fn` does before the noise comes in is done once for all samples.

    Args:
      log_prob_fn: a pure function (params, noise, *batch) -> log p(y | x, noise), [B],
        the log-likelihood of each example's whole target; with `has_aux`, ([B], aux).
        A log(0) within it that is masked afterwards makes gradients NaN: mask the
        argument of the log.
      num_samples: S, noise samples per example.
      strategy: how the samples are run. All but "resample" compute the same.
        "vmap": each sample is a forward pass of its own, all at once.
        "map": one after another, at the memory of one and a gradient, whatever S; a
          third slower than all at once, on a CPU much
          slower where there are convolutions that are not `models.convolutions`.
        "fold": S copies of the batch behind each other in one call, whose batch
          statistics are over all copies; the fastest for dense networks.
        "resample": all samples forward; backward through one per example, drawn by its
          weight. Unbiased with more variance, at less than half the operations. For
          functions that treat examples independently: it calls `log_prob_fn` with one
          example at a time, under vmap. Batch statistics, or noise shared by the
          batch, are refused where they can be seen.
      weighting: "importance", or "equal": the control of equal cost, the mean over s of
        -log p(y | x, ε_s).
      has_aux: whether `log_prob_fn` returns a pair.

    Returns:
      loss_fn(params, noise, *batch) -> (loss, IWSGDAux).
        noise: one key (typed, or a raw uint32[2]), or a pytree of samples to replay,
          whose leaves lead with S.
          "vmap", "map": sample s sees jax.random.split(key, S)[s], or leaf[s];
            user_aux leads with S.
          "fold": the call sees the key itself, or leaves [S·B, ...] (of [S, B, ...], a
            batch axis of size 1 expanded; copy s·B + b is sample s of example b);
            user_aux is that of the call.
          "resample": k_noise, k_pick = split(key); sample s of example b sees
            split(k_noise, (S, B))[s, b], or leaf[s, b:b+1] of leaves [S, B, ...] (the
            key k_pick is then a hash of the log-likelihoods); user_aux is that of the
            chosen samples and leads with B.
        batch: arrays that lead with B; plain numbers are handed on as they are.

    Raises:
      TypeError: `log_prob_fn` is no function, `num_samples` no integer.
      ValueError: `num_samples` below 1; an unknown strategy or weighting. By loss_fn:
        leaves to replay, a batch or a log-likelihood of another shape.

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
    if not callable(log_prob_fn):
        raise TypeError(
            "log_prob_fn must be a function (params, noise, *batch) -> [B], got "
            f"{type(log_prob_fn).__name__}"
        )
    num_samples = check_num_samples(num_samples)
    _check_choice("strategy", strategy, STRATEGIES)
    _check_choice("weighting", weighting, WEIGHTINGS)
    objective = {"importance": iw_log_likelihood, "equal": _mean_over_samples}

    def loss_fn(params: Any, noise: Noise, *batch: Any):
        function = checked(log_prob_fn, has_aux)
        if strategy == "resample":
            bounds, log_probs, user_aux = resample(
                function, num_samples, params, noise, batch, objective[weighting]
            )
        else:
            run = _EXACT[strategy]
            log_probs, user_aux = run(function, num_samples, params, noise, batch)
            bounds = objective[weighting](log_probs)
        weights = importance_weights(log_probs)
        if weighting == "equal":
            weights = jnp.full_like(weights, 1 / num_samples)
        aux = IWSGDAux(log_probs, weights, effective_samples(weights), user_aux)
        return -jnp.mean(bounds), aux

    return loss_fn


def check_num_samples(num_samples: int) -> int:
    """Returns a number of samples as an int; raises for what is none."""
    rule = "num_samples is the number of noise samples per example, an integer above 0"
    try:
        number = operator.index(num_samples)
    except TypeError as error:
        raise TypeError(f"{rule}; got {num_samples!r}") from error
    if number < 1 or isinstance(num_samples, bool):
        raise ValueError(f"{rule}; got {num_samples!r}")
    return number


def _check_choice(name: str, value: str, valid: tuple[str, ...]) -> None:
    if value not in valid:
        raise ValueError(f"{name} must be one of {sorted(valid)}, got {value!r}")


def _mean_over_samples(log_probs: Float[Array, "S B"]) -> Float[Array, " B"]:
    return jnp.mean(check_log_probs(log_probs), axis=0)

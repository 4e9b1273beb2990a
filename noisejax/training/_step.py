"""One step of training: a pure function of state, batch and key."""

import dataclasses
from collections.abc import Callable

import jax
import optax
from flax import linen as nn
from jax import numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from noisejax import noise, objectives
from noisejax.training._mesh import ONE_DEVICE, Placement
from noisejax.training._microbatches import accumulate
from noisejax.training._optimizer import clip_norms
from noisejax.training._state import TrainState
from noisejax.training._task import Task


@dataclasses.dataclass(frozen=True)
class StepConfig:
    """What a step needs besides its arguments; hashable, so that jit may close over it.

    Attributes:
      model: called as model(x, train=...) -> (outputs, activations).
      task: how outputs are judged.
      expected_samples: how many noise samples a forward pass must apply; 0: the
        network trains without noise.
      num_samples: S, noise samples per example.
      strategy: how the S samples are run, as in `objectives.iwsgd`.
      weighting: of the samples, "importance" or "equal".
      max_norm: of a unit's incoming weights; 0: none.
      skip_nonfinite: leave steps out whose loss or gradient is not finite.
      placement: of the batch, or of its copies.
      gradients: whether mean |gradient| of each kernel is among the metrics.
      microbatches: M, parts of a batch that run one after another.
    """

    model: nn.Module
    task: Task
    expected_samples: int
    num_samples: int = 1
    strategy: str = "fold"
    weighting: str = "importance"
    max_norm: float = 0.0
    skip_nonfinite: bool = False
    placement: Placement = ONE_DEVICE
    gradients: bool = False
    microbatches: int = 1


PER_SAMPLE = ("vmap", "map")
"""Strategies that run each sample by itself, with batch statistics of its own."""

StepMetrics = dict[str, Array]

Step = Callable[
    [TrainState, Float[Array, "..."], Int[Array, " batch"], noise.Key],
    tuple[TrainState, StepMetrics],
]


def make_step(config: StepConfig, optimizer: optax.GradientTransformation) -> Step:
    """A step of IWSGD; with one noise sample per example, of ordinary noisy training.

    (state, x, y, key) -> (state, metrics), the metrics:
      loss: minus the mean over examples of the bound (Noh et al. 2017, eq. 4), [].
      error: of the noisy network, mean over samples and examples, [].
      loss_at_1, where S > 1: the loss of one sample, which `loss` improves on, [].
      effective_samples, where S > 1: 1 / Σ w², mean over examples, [].
      gradient/layer/kernel, where asked for: mean |∂E/∂W| (Hahn, eq. 5), [].

    Raises:
      RuntimeError: while tracing, where the network applies fewer noise samples than
        `expected_samples`: its noise is off though it is asked for.
    """
    noisy = config.expected_samples > 0
    folded = config.num_samples > 1 and config.strategy == "fold"
    shard = config.placement.copies if folded else config.placement.batch

    def gradients_of(params, batch_stats, x, y, key):
        def log_prob(params, key, x, y):
            if config.strategy != "resample":  # there a call has one example
                x, y = shard((x, y))
            variables = {"params": params, "batch_stats": batch_stats}
            rngs = {"dropout": key} if noisy else None
            with noise.count_samples() as count:
                (outputs, _), updated = config.model.apply(
                    variables, x, train=True, rngs=rngs, mutable=["batch_stats"]
                )
            if count.applied < config.expected_samples:
                raise RuntimeError(
                    f"the network applied {count.applied} noise samples where the "
                    f"configuration asks for {config.expected_samples}: its noise is "
                    "off"
                )
            error = config.task.error(outputs, x, y)
            log_probs = config.task.log_prob(outputs, x, y)
            return log_probs, (error, updated.get("batch_stats", {}))

        loss_fn = objectives.iwsgd(
            log_prob,
            num_samples=config.num_samples,
            strategy=config.strategy,
            weighting=config.weighting,
            has_aux=True,
        )
        gradient_fn = jax.value_and_grad(loss_fn, has_aux=True)
        (loss, aux), gradients = gradient_fn(params, key, x, y)
        error, batch_stats = aux.user_aux
        if config.strategy in PER_SAMPLE:  # running averages take the mean over samples
            batch_stats = jax.tree.map(lambda leaf: jnp.mean(leaf, axis=0), batch_stats)
        metrics = {"loss": loss, "error": jnp.mean(error)}
        if config.num_samples > 1:
            metrics["loss_at_1"] = -jnp.mean(aux.bound_at_1)
            metrics["effective_samples"] = jnp.mean(aux.effective_samples)
        return gradients, batch_stats, metrics

    if config.microbatches > 1:
        gradients_of = accumulate(gradients_of, config.microbatches)

    def step(state, x, y, key):
        gradients, batch_stats, metrics = gradients_of(
            state.params, state.batch_stats, x, y, key
        )
        updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        if config.max_norm:
            params = clip_norms(params, config.max_norm)
        new = state.replace(
            params=params,
            batch_stats=batch_stats,
            opt_state=opt_state,
            step=state.step + 1,
        )
        if config.skip_nonfinite:
            finite = jnp.isfinite(metrics["loss"]) & jnp.isfinite(
                optax.tree.norm(gradients)
            )
            skipped = state.replace(step=state.step + 1, skipped=state.skipped + 1)
            new = jax.tree.map(lambda n, s: jnp.where(finite, n, s), new, skipped)
        if config.gradients:
            metrics |= _mean_gradients(gradients)
        return new, metrics

    return step


def _mean_gradients(gradients: PyTree[Array]) -> StepMetrics:
    """Of every kernel, by its path: of the batch's mean loss."""
    return {
        f"gradient/{jax.tree_util.keystr(path, simple=True, separator='/')}": jnp.mean(
            jnp.abs(leaf)
        )
        for path, leaf in jax.tree_util.tree_leaves_with_path(gradients)
        if leaf.ndim > 1
    }

"""Training step: a pure function of state, batch and key."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import optax
from flax import linen as nn
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float, Int, PyTree, Shaped

from noisejax import layers, noise, objectives
from noisejax.training._mesh import ONE_DEVICE, Placement
from noisejax.training._optimizer import clip_norms, merge_params, split_params
from noisejax.training._state import TrainState
from noisejax.training._task import Task

PER_SAMPLE = ("vmap", "map")
"""Strategies with a forward pass and batch statistics for each sample."""

Metrics = dict[str, Float[Array, ""]]

Step = Callable[
    [TrainState, Float[Array, "..."], Int[Array, " batch"], noise.Key],
    tuple[TrainState, Metrics],
]


def make_step(
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    task: Task,
    *,
    expected_samples: int,
    num_samples: int = 1,
    strategy: str = "fold",
    weighting: str = "importance",
    microbatches: int = 1,
    trainable: str = "",
    max_norm: float = 0.0,
    skip_nonfinite: bool = False,
    mean_gradients: bool = False,
    placement: Placement = ONE_DEVICE,
) -> Step:
    """Make a step of IWSGD, which with one noise sample is ordinary noisy training.

    Args:
      model: network, called as model(*task.inputs(x, y), train=...) -> (outputs,
        activations).
      optimizer: optimizer of the trained parameters.
      task: likelihood and error of the outputs.
      expected_samples: number of noise samples that a forward pass must apply; 0 for
        a network without noise.
      num_samples: number S of noise samples per example.
      strategy: strategy of `objectives.iwsgd`.
      weighting: weighting of the samples, "importance" or "equal".
      microbatches: number M of parts of a batch, which run one after another.
      trainable: pattern for the names of trained parameters, see `split_params`.
      max_norm: largest norm of a unit's incoming weights; 0: no limit.
      skip_nonfinite: True to skip steps whose loss or gradient is not finite.
      mean_gradients: True to measure mean |gradient| of each kernel.
      placement: sharding of the batch and of the copies of each example.

    Returns:
      step(state, x, y, key) -> (state, metrics), with the scalar metrics
        loss: minus the mean over examples of the bound (Noh et al. 2017, eq. 4).
        error: error of the noisy network, mean over samples and examples.
        loss_at_1, if S > 1: loss with one sample, an upper bound of `loss`.
        effective_samples, if S > 1: 1 / Σ w², mean over examples.
        gradient/layer/kernel, if measured: mean |∂E/∂W| (Hahn, eq. 5).

    Raises:
      RuntimeError: while tracing, if the network applies fewer noise samples than
        `expected_samples`.
    """
    folded = num_samples > 1 and strategy == "fold"
    shard = placement.copies if folded else placement.batch
    if strategy == "resample":  # each call has one example
        shard = None
    log_prob = make_log_prob(model, task, expected_samples, shard)

    def gradients_of(frozen, params, batch_stats, x, y, key):
        def log_prob_fn(params, key, x, y):
            return log_prob(batch_stats, merge_params(params, frozen), key, x, y)

        loss_fn = objectives.iwsgd(
            log_prob_fn,
            num_samples=num_samples,
            strategy=strategy,
            weighting=weighting,
            has_aux=True,
        )
        if strategy == "vmap":
            key = placement.samples(jax.random.split(key, num_samples))
        gradient_fn = jax.value_and_grad(loss_fn, has_aux=True)
        (loss, aux), gradients = gradient_fn(params, key, x, y)
        error, batch_stats = aux.user_aux
        if strategy in PER_SAMPLE:  # average the running averages over samples
            batch_stats = jax.tree.map(lambda leaf: jnp.mean(leaf, axis=0), batch_stats)
        metrics = {"loss": loss, "error": jnp.mean(error)}
        if num_samples > 1:
            metrics["loss_at_1"] = -jnp.mean(aux.bound_at_1)
            metrics["effective_samples"] = jnp.mean(aux.effective_samples)
        return gradients, batch_stats, metrics

    def step(state, x, y, key):
        params, frozen = split_params(state.params, trainable)
        gradient_fn = functools.partial(gradients_of, frozen)
        if microbatches > 1:
            gradient_fn = accumulate(gradient_fn, microbatches)
        with layers.control_noise(step=state.step):
            gradients, batch_stats, metrics = gradient_fn(
                params, state.batch_stats, x, y, key
            )
        updates, opt_state = optimizer.update(gradients, state.opt_state, params)
        params = optax.apply_updates(params, updates)
        if max_norm:
            params = clip_norms(params, max_norm)
        new = state.replace(
            params=merge_params(params, frozen),
            batch_stats=batch_stats,
            opt_state=opt_state,
            step=state.step + 1,
        )
        if skip_nonfinite:
            finite = jnp.isfinite(metrics["loss"]) & jnp.isfinite(
                optax.tree.norm(gradients)
            )
            skipped = state.replace(step=state.step + 1, skipped=state.skipped + 1)
            new = jax.tree.map(lambda n, s: jnp.where(finite, n, s), new, skipped)
        if mean_gradients:
            metrics |= {
                f"gradient/{jax.tree_util.keystr(path, simple=True, separator='/')}": (
                    jnp.mean(jnp.abs(leaf))
                )
                for path, leaf in jax.tree_util.tree_leaves_with_path(gradients)
                if leaf.ndim > 1
            }
        return new, metrics

    return step


def make_log_prob(
    model: nn.Module,
    task: Task,
    expected_samples: int,
    shard: Callable[[PyTree[Array]], PyTree[Array]] | None = None,
) -> Callable[..., Any]:
    """Make the log-likelihood function of a step.

    Args:
      model: network of the step.
      task: likelihood and error of the outputs.
      expected_samples: number of noise samples that the network must apply.
      shard: function that constrains the sharding of the batch (x, y), or None.

    Returns:
      log_prob(batch_stats, params, key, x, y) -> (log-likelihoods [B], (errors [B],
      new batch statistics)).
    """

    def log_prob(batch_stats, params, key, x, y):
        if shard is not None:
            x, y = shard((x, y))
        variables = {"params": params, "batch_stats": batch_stats}
        rngs = {"dropout": key} if expected_samples else None
        with noise.count_samples() as count:
            (outputs, _), updated = model.apply(
                variables,
                *task.inputs(x, y),
                train=True,
                rngs=rngs,
                mutable=["batch_stats"],
            )
        if count.applied < expected_samples:
            raise RuntimeError(
                f"the network applied {count.applied} noise samples instead of "
                f"{expected_samples}: a noisy layer did not draw its noise"
            )
        aux = task.error(outputs, x, y), updated.get("batch_stats", {})
        return task.log_prob(outputs, x, y), aux

    return log_prob


def accumulate(
    gradients_of: Callable[..., Any], microbatches: int
) -> Callable[..., Any]:
    """Average a gradient function over M parts of a batch, one part after another.

    g = (1/M) Σ g_m, and the metrics are averaged in the same way. All parts have the
    same size, so g is the gradient of the batch if there are no noise and no batch
    statistics. Part m uses the key split(key, M)[m]. Each part updates the running
    averages of the part before.

    Args:
      gradients_of: function (params, batch_stats, x [B, ...], y [B], key) ->
        (gradients, batch_stats, metrics []), where gradients and metrics are means over
        B.
      microbatches: number M of parts, which must divide B.
    """

    def accumulated(params, batch_stats, x, y, key):
        def body(carry, part):
            sums, batch_stats = carry
            x, y, key = part
            gradients, batch_stats, metrics = gradients_of(
                params, batch_stats, x, y, key
            )
            sums = jax.tree.map(jnp.add, sums, (gradients, metrics))
            return (sums, batch_stats), ()

        def first(parts):
            return gradients_of(
                params, batch_stats, *jax.tree.map(lambda leaf: leaf[0], parts)
            )

        keys = jax.random.split(key, microbatches)
        parts = (*split_batch((x, y), microbatches), keys)
        gradients, _, metrics = jax.eval_shape(first, parts)
        zeros = jax.tree.map(
            lambda s: jnp.zeros(s.shape, s.dtype), (gradients, metrics)
        )
        (sums, batch_stats), _ = lax.scan(body, (zeros, batch_stats), parts)
        gradients, metrics = jax.tree.map(lambda s: s / microbatches, sums)
        return gradients, batch_stats, metrics

    return accumulated


def split_batch(
    tree: PyTree[Shaped[Array, "batch ..."]], microbatches: int
) -> PyTree[Shaped[Array, "microbatches part ..."]]:
    """Make parts of every M-th example, so that all devices share each part."""

    def split(leaf):
        return leaf.reshape(-1, microbatches, *leaf.shape[1:]).swapaxes(0, 1)

    return jax.tree.map(split, tree)

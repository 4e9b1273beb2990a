"""Search for the first value that is NaN or infinite, once a step has gone wrong."""

import jax
import numpy as np
from flax import linen as nn
from jax import numpy as jnp
from jaxtyping import Array, Bool, Int, PyTree

from noisejax.training._batches import Batches, as_seen, plan_calls
from noisejax.training._epoch import Call, Table, copy
from noisejax.training._processes import on_host
from noisejax.training._program import Phase, Program
from noisejax.training._state import TrainState, step_key
from noisejax.training._step import split_batch
from noisejax.training._task import Task

SHOWN = 5
"""Number of examples that a message names."""


@jax.jit
@jax.vmap
def all_finite(state: TrainState) -> Bool[Array, " seeds"]:
    """True for seeds whose parameters and running averages are all finite."""
    leaves = jax.tree.leaves((state.params, state.batch_stats))
    return jnp.all(jnp.asarray([jnp.isfinite(leaf).all() for leaf in leaves]))


def describe_nonfinite(
    program: Program,
    phase: Phase,
    call: Call,
    batches: Batches,
    before: TrainState,
    stopped: Bool[np.ndarray, " seeds"],
    epoch: int,
    begin: int,
    state: TrainState,
    table: Table,
) -> str | None:
    """Say where NaN or infinity came from, if a seed has reached it.

    Args:
      program: program of the run.
      phase: phase of the epoch.
      call: compiled steps of the epoch.
      batches: batches of the epoch.
      before: states at its step `begin`.
      stopped: True for seeds that do not count.
      epoch: number of the epoch in its phase.
      begin: steps of the epoch that `before` has made.
      state: states now.
      table: metrics of all steps so far.
    """
    finite = np.isfinite(table["loss"])
    losses_are_good = finite.any(1) if program.skips else finite.all(1)
    bad = ~(on_host(all_finite(state)) & losses_are_good) & ~stopped
    if not bad.any():
        return None
    i = int(np.argmax(bad))
    on_x = call is phase.call  # x* is neither inverted nor augmented
    found = find_nonfinite(
        call,
        before,
        batches,
        phase.offset + epoch,
        i,
        begin=begin,
        model=program.model,
        task=program.task,
        microbatches=program.microbatches,
        inverted=program.prepared.inverted and on_x,
        augment=program.augment and on_x,
    )
    step = finite.shape[1] - 1 if finite[i].all() else int(np.argmin(finite[i]))
    step, what = found or (step, "the loss or a gradient is not finite")
    return (
        f"{what} at step {step + 1} of epoch {epoch} ({phase.name}), seed "
        f"{program.seed_numbers[i]}"
    )


def find_nonfinite(
    call: Call,
    state: TrainState,
    batches: Batches,
    epoch: int,
    i: int,
    *,
    begin: int,
    model: nn.Module,
    task: Task,
    microbatches: int,
    inverted: bool,
    augment: bool,
) -> tuple[int, str] | None:
    """Repeat an epoch step by step, up to the first value that is not finite.

    Args:
      call: compiled steps, see `make_call`.
      state: states of all seeds at step `begin`.
      batches: batches of the epoch.
      epoch: number of the epoch, counted over phases.
      i: index of the seed that went wrong.
      begin: steps of this epoch that `state` has made.
      model: network of the step.
      task: likelihood of its outputs.
      microbatches: parts of a batch.
      inverted: True to invert the examples.
      augment: True to flip and crop them.

    Returns:
      The index of the step and a description of the value; None if all are finite.
    """
    placement = batches.placement
    group, i = (i, 0) if placement.one_by_one else (0, i)
    state, batches = placement.split(state)[group], batches.split()[group]
    calls, rows = plan_calls(batches.steps, 1, begin), batches.rows(epoch)
    for (number, _), (x, y) in zip(calls, batches.read(epoch, calls), strict=True):
        step = np.int32(number)
        arguments = (x, y, batches.seeds, np.int32(epoch), step)
        after, metrics = call(copy(state), *arguments)
        finite = on_host((all_finite(after), jnp.isfinite(metrics["loss"][:, 0])))
        if np.all(finite, axis=0)[i]:
            state = after
            continue
        before, after, x, y, chosen, seed = jax.tree.map(
            lambda leaf: jnp.asarray(leaf[i]),
            on_host((state, after, x, y, rows[:, number], batches.seeds)),
        )
        seen = as_seen(x[0], seed, epoch, step, inverted=inverted, augment=augment)
        key = step_key(seed, epoch, step)
        parts = [(seen, y[0], key, chosen)]
        if microbatches > 1:
            keys = jax.random.split(key, microbatches)
            seen, y, chosen = split_batch((seen, y[0], chosen), microbatches)
            parts = list(zip(seen, y, keys, chosen, strict=True))
        for part in parts:
            where = _first_nonfinite(model, task, before, *part)
            if where:
                return number, where
        return number, _describe_gradients(after)
    return None


def _first_nonfinite(
    model: nn.Module,
    task: Task,
    state: TrainState,
    x: Array,
    y: Array,
    key: Array,
    rows: Int[Array, " batch"],
) -> str | None:
    """Describe the first value of a forward pass that is not finite, if any."""
    variables = {"params": state.params, "batch_stats": state.batch_stats}
    (outputs, activations), _ = model.apply(
        variables, x, train=True, rngs={"dropout": key}, mutable=["batch_stats"]
    )
    for name, values in activations.items():
        if not jnp.isfinite(values).all():
            return f"the activations of layer {name} are not finite"
    if not jnp.isfinite(outputs).all():
        return "the outputs are not finite"
    log_probs = task.log_prob(outputs, x, y)
    bad = np.asarray(rows)[~np.isfinite(np.asarray(log_probs))]
    if not bad.size:
        return None
    shown = ", ".join(str(row) for row in bad[:SHOWN])
    more = f" and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
    return (
        f"the loss is {float(-jnp.mean(log_probs))} (training examples "
        f"{shown}{more} have no finite log-likelihood)"
    )


def _describe_gradients(after: TrainState) -> str:
    leaves: PyTree[Array] = jax.tree_util.tree_leaves_with_path(
        (after.params, after.batch_stats)
    )
    bad = [
        jax.tree_util.keystr(path[1:], simple=True, separator="/")
        for path, leaf in leaves
        if not jnp.isfinite(leaf).all()
    ]
    return f"the gradient of {', '.join(bad)} is not finite" if bad else "the loss"

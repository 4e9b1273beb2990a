"""Search for the first NaN or infinite value, after a step was not finite."""

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Bool, Int

from noisejax.training._batches import Batches, plan_calls
from noisejax.training._epoch import Steps, Table, copy
from noisejax.training._processes import on_host
from noisejax.training._program import Phase, Program
from noisejax.training._state import TrainState, step_key
from noisejax.training._step import split_batch

SHOWN = 5
"""Largest number of examples that an error message lists."""


@jax.jit
@jax.vmap
def all_finite(state: TrainState) -> Bool[Array, " seeds"]:
    """Return True for seeds whose parameters and running averages are all finite."""
    leaves = jax.tree.leaves((state.params, state.batch_stats))
    return jnp.all(jnp.asarray([jnp.isfinite(leaf).all() for leaf in leaves]))


def describe_nonfinite(
    program: Program,
    phase: Phase,
    steps: Steps,
    batches: Batches,
    before: TrainState,
    after: TrainState,
    table: Table,
    *,
    stopped: Bool[np.ndarray, " seeds"],
    epoch: int,
    begin: int,
) -> str | None:
    """Describe the first non-finite value of a seed that has not stopped.

    `before` contains the states at step `begin` of the epoch, `after` the current
    states, and `table` the metrics of all finished steps of the epoch. Returns None if
    all values are finite.
    """
    finite = np.isfinite(table["loss"])
    losses_are_good = finite.any(1) if program.skips else finite.all(1)
    bad = ~(on_host(all_finite(after)) & losses_are_good) & ~stopped
    if not bad.any():
        return None
    i = int(np.argmax(bad))
    problem = _find_step(
        program, steps, batches, before, phase.offset + epoch, begin, i
    )
    step = finite.shape[1] - 1 if finite[i].all() else int(np.argmin(finite[i]))
    step, what = problem or (step, "the loss or a gradient is not finite")
    return (
        f"{what} at step {step + 1} of epoch {epoch} ({phase.name}), seed "
        f"{program.seed_numbers[i]}"
    )


def _find_step(
    program: Program,
    steps: Steps,
    batches: Batches,
    state: TrainState,
    epoch: int,
    begin: int,
    i: int,
) -> tuple[int, str] | None:
    """Repeat the epoch of seed i step by step, up to the first non-finite value.

    Returns the index of the step and a description of the value, or None.
    """
    placement = program.placement
    group = i if placement.one_by_one else 0
    state, batches = placement.split(state)[group], batches.split()[group]

    def of_seed(tree):
        tree = on_host(tree)
        return tree if placement.one_by_one else jax.tree.map(lambda a: a[i], tree)

    calls, rows = plan_calls(batches.steps, 1, begin), batches.rows(epoch)
    for (number, _), (x, y) in zip(calls, batches.read(epoch, calls), strict=True):
        step = np.int32(number)
        after, metrics = steps.call(
            copy(state), x, y, batches.seeds, np.int32(epoch), step
        )
        new, loss = of_seed((after, metrics["loss"]))
        if (
            np.isfinite(loss).all()
            and all_finite(jax.tree.map(lambda a: a[None], new))[0]
        ):
            state = after
            continue
        state, seed, x, y, chosen = of_seed((state, batches.seeds, x, y, rows))
        state, x, y = jax.tree.map(jnp.asarray, (state, x[0], y[0]))
        key = step_key(jnp.asarray(seed), epoch, step)
        parts = [(steps.see(x, seed, epoch, step), y, chosen[number])]
        keys = [key]
        if program.microbatches > 1:
            keys = jax.random.split(key, program.microbatches)
            parts = zip(*split_batch(parts[0], program.microbatches), strict=True)
        for part, key in zip(parts, keys, strict=True):
            where = _first_nonfinite(program, state, key, *part)
            if where:
                return number, where
        return number, _describe_gradients(new)
    return None


def _first_nonfinite(
    program: Program,
    state: TrainState,
    key: Array,
    x: Array,
    y: Array,
    rows: Int[Array, " batch"],
) -> str | None:
    """Describe the first non-finite value of a forward pass, or return None."""
    variables = {"params": state.params, "batch_stats": state.batch_stats}
    (outputs, activations), _ = program.model.apply(
        variables,
        *program.task.inputs(x, y),
        train=True,
        rngs={"dropout": key},
        mutable=["batch_stats"],
    )
    for name, values in activations.items():
        if not jnp.isfinite(values).all():
            return f"the activations of layer {name} are not finite"
    if not jnp.isfinite(outputs).all():
        return "the outputs are not finite"
    log_probs = program.task.log_prob(outputs, x, y)
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
    leaves = jax.tree_util.tree_leaves_with_path((after.params, after.batch_stats))
    bad = [
        jax.tree_util.keystr(path[1:], simple=True, separator="/")
        for path, leaf in leaves
        if not np.isfinite(leaf).all()
    ]
    return f"the gradient of {', '.join(bad)} is not finite" if bad else "the loss"

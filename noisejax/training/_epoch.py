"""Epochs: compiled steps, the loop over steps, and evaluation without noise."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from flax import linen as nn
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax.training._batches import (
    Batches,
    all_rows,
    plan_calls,
    read_rows,
    rows_in_order,
    to_float,
)
from noisejax.training._mesh import Placement
from noisejax.training._processes import on_host, wait_on_cpus
from noisejax.training._state import TrainState, step_key
from noisejax.training._step import Step
from noisejax.training._task import Task

IN_FLIGHT = 2
"""Largest number of unfinished calls on streamed batches; it bounds the memory."""

Table = dict[str, Float[np.ndarray, "seeds steps"]]
"""Metrics of the steps of an epoch."""


@dataclasses.dataclass(frozen=True)
class Steps:
    """Compiled steps of a group of seeds.

    Attributes:
      call: function (states, x, y, seeds, epoch, first) -> (states, metrics [(seeds,)
        K]) that makes the K steps from step `first` of an epoch on batches
        [(seeds,) K, batch, ...]. The epoch is counted over phases. The states are
        donated.
      see: function (x, seed, epoch, step) -> network input at a step of one seed.
    """

    call: Callable[..., tuple[TrainState, Table]]
    see: Callable[..., Float[Array, "batch ..."]]


def make_steps(step: Step, see: Callable[..., Array], placement: Placement) -> Steps:
    """Compile K steps of a group of seeds.

    One step is compiled without a scan, because XLA on a CPU computes the gradients of
    convolutions many times more slowly within a loop.
    """

    def one_seed(state, x, y, seed, epoch, first):
        def body(state, batch):
            i, x, y = batch
            x, y = placement.batch((see(x, seed, epoch, i), y))
            return step(state, x, y, step_key(seed, epoch, i))

        if len(x) > 1:
            return lax.scan(body, state, (first + jnp.arange(len(x)), x, y))
        state, metrics = body(state, (first, x[0], y[0]))
        return state, jax.tree.map(lambda m: m[None], metrics)

    mapped = placement.over_seeds(one_seed, (0, 0, 0, 0, None, None))

    def call(*arguments):
        return placement.keep_by_seed(mapped(*arguments))

    return Steps(jax.jit(call, donate_argnums=0), see)


def run_epoch(
    steps: Steps,
    state: TrainState,
    batches: Batches,
    epoch: int,
    *,
    steps_per_call: int,
    begin: int = 0,
    table: Table | None = None,
    check: Callable[[TrainState, Table], None] = lambda state, table: None,
    after_call: Callable[[int, Callable[[], Any]], None] | None = None,
) -> tuple[TrainState, Table]:
    """Train all seeds for an epoch. The loop does not wait for the device.

    Args:
      steps: compiled steps.
      state: states of all seeds, which are copied because each call donates states.
      batches: batches of the epoch.
      epoch: number of the epoch, counted over phases.
      steps_per_call: largest number of steps of a call.
      begin: number of steps of this epoch that are already finished.
      table: metrics of the finished steps.
      check: function (state, table) that raises an error if a value is not finite.
      after_call: function that is called after each call with the number of finished
        steps and a function that returns the current (state, table).

    Returns:
      The states on the device, and the metrics of all steps on the host.
    """
    placement = batches.placement
    groups = placement.split(state) if placement.one_by_one else [copy(state)]
    parts = batches.split()
    calls = plan_calls(batches.steps, steps_per_call, begin)
    tables: list[list[Table]] = [[] for _ in groups]

    def reached():
        done = [table] if table else []
        if tables[0]:
            done.append(_fetch(tables, placement))
        result = placement.join(groups), append(done)
        check(*result)
        return result

    sources = [part.read(epoch, calls) for part in parts]
    for (first, count), *examples in zip(calls, *sources, strict=True):
        numbers = np.int32(epoch), np.int32(first)
        for g, (x, y) in enumerate(examples):
            groups[g], metrics = steps.call(groups[g], x, y, parts[g].seeds, *numbers)
            tables[g].append(metrics)
            wait_on_cpus((groups[g], metrics))
        if batches.is_streamed and len(tables[0]) > IN_FLIGHT:
            jax.block_until_ready(tables[0][-IN_FLIGHT - 1])  # bounds the memory used
        if after_call:
            after_call(first + count, reached)
    return reached()


copy = jax.jit(lambda tree: jax.tree.map(jnp.copy, tree))
"""Copy a tree, so that the original survives the donation to a call."""


def append(tables: Sequence[Table]) -> Table:
    """Concatenate metrics [seeds, steps] of several parts of an epoch."""
    return jax.tree.map(lambda *parts: np.concatenate(parts, axis=1), *tables)


def _fetch(tables: Sequence[Sequence[Table]], placement: Placement) -> Table:
    """Fetch the metrics of all groups and calls in one transfer."""
    concatenate = jnp.concatenate
    if jax.process_count() == 1:
        tables, concatenate = on_host(tables), np.concatenate
    groups = [
        jax.tree.map(lambda *parts: concatenate(parts, axis=-1), *calls)
        for calls in tables
    ]
    return on_host(placement.join(groups))


def make_evaluate(
    model: nn.Module,
    task: Task,
    *,
    batch_size: int,
    inverted: bool,
    placement: Placement,
) -> Callable[..., dict[str, Float[np.ndarray, " seeds"]]]:
    """Make the evaluation without noise of all seeds.

    Returns:
      evaluate(state, examples, indices=None) -> {"loss", "error"}, each a mean over all
      examples, or over the rows `indices` [seeds, n] of each seed. `state` has the
      attributes `params` and `batch_stats`.
    """

    def one_seed(totals, params, batch_stats, x, y, counted):
        x, y = placement.batch((to_float(x[0], inverted=inverted), y[0]))
        variables = {"params": params, "batch_stats": batch_stats}
        outputs, _ = model.apply(variables, *task.inputs(x, y), train=False)
        sums = [
            jnp.sum(jnp.where(counted, values, 0.0))
            for values in (-task.log_prob(outputs, x, y), task.error(outputs, x, y))
        ]
        return totals + jnp.stack(sums)

    mapped = placement.over_seeds(one_seed, (0, 0, 0, 0, 0, None))
    add = jax.jit(lambda *arguments: placement.keep_by_seed(mapped(*arguments)))
    size = batch_size + -batch_size % placement.num_data  # a multiple of num_data

    def evaluate(state, examples, indices=None):
        arrays, results = (examples.x, examples.y), []
        if indices is None:
            seeds = len(jax.tree.leaves(state.params)[0])
            indices = all_rows(seeds, len(examples.y))
        variables = (state.params, state.batch_stats, indices)
        for params, batch_stats, chosen in placement.split(variables):
            rows = rows_in_order(chosen, batch_size=size)
            *seeds, steps, _ = rows.shape
            counted = np.arange(steps * size) < chosen.shape[-1]
            totals: Any = np.zeros((*seeds, 2), np.float32)
            calls = plan_calls(steps, 1)
            batches = read_rows(arrays, rows, calls, sharding=placement.batch_sharding)
            for (i, _), batch in zip(calls, batches, strict=True):
                totals = add(
                    totals, params, batch_stats, *batch, counted[i * size :][:size]
                )
                wait_on_cpus(totals)
            results.append(totals)
        loss, error = on_host(placement.join(results)).T / indices.shape[1]
        return {"loss": loss, "error": error}

    return evaluate

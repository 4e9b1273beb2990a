"""An epoch and an evaluation over examples that stay on the host: a program a step.

They take and give what `make_epoch` and `make_evaluate` do; x and y are NumPy arrays.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax.training._epoch import (
    as_seen,
    epoch_batches,
    evaluation_batches,
    step_key,
    sums_of,
    to_float,
)
from noisejax.training._mesh import ONE_DEVICE, Placement
from noisejax.training._over_seeds import over_seeds
from noisejax.training._processes import on_host
from noisejax.training._state import TrainState
from noisejax.training._step import Step, StepConfig
from noisejax.training._stream import stream_batches

IN_FLIGHT = 2
"""Steps that may wait on the device: each holds a batch there."""


def make_streamed_epoch(
    step: Step,
    *,
    batch_size: int,
    inverted: bool,
    augment: bool = False,
    placement: Placement = ONE_DEVICE,
) -> Callable[..., tuple[TrainState, dict[str, Array]]]:
    """An epoch of all seeds at once, of the same batches as `make_epoch`."""
    batches = jax.jit(
        jax.vmap(functools.partial(epoch_batches, batch_size=batch_size), (0, 0, None))
    )

    def one_seed(state, x, y, seed, number, i):
        examples = as_seen(x, seed, number, i, inverted=inverted, augment=augment)
        examples, labels = placement.batch((examples, y))
        return step(state, examples, labels, step_key(seed, number, i))

    mapped = over_seeds(one_seed, (0, 0, 0, 0, None, None), placement=placement)

    def one_step(states, table, x, y, seeds, number, i):
        states, metrics = placement.keep_by_seed(mapped(states, x, y, seeds, number, i))
        table = jax.tree.map(
            lambda t, m: t.at[:, i].set(m, unique_indices=True), table, metrics
        )
        return states, placement.keep_by_seed(table), metrics["loss"]

    run = jax.jit(one_step, donate_argnums=(0, 1))

    def empty_table(states, x, y, seeds, steps):
        """Room for the metrics of every step, [seeds, steps] each."""
        _, metrics = jax.eval_shape(mapped, states, x, y, seeds, 0, 0)
        return {
            name: jnp.zeros((*metric.shape, steps), metric.dtype)
            for name, metric in metrics.items()
        }

    make_table = jax.jit(
        empty_table,
        static_argnames="steps",
        out_shardings=placement.sharding_by_seed,
    )

    def epoch(states, x, y, indices, seeds, number):
        numbers = on_host(seeds)
        rows = np.asarray(batches(on_host(indices), numbers, np.int32(number)))
        steps, table, losses = rows.shape[1], None, []
        for i, batch in enumerate(
            stream_batches((x, y), rows, placement.sharding_of_batches)
        ):
            if table is None:
                table = make_table(states, *batch, seeds, steps=steps)
            states, table, loss = run(states, table, *batch, seeds, number, i)
            losses.append(loss)
            jax.block_until_ready(losses[:-IN_FLIGHT])
            del losses[:-IN_FLIGHT]
        return states, table

    return epoch


def make_streamed_evaluate(
    config: StepConfig,
    *,
    batch_size: int,
    inverted: bool,
    placement: Placement = ONE_DEVICE,
) -> Callable[..., dict[str, Float[np.ndarray, " seeds"]]]:
    """Noise-free evaluation of all seeds at once, likewise."""
    batch_size += -batch_size % placement.num_data  # each device its share

    def one_seed(params, batch_stats, totals, x, y, counted):
        examples, labels = placement.batch((to_float(x, inverted=inverted), y))
        sums = sums_of(config, params, batch_stats, examples, labels, counted)
        return [total + s for total, s in zip(totals, sums, strict=True)]

    mapped = over_seeds(one_seed, (0, 0, 0, 0, 0, None), placement=placement)
    run = jax.jit(lambda *arguments: placement.keep_by_seed(mapped(*arguments)))

    def evaluate(params, batch_stats, x, y, indices):
        indices = on_host(indices)
        n = indices.shape[1]
        rows, counts = _all_batches(indices, batch_size)
        totals: Any = [np.zeros(len(indices), np.float32)] * 2
        batches = stream_batches((x, y), rows, placement.sharding_of_batches)
        for batch, counted in zip(batches, counts, strict=True):
            totals = run(params, batch_stats, totals, *batch, counted)
            jax.block_until_ready(totals)
        loss, error = totals
        return {"loss": loss / n, "error": error / n}

    return evaluate


def _all_batches(indices: np.ndarray, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Of every seed [N, steps, batch], and which count [steps, batch]."""
    batches = [evaluation_batches(own, batch_size) for own in indices]
    rows = np.stack([np.asarray(rows) for rows, _ in batches])
    return rows, np.asarray(batches[0][1])

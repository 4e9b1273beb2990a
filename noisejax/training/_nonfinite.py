"""Where NaN or infinity first came up: looked for only once it is known to be there."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Bool, Int, PyTree

from noisejax.training._epoch import as_seen, epoch_batches, step_key
from noisejax.training._microbatches import split_batch
from noisejax.training._processes import on_host
from noisejax.training._state import TrainState
from noisejax.training._step import Step, StepConfig

SHOWN = 5
"""How many examples a message names."""


def all_finite(tree: PyTree[Array]) -> Bool[Array, ""]:
    """Whether a tree holds neither NaN nor infinity."""
    return jnp.all(jnp.asarray([jnp.isfinite(x).all() for x in jax.tree.leaves(tree)]))


def make_search(
    config: StepConfig,
    step: Step,
    *,
    batch_size: int,
    inverted: bool,
    augment: bool = False,
) -> Callable[..., tuple[int, str]]:
    """Looks for the first bad step of an epoch of one seed.

    Returns:
      search(state, x, y, indices, seed, number) -> (index of the step, what is not
      finite); the arguments are those of an epoch (`make_epoch`), of one seed.
    """

    def batch_of(x, y, batches, seed, number, i):
        batch = batches[i]
        examples = as_seen(
            x[batch], seed, number, i, inverted=inverted, augment=augment
        )
        return examples, y[batch]

    @jax.jit
    def replay(state, x, y, batches, seed, number):
        """The epoch until its first bad step: (index, state before, state after)."""

        def go_on(carry):
            i, _, _, bad = carry
            return ~bad & (i < len(batches))

        def body(carry):
            i, _, state, _ = carry
            key = step_key(seed, number, i)
            new, metrics = step(state, *batch_of(x, y, batches, seed, number, i), key)
            bad = ~(jnp.isfinite(metrics["loss"]) & all_finite(_kept(new)))
            return i + 1, state, new, bad

        start = (jnp.int32(0), state, state, jnp.asarray(False))
        done, before, after, _ = lax.while_loop(go_on, body, start)
        return done - 1, before, after

    def search(state, x, y, indices, seed, number):
        batches = epoch_batches(indices, seed, number, batch_size=batch_size)
        i, before, after = replay(state, x, y, batches, seed, number)
        examples, labels = batch_of(x, y, batches, seed, number, i)
        key = step_key(seed, number, i)
        where = _first_bad(
            config, before, after, examples, labels, key, on_host(batches[i])
        )
        return int(i), where

    return search


def _kept(state: TrainState) -> PyTree[Array]:
    return (state.params, state.batch_stats)


def _first_bad(
    config: StepConfig,
    before: TrainState,
    after: TrainState,
    x: Array,
    y: Array,
    key: Array,
    rows: Int[np.ndarray, " batch"],
) -> str:
    """In the order of computation: activations, loss, gradients by layer."""
    parts = [(x, y, key, rows)]
    if config.microbatches > 1:
        keys = jax.random.split(key, config.microbatches)
        x, y, rows = split_batch((x, y, rows), config.microbatches)
        parts = list(zip(x, y, keys, rows, strict=True))
    for part in parts:
        where = _first_bad_forward(config, before, *part)
        if where:
            return where
    bad = [
        name
        for name, leaf in _named(_kept(after))
        if not np.isfinite(on_host(leaf)).all()
    ]
    return f"the gradient of {', '.join(bad)} is not finite" if bad else "the loss"


def _first_bad_forward(
    config: StepConfig,
    before: TrainState,
    x: Array,
    y: Array,
    key: Array,
    rows: Int[np.ndarray, " batch"],
) -> str | None:
    """The same without gradients; None where all is finite."""
    variables = {"params": before.params, "batch_stats": before.batch_stats}
    (outputs, activations), _ = config.model.apply(
        variables, x, train=True, rngs={"dropout": key}, mutable=["batch_stats"]
    )
    for name, values in activations.items():
        if not all_finite(values):
            return f"the activations of layer {name} are not finite"
    if not all_finite(outputs):
        return "the outputs are not finite"
    log_probs = config.task.log_prob(outputs, x, y)
    if all_finite(log_probs):
        return None
    bad = rows[~np.isfinite(on_host(log_probs))]
    shown = ", ".join(str(row) for row in bad[:SHOWN])
    more = f" and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
    return (
        f"the loss is {float(-jnp.mean(log_probs))} (training examples "
        f"{shown}{more} have no finite log-likelihood)"
    )


def _named(tree: PyTree[Array]) -> list[tuple[str, Any]]:
    """Leaves with their paths: layer/parameter."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    keys = jax.tree_util.keystr
    return [(keys(p[1:], simple=True, separator="/"), leaf) for p, leaf in leaves]

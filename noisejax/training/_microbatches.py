"""The gradient of a batch in parts: the memory of one part, the mean of all."""

from collections.abc import Callable

import jax
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, PyTree, Shaped


def accumulate(gradients_of: Callable, microbatches: int) -> Callable:
    """The same function of a batch, run on M parts of it one after another.

    g = (1/M) Σ g_m, and so the metrics; parts are of one size, so that without noise
    and batch statistics g is the gradient of the batch. Part m takes the noise of
    split(key, M)[m]. Running averages go on from part to part.

    Args:
      gradients_of: (params, batch_stats, x [B, ...], y [B], key) -> (gradients,
        batch_stats, metrics []), means over B.
      microbatches: M, divides B.
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

        parts = (
            *split_batch((x, y), microbatches),
            jax.random.split(key, microbatches),
        )
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
    """Every M-th example to a part: each device then has its share of every part."""

    def split(leaf):
        return leaf.reshape(-1, microbatches, *leaf.shape[1:]).swapaxes(0, 1)

    return jax.tree.map(split, tree)

"""Sums over examples, a chunk at a time, in the memory of one chunk."""

from collections.abc import Callable
from typing import Any

import jax
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, PyTree


def count_examples(batch: tuple[PyTree[Array], ...]) -> int:
    """The leading axis that all arrays of a batch share.

    Raises:
      ValueError: there are no arrays, or they disagree.
    """
    lengths = {jnp.shape(leaf)[:1] for leaf in jax.tree.leaves(batch)}
    if len(lengths) != 1 or () in lengths or (0,) in lengths:
        raise ValueError(
            "all arrays of a batch must lead with the same number of examples, at "
            f"least 1; got leading axes {sorted(lengths)}"
        )
    return lengths.pop()[0]


def sum_over_chunks(
    fn: Callable[..., PyTree[Array]], batch: tuple[PyTree[Array], ...], chunk_size: int
) -> Any:
    """The sum of fn(*chunk) over the chunks of a batch.

    Args:
      fn: of arrays that lead with the examples of a chunk; a sum over them.
      batch: arrays that lead with all examples.
      chunk_size: examples at a time; the last chunk may be smaller.

    Returns:
      What `fn` returns, summed.

    Raises:
      ValueError: `chunk_size` below 1, arrays that disagree in length.
    """
    if chunk_size < 1:
        raise ValueError(f"chunk_size must be at least 1 example, got {chunk_size}")
    n = count_examples(batch)
    chunk_size = min(chunk_size, n)
    whole = n - n % chunk_size

    def split(leaf):
        return leaf[:whole].reshape(-1, chunk_size, *leaf.shape[1:])

    def body(total, chunk):
        return jax.tree.map(jnp.add, total, fn(*chunk)), ()

    chunks = jax.tree.map(split, batch)
    shapes = jax.eval_shape(lambda c: fn(*jax.tree.map(lambda a: a[0], c)), chunks)
    zeros = jax.tree.map(jnp.zeros_like, shapes)  # varies as the sums do in shard_map
    total, _ = lax.scan(body, zeros, chunks)
    if whole == n:
        return total
    rest = jax.tree.map(lambda leaf: leaf[whole:], batch)
    return jax.tree.map(jnp.add, total, fn(*rest))

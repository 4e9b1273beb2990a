"""Exact strategies: run S noise samples at once, one by one, or folded in the batch.

Each function returns log p(y_b | x_b, ε_s) for all samples (Noh et al. 2017, eqs. 4 and
7). The functions differ only in speed, memory and batch statistics.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float, PyTree, Shaped

from noisejax._explicit import apply_sharding, explicit_sharding, explicit_spec
from noisejax.objectives._arguments import LogProb, Noise, is_key, map_examples

Result = tuple[Float[Array, "S B ..."], Any]
"""Log-likelihoods of all samples, and the auxiliary output of `log_prob_fn`."""


def vmap_samples(
    log_prob: LogProb,
    num_samples: int,
    params: Any,
    noise: Noise,
    batch: tuple[Any, ...],
) -> Result:
    """Run all samples at once. Operations without noise are computed once."""

    def one(noise: Noise):
        return log_prob(params, noise, batch)

    return _each(jax.vmap(one), one, _split_key(noise, num_samples), num_samples)


def map_samples(
    log_prob: LogProb,
    num_samples: int,
    params: Any,
    noise: Noise,
    batch: tuple[Any, ...],
) -> Result:
    """Run one sample after another. The backward pass recomputes each forward pass."""
    samples = jax.tree.map(_gather_samples, _split_key(noise, num_samples))

    def one(words: Noise):
        return log_prob(params, jax.tree.map(_wrap_key, words, samples), batch)

    # Words instead of typed keys: the backward pass draws the noise again, which the
    # checker of reused keys would report.
    loop = functools.partial(lax.map, jax.checkpoint(one))
    return _each(loop, one, jax.tree.map(_key_words, samples), num_samples)


def fold_samples(
    log_prob: LogProb,
    num_samples: int,
    params: Any,
    noise: Noise,
    batch: tuple[Any, ...],
) -> Result:
    """Run one call on S copies per example; copy b·S + s is sample s of example b."""
    if not is_key(noise):
        noise, batch = match_shardings(noise, batch)
        noise = jax.tree.map(functools.partial(_fold_leaf, batch), noise)
    copies = map_examples(functools.partial(_repeat, num_samples), batch)
    log_probs, aux = log_prob(params, noise, copies)
    shape = (len(log_probs) // num_samples, num_samples, *log_probs.shape[1:])
    spec = explicit_spec(log_probs)
    sharding = explicit_sharding(log_probs, spec[0], None, *spec[1:])
    by_example = jnp.reshape(log_probs, shape, out_sharding=sharding)
    return jnp.swapaxes(by_example, 0, 1), aux


def _split_key(noise: Noise, num_samples: int) -> Noise:
    return jax.random.split(noise, num_samples) if is_key(noise) else noise


def _each(
    loop: Callable[[Noise], Result],
    one: Callable[[Noise], Result],
    samples: Noise,
    num_samples: int,
) -> Result:
    """Run the loop, or a plain call if there is one sample, as in usual training."""
    if num_samples > 1:
        return loop(samples)
    result = one(jax.tree.map(lambda leaf: leaf[0], samples))
    return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], result)


def _is_typed_key(leaf: Array) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _key_words(leaf: Array) -> Array:
    return jax.random.key_data(leaf) if _is_typed_key(leaf) else leaf


def _wrap_key(words: Array, like: Array) -> Array:
    if not _is_typed_key(like):
        return words
    return jax.random.wrap_key_data(words, impl=jax.random.key_impl(like))


def _repeat(num_samples: int, x: Shaped[Array, "B ..."]) -> Shaped[Array, "BS ..."]:
    """Repeat each example S times, with the copies adjacent."""
    x = jnp.asarray(x)
    copies = (x.shape[0], num_samples, *x.shape[1:])
    return _merge(jnp.broadcast_to(jnp.expand_dims(x, 1), copies))


def _fold_leaf(
    batch: tuple[Any, ...], leaf: Shaped[Array, "S B ..."]
) -> Shaped[Array, "BS ..."]:
    """Reorder a leaf to match the copies, and expand a batch axis of size 1."""
    leaf = jnp.swapaxes(leaf, 0, 1)
    like = next(x for x in jax.tree.leaves(batch) if jnp.ndim(x))
    if len(leaf) != len(like):
        leaf = jnp.broadcast_to(leaf, (len(like), *leaf.shape[1:]))
    return _merge(leaf)


def _merge(x: Shaped[Array, "B S ..."]) -> Shaped[Array, "BS ..."]:
    spec = explicit_spec(x)
    sharding = explicit_sharding(x, spec[0], *spec[2:])
    return jnp.reshape(x, (-1, *x.shape[2:]), out_sharding=sharding)


def match_shardings(
    noise: PyTree[Shaped[Array, "S B ..."]], batch: PyTree[Shaped[Array, "B ..."]]
) -> tuple[PyTree[Shaped[Array, "S B ..."]], PyTree[Shaped[Array, "B ..."]]]:
    """Shard noise and batch by example over Explicit axes; replicate the sample axis.

    The mesh axes are those of the first array of the batch that is sharded by example.
    """
    arrays = [leaf for leaf in jax.tree.leaves(batch) if jnp.ndim(leaf)]
    by = next((explicit_spec(a)[0] for a in arrays if explicit_spec(a)[0]), None)

    def shard_leaf(axis: int, leaf: Array) -> Array:
        if jnp.ndim(leaf) <= axis:
            return leaf
        sharded = next((a for a in (leaf, *arrays) if explicit_sharding(a)), leaf)
        spec = [None, *explicit_spec(leaf)[1:]] if axis else list(explicit_spec(leaf))
        spec[axis] = by if leaf.shape[axis] > 1 else None
        return apply_sharding(leaf, explicit_sharding(sharded, *spec))

    return (
        jax.tree.map(functools.partial(shard_leaf, 1), noise),
        jax.tree.map(functools.partial(shard_leaf, 0), batch),
    )


def _gather_samples(leaf: Shaped[Array, "S ..."]) -> Shaped[Array, "S ..."]:
    """Replicate the axis of samples, because a loop runs over this axis."""
    return apply_sharding(leaf, explicit_sharding(leaf, None, *explicit_spec(leaf)[1:]))

"""Ways of running S noise samples that compute the same, and how their noise fits."""

from collections.abc import Callable
from typing import Any

import jax
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax.objectives._call import Checked
from noisejax.objectives._leading_axes import gather_samples, lay_alike, merge, split
from noisejax.objectives._noise import (
    Noise,
    check_leaves,
    is_key,
    num_examples,
    split_samples,
)
from noisejax.objectives._trunk import share_across_copies, share_across_samples

Result = tuple[Float[Array, "S B"], Any]
"""log p(y | x, ε_s) [S, B], and the user's aux."""


def vmap_samples(
    function: Checked, num_samples: int, params: Any, noise: Noise, batch: tuple
) -> Result:
    """All samples at once; what no noise reaches has no axis of samples."""
    stacked = split_samples(noise, num_samples)
    if num_samples == 1:
        return _only_sample(function, params, stacked, batch)
    return jax.vmap(lambda one: function(params, one, batch))(stacked)


def map_samples(
    function: Checked, num_samples: int, params: Any, noise: Noise, batch: tuple
) -> Result:
    """One sample after another, each computed again in the backward pass."""
    stacked = gather_samples(split_samples(noise, num_samples))
    if num_samples == 1:
        return _only_sample(function, params, stacked, batch)
    one = jax.tree.map(lambda leaf: jax.eval_shape(lambda x: x[0], leaf), stacked)
    behind = share_across_samples(function, params, one, batch)
    data, wrap = _bare_keys(stacked)
    return lax.map(jax.checkpoint(lambda bare: behind(wrap(bare))), data)


def _only_sample(
    function: Checked, params: Any, stacked: Noise, batch: tuple
) -> Result:
    """The function itself, so that one sample is ordinary training bit for bit."""
    result = function(params, jax.tree.map(lambda leaf: leaf[0], stacked), batch)
    return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], result)


def _bare_keys(stacked: Noise) -> tuple[Any, Callable[[Any], Noise]]:
    """Typed keys as their words, and the way back.

    The backward pass makes each sample's noise again, from the same key, on purpose.
    The checker of reused keys would take that for a mistake.
    """
    leaves, tree = jax.tree.flatten(stacked)
    impls = [
        jax.random.key_impl(leaf)
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        else None
        for leaf in leaves
    ]

    def wrap(bare):
        return tree.unflatten(
            leaf if impl is None else jax.random.wrap_key_data(leaf, impl=impl)
            for leaf, impl in zip(bare, impls, strict=True)
        )

    pairs = zip(leaves, impls, strict=True)
    data = [leaf if i is None else jax.random.key_data(leaf) for leaf, i in pairs]
    return data, wrap


def fold_samples(
    function: Checked, num_samples: int, params: Any, noise: Noise, batch: tuple
) -> Result:
    """One call with S copies of the batch behind each other."""
    size = num_examples(batch)
    if size is None:
        raise ValueError(
            "strategy='fold' repeats the batch, and none was passed: loss_fn(params, "
            "noise, *batch); or use strategy='vmap'"
        )
    if not is_key(noise):
        noise, batch = lay_alike(noise, batch)
        noise = _fold_leaves(noise, num_samples, size)
    log_probs, aux = share_across_copies(function, num_samples, params, noise, batch)
    return split(log_probs, num_samples), aux


def _fold_leaves(noise: Noise, num_samples: int, size: int) -> Noise:
    check_leaves(
        noise,
        (num_samples, None),
        "lead with the numbers of samples, {0}, "
        "and of examples (or 1) under strategy='fold'",
    )

    def fold(leaf: Array) -> Array:
        if leaf.shape[1] not in (1, size):
            raise ValueError(
                f"noise to replay must lead with [{num_samples}, {size}] or "
                f"[{num_samples}, 1] under strategy='fold', got shape {leaf.shape}; "
                "use 'vmap' or 'map' for noise without an axis of examples"
            )
        full = jnp.broadcast_to(leaf, (num_samples, size, *leaf.shape[2:]))
        return merge(full)

    return jax.tree.map(fold, noise)

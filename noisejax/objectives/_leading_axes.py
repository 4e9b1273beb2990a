"""Samples and examples as two leading axes or as one, on meshes of any kind.

Over Explicit axes JAX asks where the result of such a reshape is to lie: here over the
devices of both axes together.
"""

from typing import Any

import jax
from jax import numpy as jnp
from jaxtyping import Array, PyTree, Shaped

from noisejax._explicit import explicit_sharding, explicit_spec, lay


def repeat(batch: Shaped[Array, "B ..."], num_samples: int) -> Shaped[Array, "SB ..."]:
    """S copies of the batch behind each other."""
    batch = jnp.asarray(batch)
    return merge(jnp.broadcast_to(batch[None], (num_samples, *batch.shape)))


def merge(x: Shaped[Array, "S B ..."]) -> Shaped[Array, "SB ..."]:
    """Sample s of example b at s B + b."""
    shape = (x.shape[0] * x.shape[1], *x.shape[2:])
    samples, examples, *rest = explicit_spec(x)
    both = (*_names(samples), *_names(examples)) or None
    return jnp.reshape(x, shape, out_sharding=explicit_sharding(x, both, *rest))


def split(x: Shaped[Array, "SB ..."], num_samples: int) -> Shaped[Array, "S B ..."]:
    """The inverse of `merge`; the examples lie where both axes lay."""
    shape = (num_samples, x.shape[0] // num_samples, *x.shape[1:])
    sharding = explicit_sharding(x, None, *explicit_spec(x))
    return jnp.reshape(x, shape, out_sharding=sharding)


def lay_with(
    noise: PyTree[Shaped[Array, "S B ..."]], batch: PyTree[Shaped[Array, "B ..."]]
) -> PyTree[Shaped[Array, "S B ..."]]:
    """The noise of each example on the device of its example."""
    for leaf in jax.tree.leaves(batch):
        if jnp.ndim(leaf) and explicit_spec(leaf)[0] is not None:
            return lay(noise, explicit_sharding(leaf, None, explicit_spec(leaf)[0]))
    return noise


def _names(entry: Any) -> tuple[str, ...]:
    return entry if isinstance(entry, tuple) else () if entry is None else (entry,)

"""Samples and examples as two leading axes or as one, on meshes of any kind.

Over Explicit axes JAX asks where the result of such a reshape is to lie: here over the
devices of the examples.
"""

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
    sharding = explicit_sharding(x, *explicit_spec(x)[1:])
    return jnp.reshape(x, shape, out_sharding=sharding)


def split(x: Shaped[Array, "SB ..."], num_samples: int) -> Shaped[Array, "S B ..."]:
    """The inverse of `merge`."""
    shape = (num_samples, x.shape[0] // num_samples, *x.shape[1:])
    sharding = explicit_sharding(x, None, *explicit_spec(x))
    return jnp.reshape(x, shape, out_sharding=sharding)


def lay_alike(
    noise: PyTree[Shaped[Array, "S B ..."]], batch: PyTree[Shaped[Array, "B ..."]]
) -> tuple[PyTree[Shaped[Array, "S B ..."]], PyTree[Shaped[Array, "B ..."]]]:
    """Both, the noise and all arrays of each example on the device of the example.

    Where the first array of the batch that is shared lies; every device has all samples
    of its examples.
    """
    arrays = [leaf for leaf in jax.tree.leaves(batch) if jnp.ndim(leaf)]
    by = next((explicit_spec(a)[0] for a in arrays if explicit_spec(a)[0]), None)

    def lay_leaf(leaf: Array, axis: int) -> Array:
        if jnp.ndim(leaf) <= axis:
            return leaf
        meshed = next((a for a in (leaf, *arrays) if explicit_sharding(a)), leaf)
        spec = [None, *explicit_spec(leaf)[1:]] if axis else list(explicit_spec(leaf))
        spec[axis] = by if leaf.shape[axis] > 1 else None
        return lay(leaf, explicit_sharding(meshed, *spec))

    return (
        jax.tree.map(lambda leaf: lay_leaf(leaf, 1), noise),
        jax.tree.map(lambda leaf: lay_leaf(leaf, 0), batch),
    )


def gather_samples(noise: PyTree[Shaped[Array, "S ..."]]) -> PyTree[Array]:
    """All samples on every device, to be taken one after another."""

    def gather_leaf(leaf: Array) -> Array:
        return lay(leaf, explicit_sharding(leaf, None, *explicit_spec(leaf)[1:]))

    return jax.tree.map(gather_leaf, noise)

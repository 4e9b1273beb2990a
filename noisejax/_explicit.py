"""Meshes with Explicit axes, over which the type of an array says how it lies."""

from typing import Any

import jax
from jax import numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from jaxtyping import Array, PyTree


def has_explicit_axes(sharding: NamedSharding) -> bool:
    """Whether the types of arrays say how they lie over some axis of the mesh."""
    return AxisType.Explicit in sharding.mesh.axis_types


def explicit_spec(x: Array) -> tuple[Any, ...]:
    """Axes of the mesh, per axis of `x`; None where its type says nothing."""
    spec = tuple(jax.typeof(x).sharding.spec)
    return spec + (None,) * (jnp.ndim(x) - len(spec))


def explicit_sharding(x: Array, *spec: Any) -> NamedSharding | None:
    """`spec` on the mesh of `x`; None where that has no Explicit axes."""
    sharding = jax.typeof(x).sharding
    if not has_explicit_axes(sharding):
        return None
    return NamedSharding(sharding.mesh, PartitionSpec(*spec))


def lay(tree: PyTree[Array], sharding: NamedSharding | None) -> PyTree[Array]:
    """The arrays where `sharding` says; None: where they are."""
    if sharding is None:
        return tree
    return jax.tree.map(lambda leaf: jax.sharding.reshard(leaf, sharding), tree)

"""Helpers for meshes with Explicit axes, where array types include shardings."""

from typing import Any

import jax
from jax import numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from jaxtyping import Array, PyTree


def has_explicit_axes(sharding: NamedSharding) -> bool:
    """Return True if the mesh has an Explicit axis."""
    return AxisType.Explicit in sharding.mesh.axis_types


def explicit_part(sharding: NamedSharding | None) -> NamedSharding | None:
    """Return the part of the sharding on Explicit axes, or None."""
    if sharding is None or not has_explicit_axes(sharding):
        return None
    mesh = sharding.mesh
    kinds = dict(zip(mesh.axis_names, mesh.axis_types, strict=True))

    def part(entry: Any) -> Any:
        names = entry if isinstance(entry, tuple) else (entry,) if entry else ()
        return tuple(n for n in names if kinds[n] == AxisType.Explicit) or None

    return NamedSharding(mesh, PartitionSpec(*map(part, sharding.spec)))


def within_shard_map(x: Array) -> bool:
    """Return True if `x` is one device's part of an array, within `shard_map`."""
    return AxisType.Manual in jax.typeof(x).sharding.mesh.axis_types


def has_unused_axes(x: Array) -> bool:
    """Return True if `x` is sharded over one Explicit axis but not over another."""
    mesh = jax.typeof(x).sharding.mesh
    kinds = zip(mesh.axis_names, mesh.axis_types, strict=True)
    explicit = {name for name, kind in kinds if kind == AxisType.Explicit}
    used = set(jax.tree.leaves(tuple(jax.typeof(x).sharding.spec)))
    unused = {name for name in explicit - used if mesh.shape[name] > 1}
    return bool(unused and used)


def explicit_spec(x: Array) -> tuple[Any, ...]:
    """Return the mesh axes of each axis of `x`; None for an axis without sharding."""
    spec = tuple(jax.typeof(x).sharding.spec)
    return spec + (None,) * (jnp.ndim(x) - len(spec))


def explicit_sharding(x: Array, *spec: Any) -> NamedSharding | None:
    """Put `spec` on the mesh of `x`; None if the mesh has no Explicit axes."""
    sharding = jax.typeof(x).sharding
    if not has_explicit_axes(sharding):
        return None
    return NamedSharding(sharding.mesh, PartitionSpec(*spec))


def apply_sharding(
    tree: PyTree[Array], sharding: NamedSharding | None
) -> PyTree[Array]:
    """Reshard the arrays; if `sharding` is None, return the arrays unchanged."""
    if sharding is None:
        return tree
    return jax.tree.map(lambda leaf: jax.sharding.reshard(leaf, sharding), tree)


def gather(x: Array) -> Array:
    """Replicate `x` over the Explicit axes of its mesh."""
    return apply_sharding(x, explicit_sharding(x))

"""Where a draw is to live, so that each device draws its own shard and no more."""

from collections.abc import Sequence
from typing import TypeAlias

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from noisejax._explicit import has_explicit_axes

OutSharding: TypeAlias = NamedSharding | PartitionSpec | None


def sharding_of(x: jax.Array) -> NamedSharding | None:
    """The named sharding of `x` where JAX knows it, else None.

    Known are: concrete arrays on a mesh, and traced arrays over Explicit axes. Under
    jit over Auto axes the compiler propagates the sharding of `x` to the draw.
    """
    if isinstance(x, jax.core.Tracer):
        sharding = jax.typeof(x).sharding
        return sharding if has_explicit_axes(sharding) else None
    sharding = getattr(x, "sharding", None)
    return sharding if isinstance(sharding, NamedSharding) else None


def named(out_sharding: OutSharding, shape: Sequence[int]) -> NamedSharding | None:
    """Resolves a partition spec against the mesh in context, and shared axes.

    An axis of size 1 in `shape` is shared: it is never split, whatever the spec says.
    """
    if out_sharding is None:
        return None
    if isinstance(out_sharding, PartitionSpec):
        mesh = jax.sharding.get_abstract_mesh()
        if mesh.empty:
            raise ValueError(
                f"out_sharding={out_sharding} is a PartitionSpec and needs a mesh; "
                "pass a NamedSharding, or enter jax.set_mesh(mesh)"
            )
        out_sharding = NamedSharding(mesh, out_sharding)
    if not isinstance(out_sharding, NamedSharding):
        raise TypeError(
            "out_sharding must be a NamedSharding, a PartitionSpec or None, got "
            f"{type(out_sharding).__name__}"
        )
    spec = tuple(out_sharding.spec)
    if len(spec) > len(shape):
        raise ValueError(
            f"out_sharding {out_sharding.spec} has more axes than the shape {shape}"
        )
    spec += (None,) * (len(shape) - len(spec))
    spec = (None if n == 1 else s for s, n in zip(spec, shape, strict=True))
    return NamedSharding(out_sharding.mesh, PartitionSpec(*spec))


def axis_is_whole(sharding: NamedSharding | None, axis: int = -1) -> bool:
    """Whether no device can hold a part only of an axis."""
    if sharding is None:
        mesh = jax.sharding.get_abstract_mesh()
        return jax.device_count() == 1 or (not mesh.empty and mesh.are_all_axes_manual)
    known = isinstance(sharding.mesh, Mesh) or (
        AxisType.Auto not in sharding.mesh.axis_types
    )
    return known and sharding.spec[axis] is None

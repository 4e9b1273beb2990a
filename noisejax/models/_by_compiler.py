"""Products over Explicit axes of a mesh, where the compiler is to place the parts."""

from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import NamedSharding
from jaxtyping import Array

from noisejax._explicit import explicit_sharding, within_shard_map


def by_compiler(
    product: Callable[[Array, Array], Array],
    lhs: Array,
    rhs: Array,
    spec: tuple[Any, ...],
    out_sharding: NamedSharding | None = None,
) -> Array:
    """`product(lhs, rhs)`; within it no type says how an array lies.

    Over Explicit axes JAX asks of every sum over a shared axis where it is to lie, and
    gradients written by hand cannot be asked.

    Args:
      product: of the operands.
      lhs: left operand.
      rhs: right operand.
      spec: axes of the mesh that each axis of the result is split over.
      out_sharding: in place of it; None: by `spec`, where there are Explicit axes.
    """
    if out_sharding is None:
        out_sharding = explicit_sharding(lhs, *spec) or explicit_sharding(rhs, *spec)
    if out_sharding is None or within_shard_map(lhs) or within_shard_map(rhs):
        return product(lhs, rhs)
    return jax.sharding.auto_axes(product, out_sharding=out_sharding)(lhs, rhs)

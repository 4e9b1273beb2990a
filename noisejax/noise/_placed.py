"""Draws compiled once per place: fast when called eagerly, and local under a mesh."""

import functools
import inspect
from collections.abc import Callable

import jax
from jax.sharding import Mesh, NamedSharding


@functools.cache
def placed(draw: Callable, sharding: NamedSharding | None) -> Callable:
    """`draw` under jit, its result laid out by `sharding`.

    Keyword-only arguments of `draw` are static. The jit is an inner one when the caller
    is traced: XLA inlines it, so that the draw fuses with what uses it.
    """
    parameters = inspect.signature(draw).parameters.values()
    concrete = sharding is not None and isinstance(sharding.mesh, Mesh)
    return jax.jit(
        draw,
        static_argnames=[p.name for p in parameters if p.kind is p.KEYWORD_ONLY],
        out_shardings=sharding if concrete else None,
    )

"""Work before the first noise, done once for all samples.

The function is traced and its steps split in two: those that no noise reaches and that
make, or follow, a product; and the rest. The first are run once, on the batch.
"""

from collections.abc import Callable
from typing import Any

import jax
from jax import numpy as jnp
from jaxtyping import Array

from noisejax.objectives._call import Checked
from noisejax.objectives._independence import Status, propagate
from noisejax.objectives._leading_axes import repeat
from noisejax.objectives._noise import Noise, is_key, map_leaves
from noisejax.objectives._program import Program, trace


def share_across_samples(
    function: Checked, params: Any, one: Noise, batch: tuple
) -> Callable[[Noise], Any]:
    """`function` of the noise alone, its work before the noise done here.

    Args:
      function: of (params, noise, batch).
      params: its parameters.
      one: shapes and dtypes of a sample's noise.
      batch: the examples.

    Returns:
      noise -> the function's result.
    """
    program = trace(function, params, one, batch)
    reached = {
        slot
        for slot, origin in zip(program.inputs, program.origins, strict=True)
        if origin == "noise"
    }
    quiet = set()
    for i, step in enumerate(program.steps):
        if step.eqn.effects or any(slot in reached for slot in step.reads):
            reached.update(step.outputs)
        else:
            quiet.add(i)
    trunk = _around_products(program, quiet)
    if not trunk:
        return lambda noise: function(params, noise, batch)
    known = {
        slot: _Wide(value)
        for slot, value in _run(program, trunk, (params, one, batch)).items()
    }

    def behind(noise: Noise) -> Any:
        values = program.start((params, noise, batch))
        values |= {slot: wide.narrow() for slot, wide in known.items()}
        return _run_rest(program, trunk, values)

    return behind


def share_across_copies(
    function: Checked, num_samples: int, params: Any, noise: Noise, batch: tuple
) -> Any:
    """`function` of S copies of the batch, its work before the noise done on one.

    A step is done on one copy only where that is certainly the same: it treats the
    examples one by one (`propagate`), and the function makes the same steps for one
    copy as for S.
    """

    def single(leaf: Array) -> Any:
        return jax.eval_shape(lambda x: x[: len(x) // num_samples], leaf)

    many = map_leaves(lambda leaf: repeat(leaf, num_samples), batch)
    if num_samples == 1:
        return function(params, noise, many)
    large = trace(function, params, noise, many)
    one = noise if is_key(noise) else map_leaves(single, noise)
    small = trace(function, params, one, batch)
    statuses = _statuses(small, large)
    if statuses is None:
        return function(params, noise, many)
    apart = {
        i
        for i, step in enumerate(small.steps)
        if all(statuses[slot] is not Status.OTHER for slot in step.outputs)
    }
    trunk = _around_products(small, apart)
    if not trunk:
        return function(params, noise, many)
    values = large.start((params, noise, many))
    for slot, value in _run(small, trunk, (params, noise, batch)).items():
        tiled = statuses[slot] is Status.TILED
        values[slot] = repeat(value, num_samples) if tiled else value
    return _run_rest(large, trunk, values)


def _statuses(small: Program, large: Program) -> list[Status] | None:
    """What each slot of `large` holds; None: the two programs differ in their steps."""
    if [s.outputs for s in small.steps] != [s.outputs for s in large.steps]:
        return None
    statuses = [Status.OTHER] * len(large.avals)
    for slot, origin in zip(large.inputs, large.origins, strict=True):
        if origin == "params" or (origin == "batch" and not large.avals[slot].ndim):
            statuses[slot] = Status.SHARED
        elif origin == "batch":
            statuses[slot] = Status.TILED
    for slot, value in large.constants.items():
        if small.constants.get(slot) is value:
            statuses[slot] = Status.SHARED
    for a, b in zip(small.steps, large.steps, strict=True):
        if list(a.reads) != list(b.reads):
            return None
        operands = [
            statuses[slot] if isinstance(slot, int) else Status.SHARED
            for slot in b.inputs
        ]
        for slot, status in zip(
            b.outputs, propagate(a.eqn, b.eqn, operands), strict=True
        ):
            statuses[slot] = status
    return statuses


def _around_products(program: Program, candidates: set[int]) -> set[int]:
    """Of the candidates, the products, what follows them, and what these need.

    The rest (a parameter's cast, say) is cheap, and would only be kept for long.
    """
    chosen, behind = set(), set()
    for i, step in enumerate(program.steps):
        follows = any(slot in behind for slot in step.reads)
        if i in candidates and (step.has_product or follows):
            chosen.add(i)
            behind.update(step.outputs)
    needed = {slot for i in chosen for slot in program.steps[i].reads}
    for i in reversed(range(len(program.steps))):
        step = program.steps[i]
        if i in candidates and any(slot in needed for slot in step.outputs):
            chosen.add(i)
            needed.update(step.reads)
    return chosen


def _run(program: Program, trunk: set[int], arguments: tuple) -> dict[int, Any]:
    """Runs the trunk; returns those of its results that the rest needs."""
    values = program.start(arguments)
    for i in sorted(trunk):
        program.steps[i].run(values)
    made = {slot for i in trunk for slot in program.steps[i].outputs}
    rest = [step for i, step in enumerate(program.steps) if i not in trunk]
    used = {slot for step in rest for slot in step.reads}
    used |= {slot for slot in program.outputs if isinstance(slot, int)}
    return {slot: values[slot] for slot in made & used}


def _run_rest(program: Program, trunk: set[int], values: dict[int, Any]) -> Any:
    for i, step in enumerate(program.steps):
        if i not in trunk:
            step.run(values)
    return program.finish(values)


class _Wide:
    """A value kept in float32, so that the samples' gradients add up in float32."""

    def __init__(self, value: Array):
        self.dtype = value.dtype
        half = jnp.issubdtype(value.dtype, jnp.floating) and value.dtype.itemsize < 4
        self.value = value.astype(jnp.float32) if half else value

    def narrow(self) -> Array:
        half = self.value.dtype != self.dtype
        return self.value.astype(self.dtype) if half else self.value

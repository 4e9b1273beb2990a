"""Functions that mix the examples of a batch: seen in their steps, and refused.

A value belongs to the examples where its first axis grows with the batch. This finds
statistics over the batch and noise that is shared by it; what it does not see (a loop
over examples, say) is not refused.
"""

from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from jax.extend.core import JaxprEqn

from noisejax.objectives._call import Checked
from noisejax.objectives._noise import Noise, map_leaves
from noisejax.objectives._program import Program, Step, trace

_RULE = (
    "strategy='resample' draws a sample per example, so log_prob_fn must treat the "
    "examples independently; it "
)
_WAY_OUT = "; use strategy='vmap', 'map' or 'fold'"


def refuse_mixing(function: Checked, params: Any, noise: Noise, batch: tuple) -> None:
    """Raises a ValueError where the log-likelihoods are seen to mix examples.

    Args:
      function: of (params, noise, batch).
      params: its parameters.
      noise: one key.
      batch: the examples.
    """

    def twice(leaf):
        shape = (2 * leaf.shape[0], *leaf.shape[1:])
        return jax.ShapeDtypeStruct(shape, leaf.dtype)

    def log_prob(*arguments):
        return function(*arguments)[0]

    small = trace(log_prob, params, noise, map_leaves(_shape_of, batch))
    large = trace(log_prob, params, noise, map_leaves(twice, batch))
    if [s.outputs for s in small.steps] != [s.outputs for s in large.steps]:
        return
    grows = [
        a.shape[:1] != b.shape[:1]
        for a, b in zip(small.avals, large.avals, strict=True)
    ]
    fixed = [a.shape == b.shape for a, b in zip(small.avals, large.avals, strict=True)]
    of_noise = _reached(small, {"noise"})
    of_batch = _reached(small, {"noise", "batch"})
    for step in _that_matter(small):
        for place, slot in enumerate(step.inputs):
            if not isinstance(slot, int):
                continue
            if grows[slot] and slot in of_batch and _reduces(step.eqn, place):
                raise ValueError(
                    f"{_RULE}takes {step.eqn.primitive.name} over the batch (batch "
                    f"normalisation does so){_WAY_OUT}"
                )
            shared = slot in of_noise and fixed[slot] and _is_noise(small, slot)
            if shared and any(grows[out] for out in step.outputs):
                raise ValueError(
                    f"{_RULE}shares noise of shape {small.avals[slot].shape} among the "
                    f"batch{_WAY_OUT}, or a level of noise per example"
                )


def _shape_of(leaf: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(np.shape(leaf), leaf.dtype)


def _reached(program: Program, origins: set[str]) -> set[int]:
    """The slots that arguments of these origins reach."""
    slots = zip(program.inputs, program.origins, strict=True)
    reached = {slot for slot, origin in slots if origin in origins}
    for step in program.steps:
        if any(slot in reached for slot in step.reads):
            reached.update(step.outputs)
    return reached


def _that_matter(program: Program) -> list[Step]:
    """The steps that the results need."""
    needed = {slot for slot in program.outputs if isinstance(slot, int)}
    steps = []
    for step in reversed(program.steps):
        if any(slot in needed for slot in step.outputs):
            steps.append(step)
            needed.update(step.reads)
    return steps[::-1]


def _reduces(eqn: JaxprEqn, place: int) -> bool:
    """Whether a primitive sums (or the like) over the first axis of an operand."""
    name, params = eqn.primitive.name, eqn.params
    if name == "dot_general":
        return 0 in params["dimension_numbers"][0][place]
    if name.startswith(("reduce_", "arg")) and "axes" in params:
        return 0 in params["axes"]
    if name.startswith("cum"):
        return params["axis"] == 0
    return name == "sort" and params["dimension"] == 0


def _is_noise(program: Program, slot: int) -> bool:
    """Noise and what is made of it; not keys, nor the single words within them."""
    aval = program.avals[slot]
    if jnp.issubdtype(aval.dtype, jax.dtypes.prng_key):
        return False
    return not jnp.issubdtype(aval.dtype, jnp.integer) or aval.ndim > 0

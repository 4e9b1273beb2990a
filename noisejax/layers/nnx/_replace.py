"""Replace the dropout layers of an NNX model by noise of any scheme."""

from collections.abc import Callable
from typing import Any

from flax import nnx

from noisejax import noise
from noisejax.layers.nnx._layers import Noise


def replace_dropout(model: Any, made: Callable[[float], noise.Scheme]) -> Any:
    """Return a copy of an NNX model with other noise; see `layers.replace_dropout`."""
    copy, found = nnx.clone(model), {}

    def replaced(part):
        if not isinstance(part, nnx.Dropout) or part.rate == 0:
            return part
        if id(part) not in found:
            layer = Noise(
                made(part.rate),
                deterministic=part.deterministic,
                rng_collection=part.rng_collection,
            )
            layer.rngs = part.rngs  # its own stream, already forked
            found[id(part)] = layer
        return found[id(part)]

    copy = replaced(copy)
    for _, part in nnx.iter_graph(copy):
        if isinstance(part, nnx.Dropout):
            continue
        if isinstance(part, nnx.List):
            for i, entry in enumerate(part):
                part[i] = replaced(entry)
        elif isinstance(part, nnx.Module):
            for name, value in list(vars(part).items()):
                if isinstance(value, nnx.Dropout):
                    setattr(part, name, replaced(value))
    return copy

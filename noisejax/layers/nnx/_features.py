"""Activations at the noise sites of an NNX model, for `layers.from_model`."""

from collections.abc import Callable
from typing import Any

from flax import nnx
from jaxtyping import Array

from noisejax.layers._control import check_matched, matches
from noisejax.layers.nnx._base import NoiseLayer
from noisejax.layers.nnx._functional import functional, named_parts

Features = tuple[Array, ...]


def from_model(
    model: Any, patterns: tuple[str, ...]
) -> tuple[Callable[..., Features], Callable[..., Features]]:
    """Make features_fn and noisy_fn of an NNX model.

    Raises:
      TypeError: `model` is not a module.
      ValueError: a pattern matches no noise layer.
    """
    if not isinstance(model, nnx.Module):
        raise TypeError(
            f"from_model takes a Linen or NNX module, got {type(model).__name__}"
        )
    names = [name for name, _ in named_parts(model, (NoiseLayer, nnx.Dropout))]
    check_matched(patterns, names)
    recorded = _Recorded(model, patterns)
    noisy, _ = functional(recorded, only=[f"model/{p}" for p in patterns])
    clean, _ = functional(recorded, off="*")

    def features_fn(params: Any, x: Array, *args: Any, **kwargs: Any) -> Features:
        return clean(nnx.State({"model": params}), None, x, *args, **kwargs)

    def noisy_fn(
        params: Any, key: Any, x: Array, *args: Any, **kwargs: Any
    ) -> Features:
        return noisy(nnx.State({"model": params}), key, x, *args, **kwargs)

    return features_fn, noisy_fn


class _Recorded(nnx.Module):
    """A model that returns the outputs of its noise layers."""

    def __init__(self, model: nnx.Module, patterns: tuple[str, ...]):
        self.model, self.patterns = model, patterns

    def __call__(self, *args: Any, **kwargs: Any) -> Features:
        """Run the model and return the outputs, in the order of the calls.

        `functional` calls a replica of the model, so that its layers may change class.
        """
        found: list[Array] = []
        layers = named_parts(self.model, (NoiseLayer, nnx.Dropout))
        for name, layer in layers:
            if matches(name, self.patterns):
                object.__setattr__(layer, "__class__", _recording(type(layer), found))
        self.model(*args, **kwargs)
        return tuple(found)


def _recording(cls: type, found: list[Array]) -> type:
    """Return a subclass of a layer that records its outputs."""

    def __call__(self, *args: Any, **kwargs: Any) -> Array:
        output = cls.__call__(self, *args, **kwargs)
        found.append(output)
        return output

    return type(cls.__name__, (cls,), {"__call__": __call__})

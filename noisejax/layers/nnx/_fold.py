"""Fold all learned shifts of an NNX model into the biases of the model."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flax import nnx
from jaxtyping import Array

from noisejax.layers._fold import NO_SHIFT, Call, check_same_output, shift_bias
from noisejax.layers.nnx._base import NoiseLayer

LINEAR = (nnx.Linear, nnx.LinearGeneral, nnx.Conv, nnx.ConvTranspose)
"""Layers with a bias that can absorb a shift of the input."""


def fold_shifts(model: Any, *args: Any, **kwargs: Any) -> Any:
    """Fold shifts into biases:  b + (f(β) - f(0)) for each linear layer f.

    Each linear layer that follows a noise layer absorbs the shift β of the noise layer
    (Ba et al. 2014, after eq. 9). See `noisejax.layers.fold_shifts`.

    Args:
      model: NNX model with `Noise(..., shift=...)` or `InvariantDropout` layers, which
        is not changed.
      *args: inputs of a call at test time, preferably two or more examples.
      **kwargs: further arguments of the call.

    Returns:
      Copy of the model without shifts, in the state of `model.eval()`. Each linear
      layer that absorbs a shift has a bias.

    Raises:
      TypeError: `model` is not an NNX model.
      ValueError: as for `noisejax.layers.fold_shifts`.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from noisejax.layers import nnx as noisy
      >>> rngs, x = nnx.Rngs(0), jnp.ones((2, 3))
      >>> drop = noisy.InvariantDropout(0.5, num_features=3, rngs=rngs)
      >>> model = nnx.Sequential(drop, nnx.Linear(3, 4, rngs=rngs))
      >>> drop.beta[...] += 1.0  # as if it were trained
      >>> folded = noisy.fold_shifts(model, x)
      >>> model.eval()
      >>> folded.layers[0].beta is None, bool(jnp.allclose(folded(x), model(x)))
      (True, True)
    """
    if not isinstance(model, nnx.Module):
        raise TypeError(f"model must be an NNX model, got {type(model).__name__}")
    copy = nnx.clone(model)
    copy.eval()
    parts = {"/".join(map(str, path)): part for path, part in nnx.iter_graph(copy)}
    noisy = {
        name: part
        for name, part in parts.items()
        if isinstance(part, NoiseLayer)
        and (part.beta is not None or part.mean is not None)
    }
    if not noisy:
        raise ValueError(NO_SHIFT)
    linear = {name: part for name, part in parts.items() if isinstance(part, LINEAR)}
    shifted: dict[str, list[tuple[Array, Array]]] = {}
    calls: dict[str, list[Call]] = {}

    def with_shifts(name, part, call, x):
        del part
        shifted.setdefault(name, []).append((x, call(x)))
        return shifted[name][-1][1]

    def without_shifts(name, part, call, x):
        known = calls.setdefault(name, [])
        there, output = shifted[name][len(known)]
        known.append(Call(call, part.out_features, there, x))
        return output

    with _intercepted(linear, with_shifts):
        wanted = copy(*args, **kwargs)
    for part in noisy.values():
        for name in ("beta", "mean"):
            if getattr(part, name) is not None:
                delattr(part, name)
    with _intercepted(linear, without_shifts):
        copy(*args, **kwargs)
    biases = {name: shift_bias(name, found) for name, found in calls.items()}
    for name, bias in biases.items():
        part = linear[name]
        if not bias.any():
            continue
        if part.bias is None:
            part.use_bias, part.bias = True, nnx.Param(bias)
        else:
            part.bias[...] += bias.astype(part.bias.dtype)
    check_same_output(wanted, copy(*args, **kwargs), list(noisy))
    return copy


@contextlib.contextmanager
def _intercepted(
    parts: Mapping[str, nnx.Module], handle: Callable[..., Array]
) -> Iterator[None]:
    """Call handle(name, layer, layer's own call, x) in place of each layer."""
    classes = {name: type(part) for name, part in parts.items()}
    for name, part in parts.items():
        own = functools.partial(classes[name].__call__, part)

        def call(self, x, *, own=own, name=name):
            return handle(name, self, own, x)

        changed = type(classes[name].__name__, (classes[name],), {"__call__": call})
        object.__setattr__(part, "__class__", changed)
    try:
        yield
    finally:
        for name, part in parts.items():
            object.__setattr__(part, "__class__", classes[name])

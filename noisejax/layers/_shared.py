"""Helpers shared by the Linen and NNX layers."""

import functools
import inspect
import zlib
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
from flax import linen as nn
from jax import numpy as jnp
from jax.typing import ArrayLike

from noisejax import noise

Schedule: TypeAlias = Callable[[ArrayLike], ArrayLike]
"""A function of the training step, such as an Optax schedule."""

Level: TypeAlias = float | jax.Array | Schedule
"""A rate or standard deviation: a number, an array (traced or not), or a schedule."""


@functools.lru_cache(maxsize=1024, typed=True)
def make_scheme(scheme_type: type[noise.Scheme], *fields: Any) -> noise.Scheme:
    """Build a scheme, with a cache, because Flax often constructs a module again."""
    return scheme_type(*fields)


def document(
    cls: type, summary: str, scheme_type: type, example: str, arguments: str = "0.5"
) -> None:
    """Complete the docstring of a layer class with its arguments and an example."""
    name, scheme = cls.__name__, scheme_type.__name__
    cls.__doc__ = f"""{summary.rstrip()}

    Arguments: see `noise.{scheme}`, `Noise`, `NoiseLayer`.
    {example.format(name=name, arguments=arguments)}"""


def level_at(schedule: Schedule, step: ArrayLike | None, layer: str) -> jax.Array:
    """Evaluate the schedule of a layer at a training step.

    Raises:
      ValueError: no step was given.
    """
    if step is None:
        raise ValueError(
            f"the level of {layer} is a schedule and needs the training step. Pass "
            "layer(x, step=step); for a whole model use control_noise(step=step) "
            "(Linen), nnx.view(model, step=step), or functional's apply(..., step=step)"
        )
    return jnp.asarray(schedule(step))


def check_scheme(scheme: object) -> None:
    """Raise a TypeError if `scheme` is not a noise scheme."""
    if not isinstance(scheme, noise.Scheme):
        raise TypeError(
            f"scheme must be a noise scheme such as noise.Dropout(0.5), got {scheme!r}"
        )


def linen_module() -> nn.Module | None:
    """Return the Linen module whose method runs, or None in NNX code.

    `nnx.bridge.ToLinen` is a Linen module that runs NNX code.
    """
    module = nn.module._context.module_stack[-1]
    return None if type(module).__name__ == "ToLinen" else module


def derive_key(key: noise.Key, name: str) -> noise.Key:
    """Derive the key of a named stream from a key."""
    return jax.random.fold_in(noise.as_key(key), zlib.crc32(name.encode()))


def takes_argument(model: Callable[..., Any], name: str) -> bool:
    """Return True if `model` takes a keyword argument `name`."""
    while type(model).__name__ == "Sequential" and model.layers:
        model = model.layers[0]  # it receives the keyword arguments
    try:
        parameters = inspect.signature(model).parameters
    except (TypeError, ValueError):  # a builtin function
        return False
    variadic = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    return name in parameters or variadic

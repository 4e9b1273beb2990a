"""Replace the dropout layers of a model by noise of any scheme."""

import dataclasses
import functools
import sys
from collections.abc import Callable
from typing import Any, TypeAlias

from flax import linen as nn

from noisejax import noise
from noisejax.layers._layers import Noise
from noisejax.layers._shared import check_scheme

SchemeOfRate: TypeAlias = noise.Scheme | Callable[[float], noise.Scheme]
"""A scheme for all layers, or a function from the rate of a layer to its scheme."""


def replace_dropout(model: Any, scheme: SchemeOfRate) -> Any:
    """Return a model whose Flax dropout layers make noise of another scheme.

    The new model has the same parameters, arguments and layer names, so trained
    parameters can be used. The new layers are `Noise` layers, which record and replay
    samples and follow `control_noise`. Layers with rate 0 are not replaced. Dropout
    inside the attention modules of Flax is not replaced; use `NoisyAttention` there.

    Args:
      model: Linen or NNX model, which is not changed.
      scheme: scheme for all layers, or a function (rate) -> scheme.

    Returns:
      Copy of the NNX model, or a Linen model of a subclass. In the subclass, `__call__`
      uses the new noise, and other methods use the original dropout.

    Raises:
      TypeError: `model` is not a module, or `scheme` is not a scheme.
      ValueError: `model` is already part of another Linen model.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from flax import linen as nn
      >>> from noisejax import layers, noise
      >>> model = nn.Sequential([nn.Dense(4), nn.Dropout(0.5, deterministic=False)])
      >>> noisy = layers.replace_dropout(model, noise.RandomDropout)
      >>> key, x = jax.random.key(0), jnp.ones((2, 3))
      >>> variables = model.init({"params": key, "dropout": key}, x)
      >>> y, found = noisy.apply(variables, x, rngs={"dropout": key}, mutable=["noise"])
      >>> found["noise"]["layers_1"]["sample"][0].scale.shape  # one per example
      (2, 1)
    """
    made = _scheme_of(scheme)
    if isinstance(model, nn.Module):
        return _replace_in_linen(model, made)
    if "flax.nnx" in sys.modules:
        from flax import nnx

        from noisejax.layers.nnx import _replace

        if isinstance(model, nnx.Module):
            return _replace.replace_dropout(model, made)
    raise TypeError(
        f"replace_dropout takes a Linen or NNX module, got {type(model).__name__}"
    )


def _replace_in_linen(model: nn.Module, made: Callable[[float], noise.Scheme]) -> Any:
    """Return an instance of a subclass that intercepts the calls of dropout layers."""
    if isinstance(model.parent, nn.Module) or model.scope is not None:
        raise ValueError(
            "replace_dropout takes a model that no other model contains yet; got a "
            f"part of {type(model.parent).__name__}: replace its layers before, or "
            "make it with parent=None"
        )
    original = type(model)

    @functools.wraps(original.__call__)
    def __call__(self, *args, **kwargs):
        with nn.intercept_methods(functools.partial(_intercept, made)):
            return original.__call__(self, *args, **kwargs)

    __call__.__dict__.clear()  # it is not compact itself
    __call__.__wrapped__ = original.__call__
    body = {"__call__": __call__, "__module__": original.__module__}
    cls = type(original.__name__, (original,), body)
    fields = {
        field.name: getattr(model, field.name)
        for field in dataclasses.fields(model)
        if field.init and field.name != "parent"  # it is where the copy is made
    }
    return cls(**fields)


def _scheme_of(scheme: SchemeOfRate) -> Callable[[float], noise.Scheme]:
    """Return a function (rate) -> scheme, whose results are checked."""
    if isinstance(scheme, noise.Scheme) or not callable(scheme):
        check_scheme(scheme)
        return lambda rate: scheme

    def of_rate(rate):
        found = scheme(rate)
        check_scheme(found)
        return found

    return of_rate


def _intercept(made, next_fun, args, kwargs, context):
    """Call a noise layer in the scope of a dropout layer; a method interceptor."""
    module = context.module
    is_dropout = isinstance(module, nn.Dropout) and context.method_name == "__call__"
    if not is_dropout or module.rate == 0:
        return next_fun(*args, **kwargs)
    layer = module.__dict__.get("_noise_layer")
    if layer is None:
        layer = Noise(
            made(module.rate),
            deterministic=module.deterministic,
            rng_collection=module.rng_collection,
            parent=module.scope,
        )
        module.__dict__["_noise_layer"] = layer
    return layer(*args, **kwargs)

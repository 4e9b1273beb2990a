"""Linen and NNX layers behind one interface, for the tests that both must pass."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from noisejax import layers, noise
from noisejax.layers import nnx as nnx_layers

SHAPE = (4, 5, 6)
X = np.asarray(jax.random.normal(jax.random.key(9), SHAPE))

ARGUMENTS = {
    "Noise": noise.RandomDropout(0.5),
    "Dropout": 0.5,
    "RandomDropout": 0.5,
    "InvariantDropout": 0.5,
    "SpatialDropout": 0.5,
    "DropPath": 0.5,
    "GaussianDropout": 0.5,
    "GaussianNoise": 0.5,
}
"""Name of a layer -> its first argument."""

RATED = [name for name in ARGUMENTS if name not in ("Noise", "GaussianNoise")]


def key(seed=0):
    return jax.random.key(seed)


@dataclasses.dataclass(frozen=True)
class Framework:
    """Constructors and calls of the layers of one framework.

    Attributes:
      module: module of the layers.
      make: (name, argument, **options) -> layer.
      apply: (layer, x, key or None, **options) -> output.
    """

    module: Any
    make: Callable[..., Any]
    apply: Callable[..., Any]


def make_linen(name, argument=None, **options):
    argument = ARGUMENTS[name] if argument is None else argument
    return getattr(layers, name)(argument, **({"deterministic": False} | options))


def apply_linen(layer, x, rng, **options):
    variables = {}
    if layer.shift:
        variables = {"params": {"beta": np.zeros(x.shape[-1:], np.float32)}}
    return layer.apply(variables, x, rng=rng, **options)


def make_nnx(name, argument=None, **options):
    if name == "InvariantDropout":
        options = {"num_features": SHAPE[-1]} | options
    argument = ARGUMENTS[name] if argument is None else argument
    return getattr(nnx_layers, name)(argument, **options)


def apply_nnx(layer, x, rng, **options):
    return layer(x, rngs=rng, **options)


FRAMEWORKS = {
    "linen": Framework(layers, make_linen, apply_linen),
    "nnx": Framework(nnx_layers, make_nnx, apply_nnx),
}

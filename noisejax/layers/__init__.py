"""Noise layers for Flax Linen; those for NNX are in `noisejax.layers.nnx`."""

import importlib

from noisejax.layers._attention import NoisyAttention as NoisyAttention
from noisejax.layers._base import NoiseLayer as NoiseLayer
from noisejax.layers._control import control_noise as control_noise
from noisejax.layers._dropconnect import DropConnect as DropConnect
from noisejax.layers._dropout import Dropout as Dropout
from noisejax.layers._dropout import DropPath as DropPath
from noisejax.layers._dropout import RandomDropout as RandomDropout
from noisejax.layers._dropout import SpatialDropout as SpatialDropout
from noisejax.layers._functional import functional as functional
from noisejax.layers._gaussian import GaussianDropout as GaussianDropout
from noisejax.layers._gaussian import GaussianNoise as GaussianNoise
from noisejax.layers._noise import InvariantDropout as InvariantDropout
from noisejax.layers._noise import Noise as Noise


def __getattr__(name: str):
    """Imports `noisejax.layers.nnx` when it is first asked for: NNX takes a while."""
    if name == "nnx":
        return importlib.import_module("noisejax.layers.nnx")
    raise AttributeError(f"module 'noisejax.layers' has no attribute {name!r}")

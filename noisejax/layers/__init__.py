"""Noise layers for Flax Linen; the NNX layers are in `noisejax.layers.nnx`."""

import importlib
import types

from noisejax.layers._attention import NoisyAttention as NoisyAttention
from noisejax.layers._base import NoiseLayer as NoiseLayer
from noisejax.layers._control import control_noise as control_noise
from noisejax.layers._features import from_model as from_model
from noisejax.layers._fold import fold_shifts as fold_shifts
from noisejax.layers._functional import functional as functional
from noisejax.layers._layers import DropConnect as DropConnect
from noisejax.layers._layers import Dropout as Dropout
from noisejax.layers._layers import DropPath as DropPath
from noisejax.layers._layers import GaussianDropout as GaussianDropout
from noisejax.layers._layers import GaussianNoise as GaussianNoise
from noisejax.layers._layers import InvariantDropout as InvariantDropout
from noisejax.layers._layers import Noise as Noise
from noisejax.layers._layers import RandomDropout as RandomDropout
from noisejax.layers._layers import SpatialDropout as SpatialDropout
from noisejax.layers._replace import replace_dropout as replace_dropout
from noisejax.layers._shared import Schedule as Schedule


def __getattr__(name: str) -> types.ModuleType:
    """Import `noisejax.layers.nnx` on first use, because importing NNX takes long."""
    if name == "nnx":
        return importlib.import_module("noisejax.layers.nnx")
    raise AttributeError(f"module 'noisejax.layers' has no attribute {name!r}")

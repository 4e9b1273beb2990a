"""noisejax: training with noise in JAX and Flax."""

import importlib

from noisejax import activations as activations
from noisejax import noise as noise
from noisejax._version import __version__ as __version__


def __getattr__(name: str):
    """Imports the Flax layers when they are first asked for."""
    if name == "layers":
        return importlib.import_module("noisejax.layers")
    raise AttributeError(f"module 'noisejax' has no attribute {name!r}")

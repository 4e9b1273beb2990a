"""noisejax: training with noise in JAX and Flax."""

import importlib
import types

from noisejax import activations as activations
from noisejax import noise as noise
from noisejax._version import __version__ as __version__

_LAZY = (
    *("backprojection", "data", "diagnostics", "evaluators", "figures", "layers"),
    *("models", "objectives", "training"),
)


def __getattr__(name: str) -> types.ModuleType:
    """Import the parts that need more than JAX, on first access."""
    if name in _LAZY:
        return importlib.import_module(f"noisejax.{name}")
    raise AttributeError(f"module 'noisejax' has no attribute {name!r}")

"""Back-projection of noise into the input (Bouthillier et al. 2015).

The back-projection of a noisy activation is an input x* at which the noise-free network
has nearly the same activation.
"""

import importlib
from collections.abc import Callable
from typing import Any

from noisejax.backprojection._back_project import BackProjection as BackProjection
from noisejax.backprojection._back_project import back_project as back_project
from noisejax.backprojection._distances import agreement as agreement
from noisejax.backprojection._distances import class_distances as class_distances
from noisejax.backprojection._distances import distances as distances
from noisejax.backprojection._guarded import preconditioned as preconditioned
from noisejax.backprojection._guarded import stable_descent as stable_descent
from noisejax.backprojection._methods import Method as Method
from noisejax.backprojection._methods import from_optax as from_optax
from noisejax.backprojection._methods import gradient_descent as gradient_descent
from noisejax.backprojection._objective import curvature as curvature
from noisejax.backprojection._preconditioner import Preconditioner as Preconditioner
from noisejax.backprojection._preconditioner import preconditioner as preconditioner


def __getattr__(name: str) -> Callable[..., Any]:
    """Import `layers.from_model` on first use, because it needs Flax."""
    if name == "from_model":
        return importlib.import_module("noisejax.layers").from_model
    raise AttributeError(f"module 'noisejax.backprojection' has no attribute {name!r}")

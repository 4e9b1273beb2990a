"""Checks that two implementations of a step give equal results."""

from typing import Any

import jax
import numpy as np

ROUNDING = 1e-6
"""Norm of a difference that is allowed where a gradient is 0, as of a key's bias."""


def check_steps(name: str, found: Any, wanted: Any, tolerance: float = 1e-3) -> None:
    """Raise an error if a loss or the gradient of an array differs.

    Args:
      name: name of the implementation, for the message.
      found: (loss, gradients).
      wanted: (loss, gradients), the gradients a tree of the same form.
      tolerance: of a gradient, by the norm of the difference over that of the wanted: a
        unit at a rectifier's kink may fall on either side. A hundredth for the loss.
    """
    np.testing.assert_allclose(
        found[0], wanted[0], rtol=tolerance / 100, atol=1e-6, err_msg=name
    )

    def check(path, a, b):
        apart = np.linalg.norm(np.asarray(a) - np.asarray(b))
        allowed = tolerance * np.linalg.norm(b) + ROUNDING
        where = f"{name}, gradient{jax.tree_util.keystr(path)}"
        assert apart <= allowed, f"{where}: {apart:.2g} apart, allowed {allowed:.2g}"

    jax.tree_util.tree_map_with_path(check, found[1], wanted[1])

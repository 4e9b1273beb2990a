"""The box that x* stays in."""

from typing import NamedTuple

import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Bool, Float


class Box(NamedTuple):
    """lo ≤ x ≤ hi.

    Attributes:
      lo: least value, -inf for none.
      hi: largest value, inf for none.
    """

    lo: float | Float[Array, ""] = -np.inf
    hi: float | Float[Array, ""] = np.inf

    def clip(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The nearest point of the box; NaN stays NaN."""
        return jnp.clip(x, self.lo, self.hi)

    def free(
        self, x: Float[Array, "*shape"], gradient: Float[Array, "*shape"]
    ) -> Bool[Array, "*shape"]:
        """Where x does not lie on a side of the box that descent pushes it through."""
        held = (x <= self.lo) & (gradient > 0) | (x >= self.hi) & (gradient < 0)
        return ~held

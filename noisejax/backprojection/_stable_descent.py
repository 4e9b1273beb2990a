"""Plain descent by a step that fits the network and the example."""

import dataclasses

import jax
import numpy as np
from jax import numpy as jnp

from noisejax.backprojection._eigenvalue import largest_eigenvalue
from noisejax.backprojection._guarded import Guarded
from noisejax.backprojection._method import Method
from noisejax.backprojection._objective import along_batch


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class StableDescent(Guarded):
    """See `stable_descent`.

    Attributes:
      momentum: whether Nesterov's is added.
      num_iterations: products with the curvature, of Lanczos' iteration.
      safety: factor of the eigenvalue that it found.
    """

    momentum: bool = False
    num_iterations: int = 4
    safety: float = 1.1

    @property
    def has_momentum(self):
        return self.momentum

    def first_step(self, objective, x, gradient):
        # The gradient alone may have no share of the steepest direction, or be 0; the
        # noise is the same for all examples, so that none depends on its neighbours.
        noise = jnp.broadcast_to(_noise(x.shape[1:], x.dtype), x.shape)
        start = _unit(gradient) + _unit(noise)
        largest = largest_eigenvalue(objective.curvature(x), start, self.num_iterations)
        return 1 / jnp.where(largest > 0, self.safety * largest, 1)


def stable_descent(*, momentum: bool = False) -> Method:
    """Plain gradient descent by a step of 1 / L, measured for every example.

      x ← x - 1/L ∇ Σ_l λ_l mean (f_l(x) - target_l)²
      L = max eig 2 Σ_l λ_l J_l'J_l / N_l

    L comes from a few steps of Lanczos' iteration (power iteration, put to better use)
    at the first x, with a safety factor. Where the
    network curves more on the way, so that an example gets worse, the step is taken
    back and halved for that example: nothing diverges.

    Args:
      momentum: adds Nesterov's, which is restarted where a step is taken back.

    Returns:
      The method, for `back_project`; its default.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import backprojection
      >>> w = jnp.array([[3.0, 0.0], [0.0, 1.0]])
      >>> found = backprojection.back_project(
      ...     lambda w, x: (x @ w,), w, jnp.zeros((1, 2)), (jnp.ones((1, 2)),),
      ...     method=backprojection.stable_descent(), num_steps=100,
      ... )
      >>> found.x_star.round(3)
      Array([[0.333, 1.   ]], dtype=float32)
    """
    return StableDescent(bool(momentum))


def _noise(shape, dtype):
    return jnp.asarray(np.random.default_rng(0).standard_normal(shape), dtype)


def _unit(x):
    squared = jnp.sum(x * x, axis=tuple(range(1, x.ndim)))
    return x / along_batch(jnp.sqrt(jnp.where(squared > 0, squared, 1)), x)

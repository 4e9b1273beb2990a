"""Gradient descent by given rates, as the paper does it."""

import dataclasses
import math
from collections.abc import Sequence

import jax
import numpy as np
from jax import numpy as jnp

from noisejax.backprojection._method import Method


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class GradientDescent(Method):
    """See `gradient_descent`.

    Attributes:
      learning_rates: one per layer.
    """

    learning_rates: tuple[float, ...]

    def check(self, num_layers, shape):
        if len(self.learning_rates) != num_layers:
            raise ValueError(
                f"gradient_descent needs a learning rate per layer, {num_layers} for "
                f"these features, got {len(self.learning_rates)}: "
                f"{self.learning_rates}"
            )

    def layer(self, index):
        return GradientDescent(self.learning_rates[index : index + 1])

    def gradient_weights(self, weights):
        return weights * jnp.array(self.learning_rates, weights.dtype)

    def start(self, objective, x, gradient):
        return ()

    def move(self, state, x, value, gradient, last, box):
        return box.clip(x - gradient), state


def gradient_descent(learning_rates: float | Sequence[float]) -> Method:
    """Descent by a learning rate per layer:

      x ← x - Σ_l lr_l λ_l ∇ mean over units (f_l(x) - target_l)²

    the sum over the batch being understood, so that an example's step does not depend
    on the others. (Bouthillier et al. 2015, section 5.2: rates 300 and 30, 20 steps;
    section 5.1: 100, 10 steps. That the error is averaged over the units is inferred:
    the paper does not say.) It converges only while the largest eigenvalue of
    Σ_l lr_l λ_l 2 J_l'J_l / N_l is below 2, which the paper's rates keep on a network
    with Glorot's initialisation, and often break on a trained one: look at `diverged`,
    or use `stable_descent`.

    Args:
      learning_rates: a rate per layer, or one number for a single layer.

    Returns:
      The method, for `back_project`.

    Raises:
      TypeError: rates that are no Python or NumPy numbers.
      ValueError: none, or one that is not finite and above 0.

    Example:
      >>> from noisejax import backprojection
      >>> backprojection.gradient_descent((300.0, 30.0))
      GradientDescent(learning_rates=(300.0, 30.0))

    Reference:
      Bouthillier et al., "Dropout as data augmentation", arXiv:1506.08700, 2015.
    """
    rule = "learning_rates are numbers above 0, one per layer"
    try:
        rates = tuple(np.atleast_1d(np.asarray(learning_rates, float)).tolist())
    except (TypeError, ValueError, jax.errors.JAXTypeError) as error:
        raise TypeError(f"{rule}; got {learning_rates!r}") from error
    if not rates or not all(isinstance(r, float) for r in rates):
        raise ValueError(f"{rule}; got {learning_rates!r}")
    if not all(math.isfinite(rate) and rate > 0 for rate in rates):
        raise ValueError(f"{rule}; got {learning_rates!r}")
    return GradientDescent(rates)

"""Shape functions: where gradient is added (Hahn and Choi 2018, figure 5)."""

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float


def exponential_shape(
    x: Float[Array, "*shape"], *, decay: float = 1.0
) -> Float[Array, "*shape"]:
    """The exponential shape function, for tanh:  s(x) = exp(-c |x|)  (figure 5a).

    Largest where tanh is steepest and fading into its saturation areas, as the gradient
    that dropout adds does. The paper draws it and prints no constant: c is ours.

    Args:
      x: floating array, any shape.
      decay: c, above 0; the smaller, the further gradient reaches.

    Returns:
      s(x) in (0, 1]: the shape and dtype of x.

    Example:
      >>> from noisejax import activations
      >>> float(activations.exponential_shape(0.0))
      1.0
    """
    return jnp.exp(-decay * jnp.abs(x))


def shifted_sigmoid_shape(
    x: Float[Array, "*shape"], *, steepness: float = 1.0, offset: float = 3.0
) -> Float[Array, "*shape"]:
    """The shifted sigmoid shape function, for ReLU:  s(x) = σ(c (x + x₀))  (figure 5b).

    It reaches into ReLU's saturation area, x < 0, as far as about -x₀. On the active
    side s is near 1 and doubles the gradient: compare with a plain ReLU at a larger
    learning rate. The paper draws it and prints no constants: c and x₀ are ours.

    Args:
      x: floating array, any shape.
      steepness: c, above 0.
      offset: x₀, how far left of 0 the sigmoid has fallen to 1/2.

    Returns:
      s(x) in (0, 1): the shape and dtype of x.

    Example:
      >>> from noisejax import activations
      >>> float(activations.shifted_sigmoid_shape(-3.0))
      0.5
    """
    return jax.nn.sigmoid(steepness * (x + offset))

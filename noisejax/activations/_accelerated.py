"""tanh, sigmoid and ReLU with gradient acceleration, ready for use."""

import functools

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax.activations._gaaf import Gaaf
from noisejax.activations._shapes import exponential_shape, shifted_sigmoid_shape


def gaaf_tanh(
    x: Float[Array, "*shape"],
    *,
    decay: float = 1.0,
    frequency: float = 10_000.0,
    value: str = "floor",
) -> Float[Array, "*shape"]:
    """tanh with gradient acceleration:  tanh(x) + g(x) exp(-c |x|)  (eq. 8).

    Args:
      x: floating array, any shape.
      decay: c of `exponential_shape`.
      frequency: K of g, above 0.
      value: "floor" or "exact", as in `gaaf`.

    Returns:
      The activations: the shape and dtype of x.

    Raises:
      TypeError, ValueError: as `gaaf`.

    Example:
      >>> import jax
      >>> from noisejax import activations
      >>> gradient = jax.grad(activations.gaaf_tanh)(5.0)
      >>> bool(gradient > 30 * jax.grad(jax.numpy.tanh)(5.0))
      True
    """
    shape_fn = functools.partial(exponential_shape, decay=decay)
    return Gaaf(jnp.tanh, shape_fn, frequency, value)(x)


def gaaf_sigmoid(
    x: Float[Array, "*shape"],
    *,
    decay: float = 1.0,
    frequency: float = 10_000.0,
    value: str = "floor",
) -> Float[Array, "*shape"]:
    """Sigmoid with gradient acceleration:  σ(x) + g(x) exp(-c |x| / 2) / 4.

    Ours, the form that makes σ(x) = (1 + tanh(x / 2)) / 2 hold between the accelerated
    functions as it does between the plain ones, in value (to 0.5 / K) and in slope.

    Args:
      x: floating array, any shape.
      decay: c of tanh's `exponential_shape`.
      frequency: K of g, above 0.
      value: "floor" or "exact", as in `gaaf`.

    Returns:
      The activations: the shape and dtype of x.

    Raises:
      TypeError, ValueError: as `gaaf`.

    Example:
      >>> import jax
      >>> from noisejax import activations
      >>> round(float(jax.grad(activations.gaaf_sigmoid)(0.0)), 3)  # 1/4 + 1/4
      0.5
    """

    def shape_fn(x):
        return 0.25 * exponential_shape(x, decay=0.5 * decay)

    return Gaaf(jax.nn.sigmoid, shape_fn, frequency, value)(x)


def gaaf_relu(
    x: Float[Array, "*shape"],
    *,
    steepness: float = 1.0,
    offset: float = 3.0,
    frequency: float = 10_000.0,
    value: str = "floor",
) -> Float[Array, "*shape"]:
    """ReLU with gradient acceleration:  max(x, 0) + g(x) σ(c (x + x₀))  (eq. 8).

    Args:
      x: floating array, any shape.
      steepness: c of `shifted_sigmoid_shape`.
      offset: x₀ of `shifted_sigmoid_shape`.
      frequency: K of g, above 0.
      value: "floor" or "exact", as in `gaaf`.

    Returns:
      The activations: the shape and dtype of x.

    Raises:
      TypeError, ValueError: as `gaaf`.

    Example:
      >>> import jax
      >>> from noisejax import activations
      >>> round(float(jax.grad(activations.gaaf_relu)(-3.0)), 3)
      0.5
    """
    shape_fn = functools.partial(
        shifted_sigmoid_shape, steepness=steepness, offset=offset
    )
    return Gaaf(jax.nn.relu, shape_fn, frequency, value)(x)

"""Gradient acceleration in activation functions, GAAF (Hahn and Choi 2018, section 4).

GAAF adds g(x) s(x) to an activation. g has tiny values and slope 1, so the value hardly
changes, and the gradient gains the shape function s. Second derivatives of GAAF have no
meaning, because g has slope 1 and steps. Use the plain activation for a Hessian.

Hahn and Choi, "Understanding dropout as an optimization trick", arXiv:1806.09783.
"""

import dataclasses
import functools
import numbers
from collections.abc import Callable
from typing import TypeAlias

import jax
from jax import numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from noisejax import _floating

Activation: TypeAlias = Callable[[Float[Array, "..."]], Float[Array, "..."]]
"""Elementwise function."""


def gradient_acceleration(
    x: Float[Array, "*shape"] | float, *, frequency: float = 10_000.0
) -> Float[Array, "*shape"]:
    """Compute gradient acceleration:  g(x) = (xK - ⌊xK⌋ - 0.5) / K  (eq. 7).

    The derivative is 1 everywhere. This includes values for which x·K has no fraction
    left (float32 above 839, bfloat16 above 0.026), overflows, or is infinite.

    Args:
      x: floating array, any shape.
      frequency: K, above 0; the paper uses 10,000.

    Returns:
      g(x), with the shape and dtype of x. |g| <= 0.5 / K; 0 at ±∞, and NaN at NaN.

    Raises:
      TypeError: `x` is not floating.
      ValueError: `frequency` is not a positive number.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import activations
      >>> g = activations.gradient_acceleration
      >>> g(jnp.array([0.00001, 0.00012])).round(6)
      Array([-4.e-05, -3.e-05], dtype=float32)
      >>> float(jax.grad(g)(123.0))
      1.0
    """
    _check_frequency(frequency)
    return _accelerate(_floating.check_floating(x), float(frequency))


def _check_frequency(frequency: float) -> None:
    if not isinstance(frequency, numbers.Real) or not 0 < frequency < float("inf"):
        rule = "frequency is K of eq. 7 and must be a positive number"
        raise ValueError(f"{rule}, got {frequency!r}")


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _accelerate(x: ArrayLike, frequency: float) -> Array:
    x = jnp.asarray(x)
    cycles = x.astype(_floating.at_least_float32(x.dtype)) * frequency
    fraction = jnp.where(jnp.isinf(cycles), 0.5, cycles - jnp.floor(cycles))
    return ((fraction - 0.5) / frequency).astype(x.dtype)


@_accelerate.defjvp
def _accelerate_jvp(frequency, primals, tangents):
    return _accelerate(*primals, frequency), tangents[0]


def gaaf(
    activation: Activation,
    shape_fn: Activation,
    *,
    frequency: float = 10_000.0,
    value: str = "floor",
) -> "Gaaf":
    """Add gradient acceleration to φ:  φ_new(x) = φ(x) + g(x) s(x)  (eq. 8).

    Args:
      activation: φ, any elementwise JAX function.
      shape_fn: s, the extra gradient at x; called in float32 for half precision.
      frequency: K of g, above 0.
      value: form of the value. "floor" (the paper's form) has values within 0.5 s / K
        of φ and the derivative φ' + s + g s'. "exact" has the value φ to the bit and
        the derivative φ' + s. It is cheaper, and equal to "floor" in half precision.

    Returns:
      A hashable callable for φ_new. It is equal to another with equal arguments.

    Raises:
      TypeError: `activation` or `shape_fn` is not callable.
      ValueError: `frequency` is not a positive number, or `value` is unknown.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import activations
      >>> phi = activations.gaaf(jnp.tanh, activations.exponential_shape, value="exact")
      >>> float(phi(8.0)), float(jax.grad(phi)(8.0))  # saturated, yet a gradient
      (1.0, 0.000335462624207139)
    """
    return Gaaf(activation, shape_fn, frequency, value)


@dataclasses.dataclass(frozen=True)
class Gaaf:
    """Activation φ with gradient acceleration, the result of `gaaf`.

    Attributes: activation: φ; shape_fn: s; frequency: K; value: form of the value.
    """

    activation: Activation
    shape_fn: Activation
    frequency: float = 10_000.0
    value: str = "floor"

    def __post_init__(self) -> None:
        for name in ("activation", "shape_fn"):
            if not callable(getattr(self, name)):
                rule = f"{name} must be an elementwise function such as jnp.tanh"
                raise TypeError(f"{rule}, got {getattr(self, name)!r}")
        _check_frequency(self.frequency)
        if self.value not in ("floor", "exact"):
            rule = "value must be 'floor' (the paper's form) or 'exact'"
            raise ValueError(f"{rule}, got {self.value!r}")

    def __call__(self, x: Float[Array, "*shape"] | float) -> Float[Array, "*shape"]:
        """φ(x) + g(x) s(x)."""
        x = _floating.check_floating(x)
        y = self.activation(x)
        # Compute in float32 and round once. This is more exact, and faster on a CPU,
        # where XLA has no exponentials of half precision.
        wide = x.astype(_floating.at_least_float32(x.dtype))
        slope = jnp.asarray(self.shape_fn(wide), x.dtype)
        if self.value == "exact":
            return _add_slope(y, slope, x)
        return y + _accelerate(x, float(self.frequency)) * slope


@jax.custom_jvp
def _add_slope(y: ArrayLike, slope: ArrayLike, x: ArrayLike) -> Array:
    """Return `y`, and add `slope` to its derivative with respect to `x`."""
    return y  # slope and x act on derivatives only, where slope is a constant


@_add_slope.defjvp
def _add_slope_jvp(primals, tangents):
    y, slope, x = primals
    y_dot, _, x_dot = tangents
    return _add_slope(y, slope, x), y_dot + slope * x_dot


def exponential_shape(
    x: Float[Array, "*shape"] | float, *, decay: float = 1.0
) -> Float[Array, "*shape"]:
    """Compute the exponential shape, for tanh:  s(x) = exp(-c |x|)  (figure 5a).

    The function is largest where tanh is steepest and decays in the saturation areas,
    like the gradient of dropout. The paper gives no value of c; we chose the default.

    Args:
      x: floating array, any shape.
      decay: c, above 0. A smaller c extends the gradient further into saturation.

    Returns:
      s(x) in (0, 1], with the shape and dtype of x.

    Example:
      >>> from noisejax import activations
      >>> float(activations.exponential_shape(0.0))
      1.0
    """
    return jnp.exp(-decay * jnp.abs(x))


def shifted_sigmoid_shape(
    x: Float[Array, "*shape"] | float, *, steepness: float = 1.0, offset: float = 3.0
) -> Float[Array, "*shape"]:
    """Compute the shifted sigmoid shape, for ReLU:  s(x) = σ(c (x + x₀))  (figure 5b).

    The function extends into the saturation area of ReLU (x < 0), to about -x₀. On the
    active side s is near 1 and doubles the gradient, so compare with a plain ReLU at a
    larger learning rate. The paper gives no values of c and x₀; we chose the defaults.

    Args:
      x: floating array, any shape.
      steepness: c, above 0.
      offset: x₀; the sigmoid is 1/2 at -x₀.

    Returns:
      s(x) in (0, 1), with the shape and dtype of x.

    Example:
      >>> from noisejax import activations
      >>> float(activations.shifted_sigmoid_shape(-3.0))
      0.5
    """
    return jax.nn.sigmoid(steepness * (x + offset))


def gaaf_tanh(
    x: Float[Array, "*shape"] | float,
    *,
    decay: float = 1.0,
    frequency: float = 10_000.0,
    value: str = "floor",
) -> Float[Array, "*shape"]:
    """Compute accelerated tanh:  tanh(x) + g(x) exp(-c |x|)  (eq. 8).

    Args:
      x: floating array, any shape.
      decay: c of `exponential_shape`.
      frequency: K of g, as in `gaaf`.
      value: "floor" or "exact", as in `gaaf`.

    Returns:
      Activations with the shape and dtype of x.

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
    x: Float[Array, "*shape"] | float,
    *,
    decay: float = 1.0,
    frequency: float = 10_000.0,
    value: str = "floor",
) -> Float[Array, "*shape"]:
    """Compute an accelerated sigmoid:  σ(x) + g(x) exp(-c |x| / 2) / 4.

    This form is not in the paper. It follows from `gaaf_tanh` by
    σ(x) = (1 + tanh(x / 2)) / 2, for the values (to 0.5 / K) and for the slopes.

    Args:
      x: floating array, any shape.
      decay: c of the `exponential_shape` of tanh.
      frequency: K of g, as in `gaaf`.
      value: "floor" or "exact", as in `gaaf`.

    Returns:
      Activations with the shape and dtype of x.

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
    x: Float[Array, "*shape"] | float,
    *,
    steepness: float = 1.0,
    offset: float = 3.0,
    frequency: float = 10_000.0,
    value: str = "floor",
) -> Float[Array, "*shape"]:
    """Compute accelerated ReLU:  max(x, 0) + g(x) σ(c (x + x₀))  (eq. 8).

    Args:
      x: floating array, any shape.
      steepness: c of `shifted_sigmoid_shape`.
      offset: x₀ of `shifted_sigmoid_shape`.
      frequency: K of g, as in `gaaf`.
      value: "floor" or "exact", as in `gaaf`.

    Returns:
      Activations with the shape and dtype of x.

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

"""Activations with gradient acceleration (Hahn and Choi 2018, eq. 8)."""

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax._floating import at_least_float32, check_floating
from noisejax.activations._acceleration import accelerate, check_frequency

Activation: TypeAlias = Callable[[Float[Array, "..."]], Float[Array, "..."]]
"""An elementwise function."""


def gaaf(
    activation: Activation,
    shape_fn: Activation,
    *,
    frequency: float = 10_000.0,
    value: str = "floor",
) -> "Gaaf":
    """An activation with gradient acceleration:  φ_new(x) = φ(x) + g(x) s(x)  (eq. 8).

    Args:
      activation: φ, elementwise; any function of JAX.
      shape_fn: s, elementwise: how much gradient is added at x. Called in float32 for
        half precision.
      frequency: K of g, above 0.
      value: "floor": the paper's form, whose value differs from φ by at most 0.5 s / K
        and whose derivative is φ' + s + g s'. "exact": the value is φ to the bit, the
        derivative φ' + s; cheaper, and the same thing in half precision.

    Returns:
      A callable, hashable (equal where its parts are), for use wherever an activation
      is.

    Raises:
      TypeError: `activation` or `shape_fn` is not callable.
      ValueError: `frequency` is not a positive number; an unknown `value`.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import activations
      >>> phi = activations.gaaf(jnp.tanh, activations.exponential_shape, value="exact")
      >>> float(phi(8.0)), float(jax.grad(phi)(8.0))  # saturated, yet a gradient
      (1.0, 0.000335462624207139)

    Reference:
      Hahn and Choi, "Understanding dropout as an optimization trick", arXiv:1806.09783.
    """
    return Gaaf(activation, shape_fn, frequency, value)


@dataclasses.dataclass(frozen=True)
class Gaaf:
    """What `gaaf` returns: φ with gradient acceleration, a hashable callable.

    Attributes:
      activation: φ, elementwise.
      shape_fn: s, elementwise.
      frequency: K of g.
      value: "floor" or "exact".
    """

    activation: Activation
    shape_fn: Activation
    frequency: float = 10_000.0
    value: str = "floor"

    def __post_init__(self):
        for name in ("activation", "shape_fn"):
            if not callable(getattr(self, name)):
                raise TypeError(
                    f"{name} must be an elementwise function such as jnp.tanh, got "
                    f"{getattr(self, name)!r}"
                )
        check_frequency(self.frequency)
        if self.value not in ("floor", "exact"):
            raise ValueError(
                "value must be 'floor' (the paper's form) or 'exact', got "
                f"{self.value!r}"
            )

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """φ(x) + g(x) s(x)."""
        x = check_floating(x)
        y = self.activation(x)
        # Computed wide and rounded once: more exact, and on a CPU faster, as XLA has no
        # exponentials of half precision.
        wide = x.astype(at_least_float32(x.dtype))
        slope = jnp.asarray(self.shape_fn(wide), x.dtype)
        if self.value == "exact":
            return _add_slope(y, slope, x)
        return y + accelerate(x, float(self.frequency)) * slope


@jax.custom_jvp
def _add_slope(y: Array, slope: Array, x: Array) -> Array:
    """`y`, whose derivative gains `slope` with respect to `x`."""
    del slope, x  # they act on derivatives only, where `slope` is a constant
    return y


@_add_slope.defjvp
def _add_slope_jvp(primals, tangents):
    y, slope, x = primals
    y_dot, _, x_dot = tangents
    return _add_slope(y, slope, x), y_dot + slope * x_dot

"""Where net values lie on their activation (Hahn and Choi 2018, figures 3 and 6)."""

import functools
from collections.abc import Callable, Sequence

import chex
import jax
from jax import numpy as jnp
from jaxtyping import Array, Float, Int

from noisejax import activations
from noisejax._floating import at_least_float32, check_floating

PLAIN = {
    activations.gaaf_relu: jax.nn.relu,
    activations.gaaf_tanh: jnp.tanh,
    activations.gaaf_sigmoid: jax.nn.sigmoid,
}


def plain_activation(activation: activations.Activation) -> activations.Activation:
    """The activation without gradient acceleration, whose curvature means something.

    Args:
      activation: any elementwise function; `activations.gaaf(...)` and `gaaf_relu`,
        `gaaf_tanh`, `gaaf_sigmoid` (also under functools.partial) are unwrapped.

    Returns:
      The plain one; other functions as they are.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import activations, diagnostics
      >>> phi = activations.gaaf(jnp.tanh, activations.exponential_shape)
      >>> diagnostics.plain_activation(phi) is jnp.tanh
      True
    """
    while isinstance(activation, activations.Gaaf):
        activation = activation.activation
    inner = activation
    while isinstance(inner, functools.partial):
        inner = inner.func
    return PLAIN.get(inner, activation)


def activation_slope(
    nets: Float[Array, "*shape"], activation: Callable[[Array], Array]
) -> Float[Array, "*shape"]:
    """φ'(z), of the activation without gradient acceleration.

    Args:
      nets: net values z, any shape.
      activation: φ, elementwise.

    Returns:
      The slopes: the shape of z, float32 at least.

    Raises:
      TypeError: `nets` is not floating.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import diagnostics
      >>> diagnostics.activation_slope(jnp.array([-1.0, 2.0]), jax.nn.relu)
      Array([0., 1.], dtype=float32)
    """
    nets = check_floating(nets)
    nets = nets.astype(at_least_float32(nets.dtype))
    _, pull = jax.vjp(plain_activation(activation), nets)
    return pull(jnp.ones_like(nets))[0]


def saturation(
    nets: Float[Array, "..."],
    activation: Callable[[Array], Array],
    *,
    threshold: float = 0.1,
    axis: int | Sequence[int] | None = None,
) -> Float[Array, "..."]:
    """The share of net values in the saturation area:  mean [ |φ'(z)| < 0.1 ].

    (Hahn and Choi 2018, section 3.2; the bound is ours.) φ is taken without gradient
    acceleration, whose slope says nothing about where φ is flat.

    Args:
      nets: net values z, such as [B, D].
      activation: φ, elementwise.
      threshold: |φ'| below it counts as saturated.
      axis: to average over: None for all, 0 for a share per unit.

    Returns:
      The share, in [0, 1].

    Raises:
      TypeError: `nets` is not floating.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import diagnostics
      >>> z = jnp.array([-3.0, 0.0, 1.0, 2.0])  # tanh' is 0.01, 1, 0.42, 0.07
      >>> float(diagnostics.saturation(z, jnp.tanh))
      0.5

    Reference:
      Hahn and Choi, "Understanding dropout as an optimization trick", arXiv:1806.09783.
    """
    axis = axis if axis is None or isinstance(axis, int) else tuple(axis)
    flat = jnp.abs(activation_slope(nets, activation)) < threshold
    return jnp.mean(flat, axis=axis, dtype=jnp.float32)


@chex.dataclass(frozen=True)
class NetHistogram:
    """How net values are distributed; histograms of several batches add up.

    Attributes:
      counts: in equal bins over [low, high); at int32.
      below: net values under `low`.
      above: those at `high` or over.
      low: lower edge of the first bin.
      high: upper edge of the last.
    """

    counts: Int[Array, " bins"]
    below: Int[Array, ""]
    above: Int[Array, ""]
    low: Float[Array, ""]
    high: Float[Array, ""]

    def __add__(self, other: "NetHistogram") -> "NetHistogram":
        """The histogram of both; they must have the same bins."""
        return NetHistogram(
            counts=self.counts + other.counts,
            below=self.below + other.below,
            above=self.above + other.above,
            low=self.low,
            high=self.high,
        )


def net_histogram(
    nets: Float[Array, "..."],
    *,
    low: float = -8.0,
    high: float = 8.0,
    num_bins: int = 160,
) -> NetHistogram:
    """Counts net values by size (Hahn and Choi 2018, figures 3 and 6).

    Args:
      nets: net values, any shape; finite.
      low: lower edge of the first bin.
      high: upper edge of the last, above `low`.
      num_bins: of equal width.

    Returns:
      The counts, with those outside the edges beside.

    Raises:
      TypeError: `nets` is not floating.
      ValueError: edges out of order, a number of bins below 1.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import diagnostics
      >>> z = jnp.array([-9.0, -0.5, 0.5, 0.7, 8.0])
      >>> h = diagnostics.net_histogram(z, low=-1.0, high=1.0, num_bins=2)
      >>> h.counts, int(h.below), int(h.above)
      (Array([1, 2], dtype=int32), 1, 1)
    """
    nets = check_floating(nets)
    if not low < high or num_bins < 1:
        raise ValueError(
            "a histogram needs low < high and at least 1 bin, got "
            f"low={low}, high={high}, num_bins={num_bins}"
        )
    nets = nets.astype(at_least_float32(nets.dtype)).ravel()
    position = jnp.floor((nets - low) * (num_bins / (high - low)))
    bins = jnp.clip(position, -1, num_bins).astype(jnp.int32) + 1
    counts = jnp.zeros(num_bins + 2, jnp.int32).at[bins].add(1)
    return NetHistogram(
        counts=counts[1:-1],
        below=counts[0],
        above=counts[-1],
        low=jnp.float32(low),
        high=jnp.float32(high),
    )

"""Saturation of activations (Hahn and Choi 2018, figures 3 and 6)."""

import functools
from collections.abc import Callable, Sequence

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float, Int

from noisejax import activations
from noisejax._dataclass import dataclass
from noisejax._floating import promote

PLAIN_OF = {
    activations.gaaf_relu: jax.nn.relu,
    activations.gaaf_tanh: jnp.tanh,
    activations.gaaf_sigmoid: jax.nn.sigmoid,
}
"""Plain activation of each accelerated activation."""


def plain_activation(activation: activations.Activation) -> activations.Activation:
    """Remove gradient acceleration (GAAF), which changes the derivatives of φ.

    Args:
      activation: elementwise activation. Accelerated activations are
        `activations.gaaf(...)`, `gaaf_relu`, `gaaf_tanh` and `gaaf_sigmoid`, also
        within a `functools.partial`.

    Returns:
      The plain activation. Other functions are returned unchanged.

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
    return PLAIN_OF.get(inner, activation)


def activation_slope(
    nets: Float[Array, "*shape"], activation: Callable[[Array], Array]
) -> Float[Array, "*shape"]:
    """Compute the slope φ'(z) of an activation, without gradient acceleration.

    Args:
      nets: pre-activations z of any shape.
      activation: elementwise activation φ.

    Returns:
      The slopes, with the shape of z and in float32 at least.

    Raises:
      TypeError: `nets` is not floating.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import diagnostics
      >>> diagnostics.activation_slope(jnp.array([-1.0, 2.0]), jax.nn.relu)
      Array([0., 1.], dtype=float32)
    """
    nets = promote(nets)
    _, pull = jax.vjp(plain_activation(activation), nets)
    return pull(jnp.ones_like(nets))[0]


def saturation(
    nets: Float[Array, "..."],
    activation: Callable[[Array], Array],
    *,
    threshold: float = 0.1,
    axis: int | Sequence[int] | None = None,
) -> Float[Array, "..."]:
    """Compute the share of saturated pre-activations:  mean [ |φ'(z)| < 0.1 ].

    See Hahn and Choi 2018, section 3.2. The threshold is our choice. φ' is computed by
    `activation_slope`.

    Args:
      nets: pre-activations z, such as [B, D].
      activation: elementwise activation φ.
      threshold: slope |φ'| below which a unit is saturated.
      axis: axes of the mean, by default all. 0 gives a share per unit.

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


@dataclass
class NetHistogram:
    """Histogram of pre-activations. Add the histograms of several batches with `+`.

    Attributes:
      counts: number of pre-activations per bin, in equal bins over [low, high), int32.
      below: number of pre-activations below `low`.
      above: number of pre-activations at or above `high`.
      low: lower edge of the first bin.
      high: upper edge of the last bin.
    """

    counts: Int[Array, " bins"]
    below: Int[Array, ""]
    above: Int[Array, ""]
    low: Float[Array, ""]
    high: Float[Array, ""]

    def __add__(self, other: "NetHistogram") -> "NetHistogram":
        """Add the counts of another histogram with the same bins."""
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
    """Count pre-activations in bins (Hahn and Choi 2018, figures 3 and 6).

    Args:
      nets: finite pre-activations of any shape.
      low: lower edge of the first bin.
      high: upper edge of the last bin, above `low`.
      num_bins: number of bins of equal width.

    Returns:
      The histogram.

    Raises:
      TypeError: `nets` is not floating.
      ValueError: `low` is not below `high`, or `num_bins` is below 1.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import diagnostics
      >>> z = jnp.array([-9.0, -0.5, 0.5, 0.7, 8.0])
      >>> h = diagnostics.net_histogram(z, low=-1.0, high=1.0, num_bins=2)
      >>> h.counts, int(h.below), int(h.above)
      (Array([1, 2], dtype=int32), 1, 1)
    """
    bins = bins_of(nets, low, high, num_bins) + 1
    counts = jnp.zeros(num_bins + 2, jnp.int32).at[bins].add(1)
    return NetHistogram(
        counts=counts[1:-1],
        below=counts[0],
        above=counts[-1],
        low=jnp.float32(low),
        high=jnp.float32(high),
    )


def bins_of(
    nets: Float[Array, "..."], low: float, high: float, num_bins: int
) -> Int[Array, " values"]:
    """Return the bin of each value: -1 below `low`, and num_bins from `high` on.

    Raises:
      TypeError: `nets` is not floating.
      ValueError: `low` is not below `high`, or `num_bins` is below 1.
    """
    nets = promote(nets).ravel()
    if not low < high or num_bins < 1:
        raise ValueError(
            "bins need low < high and at least 1 of them, got "
            f"low={low}, high={high}, num_bins={num_bins}"
        )
    position = jnp.floor((nets - low) * (num_bins / (high - low)))
    return jnp.clip(position, -1, num_bins).astype(jnp.int32)

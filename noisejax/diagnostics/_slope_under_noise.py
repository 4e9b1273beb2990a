"""What noise does to the slopes of activations (Hahn and Choi 2018, figure 2)."""

import functools
from collections.abc import Callable

import chex
import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Float, Int

from noisejax._floating import at_least_float32, check_floating
from noisejax.diagnostics._saturation import activation_slope


def expected_slope(
    nets: Float[Array, "*shape"],
    activation: Callable[[Array], Array],
    *,
    stddev: float,
    num_nodes: int = 2001,
) -> Float[Array, "*shape"]:
    """The mean slope under Gaussian noise:  E φ'(z + σ ε),  ε ~ N(0, 1).

    The mechanism of Hahn and Choi's figure 2: where φ is flat, noise moves z to places
    where it is not, so the mean slope is above φ'(z). (The net value of many dropped
    units is nearly normal; the paper gives no formula.)

    Args:
      nets: net values z, any shape.
      activation: φ, elementwise, without gradient acceleration.
      stddev: σ of the net value, above 0: the root of `net_variance`.
      num_nodes: of the integral over ±8 σ.

    Returns:
      The mean slopes: the shape of z.

    Raises:
      TypeError: `nets` is not floating.
      ValueError: `stddev` is not above 0.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import diagnostics
      >>> z = jnp.array([-1.0, 0.0, 1.0])  # of ReLU: the normal distribution function
      >>> diagnostics.expected_slope(z, jax.nn.relu, stddev=1.0).round(2)
      Array([0.16, 0.5 , 0.84], dtype=float32)
    """
    if not stddev > 0:
        raise ValueError(f"stddev is σ of the net value, above 0; got {stddev!r}")
    nets = check_floating(nets)
    nets = nets.astype(at_least_float32(nets.dtype))
    nodes = np.linspace(-8.0, 8.0, num_nodes)
    weights = np.exp(-0.5 * nodes**2)
    weights = jnp.asarray(weights / weights.sum(), nets.dtype)
    moved = nets[..., None] + jnp.asarray(stddev * nodes, nets.dtype).reshape(
        (1,) * nets.ndim + (-1,)
    )
    return jnp.matmul(activation_slope(moved, activation), weights, precision="highest")


@chex.dataclass(frozen=True)
class SlopeUnderNoise:
    """Slopes with and without noise, by the clean net value.

    Attributes:
      centers: of the bins of the clean net value.
      counts: net values per bin; the outer bins hold those beyond the edges too.
      clean: mean φ'(z) per bin; NaN where the bin is empty.
      noisy: mean φ'(z + noise) per bin, over draws; likewise.
      clean_mean: over all.
      noisy_mean: over all.
    """

    centers: Float[Array, " bins"]
    counts: Int[Array, " bins"]
    clean: Float[Array, " bins"]
    noisy: Float[Array, " bins"]
    clean_mean: Float[Array, ""]
    noisy_mean: Float[Array, ""]


def slope_under_noise(
    nets: Float[Array, "..."],
    noisy_nets: Float[Array, "draws ..."],
    activation: Callable[[Array], Array],
    *,
    low: float = -6.0,
    high: float = 6.0,
    num_bins: int = 48,
) -> SlopeUnderNoise:
    """Compares φ'(z + noise) with φ'(z) on a network's own net values.

    Args:
      nets: of a noise-free pass, such as [B, D].
      noisy_nets: of S noisy passes over the same batch, [S, B, D].
      activation: φ, elementwise; its gradient acceleration is taken off.
      low: lower edge of the first bin of the clean net value.
      high: upper edge of the last, above `low`.
      num_bins: of equal width.

    Returns:
      Mean slopes per bin and over all.

    Raises:
      TypeError: not floating.
      ValueError: `noisy_nets` are not of shape [S, *nets.shape]; edges out of order, a
        number of bins below 1.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import diagnostics
      >>> z = jnp.array([-0.5, 2.0])
      >>> noisy = jnp.stack([z + 1.0, z - 1.0])
      >>> slopes = diagnostics.slope_under_noise(z, noisy, jax.nn.relu)
      >>> float(slopes.clean_mean), float(slopes.noisy_mean)
      (0.5, 0.75)

    Reference:
      Hahn and Choi, "Understanding dropout as an optimization trick", arXiv:1806.09783.
    """
    nets = check_floating(nets)
    if jnp.shape(noisy_nets)[1:] != nets.shape or not len(noisy_nets):
        raise ValueError(
            "noisy_nets must be [draws, ...] of the net values' own shape "
            f"{nets.shape}, got {jnp.shape(noisy_nets)}"
        )
    if not low < high or num_bins < 1:
        raise ValueError(
            "bins need low < high and at least 1 of them, got "
            f"low={low}, high={high}, num_bins={num_bins}"
        )
    clean = activation_slope(nets, activation).ravel()
    noisy = activation_slope(noisy_nets, activation).mean(axis=0).ravel()
    z = nets.astype(clean.dtype).ravel()
    bins = jnp.floor((z - low) * (num_bins / (high - low)))
    bins = jnp.clip(bins, 0, num_bins - 1).astype(jnp.int32)
    add = functools.partial(
        jax.ops.segment_sum, segment_ids=bins, num_segments=num_bins
    )
    counts = add(jnp.ones_like(bins))
    divisor = counts.astype(clean.dtype)
    edges = np.linspace(low, high, num_bins + 1)
    return SlopeUnderNoise(
        centers=jnp.asarray((edges[1:] + edges[:-1]) / 2, clean.dtype),
        counts=counts,
        clean=add(clean) / divisor,
        noisy=add(noisy) / divisor,
        clean_mean=clean.mean(),
        noisy_mean=noisy.mean(),
    )

"""Slopes of activations under noise (Hahn and Choi 2018, figure 2)."""

import functools
from collections.abc import Callable

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Float, Int

from noisejax._dataclass import dataclass
from noisejax._floating import check_floating, promote
from noisejax.diagnostics._saturation import activation_slope, bins_of


def expected_slope(
    nets: Float[Array, "*shape"],
    activation: Callable[[Array], Array],
    *,
    stddev: float,
    num_nodes: int = 2001,
) -> Float[Array, "*shape"]:
    """Compute the mean slope under Gaussian noise:  E φ'(z + σ ε),  ε ~ N(0, 1).

    Figure 2 of Hahn and Choi 2018 illustrates this effect. If φ is flat at z, noise
    moves z to steeper parts of φ, so that the mean slope exceeds φ'(z). The formula is
    ours. It assumes normal noise, because a sum over many dropped units is nearly
    normal.

    Args:
      nets: pre-activations z of any shape.
      activation: elementwise activation φ. Gradient acceleration is removed.
      stddev: standard deviation σ of the noise, above 0, such as the square root of a
        `net_variance`.
      num_nodes: number of nodes of the numerical integral over ±8 σ.

    Returns:
      The mean slopes, with the shape of z.

    Raises:
      TypeError: `nets` is not floating.
      ValueError: `stddev` is not above 0.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import diagnostics
      >>> z = jnp.array([-1.0, 0.0, 1.0])  # for a ReLU, the normal cdf
      >>> diagnostics.expected_slope(z, jax.nn.relu, stddev=1.0).round(2)
      Array([0.16, 0.5 , 0.84], dtype=float32)
    """
    if not stddev > 0:
        raise ValueError(f"stddev must be above 0, got {stddev!r}")
    nets = promote(nets)
    nodes = np.linspace(-8.0, 8.0, num_nodes)
    weights = np.exp(-0.5 * nodes**2)
    weights = jnp.asarray(weights / weights.sum(), nets.dtype)
    offsets = jnp.asarray(stddev * nodes, nets.dtype)
    moved = nets[..., None] + offsets.reshape((1,) * nets.ndim + (-1,))
    return jnp.matmul(activation_slope(moved, activation), weights, precision="highest")


@dataclass
class SlopeUnderNoise:
    """Slopes with and without noise, in bins of the noise-free pre-activation z.

    Attributes:
      centers: centres of the bins.
      counts: number of z per bin. The outer bins include values beyond the edges.
      clean: mean of φ'(z) per bin, or NaN for an empty bin.
      noisy: mean of φ'(z + noise) per bin and over draws, or NaN for an empty bin.
      clean_mean: mean of φ'(z) over all z.
      noisy_mean: mean of φ'(z + noise) over all z and draws.
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
    """Compare φ'(z + noise) with φ'(z) for the pre-activations z of a network.

    Args:
      nets: pre-activations of a noise-free pass, such as [B, D].
      noisy_nets: pre-activations of S noisy passes over the same batch, [S, B, D].
      activation: elementwise activation φ. Gradient acceleration is removed.
      low: lower edge of the first bin of z.
      high: upper edge of the last bin, above `low`.
      num_bins: number of bins of equal width.

    Returns:
      The mean slopes per bin and over all pre-activations.

    Raises:
      TypeError: an array is not floating.
      ValueError: `noisy_nets` does not have the shape [S, *nets.shape], `low` is not
        below `high`, or `num_bins` is below 1.

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
            "noisy_nets must be [draws, ...] of the shape of nets, "
            f"{nets.shape}, got {jnp.shape(noisy_nets)}"
        )
    bins = jnp.clip(bins_of(nets, low, high, num_bins), 0, num_bins - 1)
    clean = activation_slope(nets, activation).ravel()
    noisy = activation_slope(noisy_nets, activation).mean(axis=0).ravel()
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

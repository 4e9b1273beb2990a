"""Correlations between the units of a layer (Hahn and Choi 2018, figure 1, table 1)."""

import functools

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from noisejax._dataclass import dataclass
from noisejax._floating import check_floating, promote

THRESHOLDS = (0.9, 0.8, 0.7, 0.6, 0.5)
"""Thresholds of Hahn and Choi 2018, table 1."""

MAX_UNITS = 65_535
"""Maximum number of units, so that an int32 can count all pairs."""


def node_correlations(
    activations: Float[Array, "examples units"],
) -> Float[Array, "units units"]:
    """Compute the Pearson correlations of all pairs:  r = cov(aᵢ, aⱼ) / (σᵢ σⱼ).

    Args:
      activations: noise-free activations, [N, D]. Reshape images to (-1, channels), so
        that feature maps are units and positions are examples.

    Returns:
      The correlations, [D, D]. The diagonal is 1, and the rows and columns of constant
      units are NaN. `correlation_counts` needs less memory for thousands of units.

    Raises:
      TypeError: the activations are not floating.
      ValueError: the activations do not have the shape [N, D].

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import diagnostics
      >>> a = jnp.array([[1.0, 2.0, 5.0], [2.0, 1.0, 5.0], [3.0, 0.0, 5.0]])
      >>> diagnostics.node_correlations(a).round(3)[0]
      Array([ 1., -1., nan], dtype=float32)

    Reference:
      Hahn and Choi, "Understanding dropout as an optimization trick", arXiv:1806.09783.
    """
    return _correlate(_check(activations))


@dataclass
class CorrelationCounts:
    """Number of correlated pairs of units of a layer.

    Attributes:
      above: number of pairs with |r| above each threshold.
      thresholds: thresholds of |r|.
      histogram: histogram of r over all pairs, in equal bins over [-1, 1].
      num_pairs: number of pairs of nonconstant units.
      num_units: number of units of the layer.
      num_constant: number of constant units, which are in no pair.
    """

    above: Int[Array, " thresholds"]
    thresholds: Float[Array, " thresholds"]
    histogram: Int[Array, " bins"]
    num_pairs: Int[Array, ""]
    num_units: Int[Array, ""]
    num_constant: Int[Array, ""]


def correlation_counts(
    activations: Float[Array, "examples units"],
    *,
    thresholds: tuple[float, ...] = THRESHOLDS,
    num_bins: int = 200,
    block_size: int = 512,
) -> CorrelationCounts:
    """Count strongly correlated pairs of units, in blocks of the correlation matrix.

    The memory use is a standardised copy of the activations and one block of the
    matrix.

    Args:
      activations: noise-free activations, [N, D], as in `node_correlations`.
      thresholds: thresholds of |r|. The default is that of the paper.
      num_bins: number of bins of the histogram.
      block_size: number of rows and columns of a block.

    Returns:
      The counts.

    Raises:
      TypeError: the activations are not floating.
      ValueError: the activations do not have the shape [N, D], or `num_bins` or
        `block_size` is below 1.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import diagnostics
      >>> a = jnp.array([[1.0, 2.0, 5.0], [2.0, 1.0, 5.0], [3.0, 0.0, 5.0]])
      >>> counts = diagnostics.correlation_counts(a, thresholds=(0.9,))
      >>> int(counts.above[0]), int(counts.num_pairs), int(counts.num_constant)
      (1, 1, 1)

    Reference:
      Hahn and Choi, "Understanding dropout as an optimization trick", arXiv:1806.09783,
      figure 1 and table 1.
    """
    activations = _check(activations)
    if num_bins < 1 or block_size < 1:
        raise ValueError(
            f"num_bins and block_size must be at least 1, got {num_bins}, {block_size}"
        )
    thresholds = tuple(float(t) for t in thresholds)
    block_size = min(block_size, activations.shape[1])
    return _count(activations, thresholds, num_bins, block_size)


def _check(activations: Array) -> Array:
    activations = check_floating(activations)
    if activations.ndim != 2 or not activations.size:
        raise ValueError(
            "activations must be [examples, units], both at least 1, got shape "
            f"{activations.shape}; reshape images with .reshape(-1, channels)"
        )
    if activations.shape[1] > MAX_UNITS:
        raise ValueError(f"at most {MAX_UNITS} units, got {activations.shape[1]}")
    return activations


def _standardise(
    a: Float[Array, "examples units"],
) -> tuple[Float[Array, "examples units"], Bool[Array, " units"]]:
    """Normalise columns to mean 0 and length 1, and return which are not constant."""
    a = promote(a)
    varies = a.max(axis=0) > a.min(axis=0)
    scale = jnp.max(jnp.abs(a), axis=0, keepdims=True)  # prevents underflow of squares
    a = a / jnp.where(scale > 0, scale, 1.0)
    centred = a - a.mean(axis=0, keepdims=True)
    length = jnp.sqrt((centred**2).sum(axis=0, keepdims=True))
    counted = varies & (length[0] > 0)
    unit = jnp.where(counted[None], centred / jnp.where(length > 0, length, 1.0), 0.0)
    return unit, counted


@jax.jit
def _correlate(activations: Array) -> Array:
    unit, varies = _standardise(activations)
    r = jnp.clip(jnp.matmul(unit.T, unit, precision="highest"), -1.0, 1.0)
    r = jnp.where(jnp.eye(len(r), dtype=bool), 1.0, r)
    return jnp.where(varies[:, None] & varies[None], r, jnp.nan)


@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def _count(
    activations: Array, thresholds: tuple[float, ...], num_bins: int, size: int
) -> CorrelationCounts:
    unit, varies = _standardise(activations)
    num_units = unit.shape[1]
    blocks = -(-num_units // size)
    padding = blocks * size - num_units
    unit = jnp.pad(unit, ((0, 0), (0, padding)))
    varying = jnp.pad(varies, (0, padding))
    bounds = jnp.asarray(thresholds, unit.dtype)

    def body(carry, starts):
        above, histogram, pairs = carry
        i, j = starts
        rows = lax.dynamic_slice_in_dim(unit, i, size, axis=1)
        columns = lax.dynamic_slice_in_dim(unit, j, size, axis=1)
        r = jnp.matmul(rows.T, columns, precision="highest")
        later = (i + jnp.arange(size))[:, None] < (j + jnp.arange(size))[None]
        varying_rows = lax.dynamic_slice_in_dim(varying, i, size)[:, None]
        counted = (
            later & varying_rows & lax.dynamic_slice_in_dim(varying, j, size)[None]
        )
        strong = counted[None] & (jnp.abs(r)[None] > bounds[:, None, None])
        bins = jnp.clip((0.5 * num_bins) * (r + 1.0), 0, num_bins - 1)
        bins = jnp.where(counted, bins.astype(jnp.int32), num_bins)  # drops the others
        return (
            above + strong.sum(axis=(1, 2), dtype=jnp.int32),
            histogram.at[bins.ravel()].add(1, mode="drop"),
            pairs + counted.sum(dtype=jnp.int32),
        ), ()

    upper = size * np.stack(np.triu_indices(blocks), axis=1).astype(np.int32)
    zeros = (
        jnp.zeros_like(unit, jnp.int32, (len(thresholds),)),
        jnp.zeros_like(unit, jnp.int32, (num_bins,)),
        jnp.zeros_like(unit, jnp.int32, ()),
    )
    (above, histogram, pairs), _ = lax.scan(body, zeros, (upper[:, 0], upper[:, 1]))
    return CorrelationCounts(
        above=above,
        thresholds=bounds,
        histogram=histogram,
        num_pairs=pairs,
        num_units=jnp.int32(num_units),
        num_constant=jnp.int32(num_units) - varies.sum(dtype=jnp.int32),
    )

"""Means over seeds, with their standard error."""

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes


def mean_and_error(
    values: Float[np.ndarray, "seeds ..."],
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """The mean over seeds and its standard error, 0 for a single seed; NaN left out."""
    values = np.asarray(values, np.float64)
    counts = np.isfinite(values).sum(axis=0)
    masked = np.ma.masked_invalid(values)
    mean = masked.mean(axis=0).filled(np.nan)
    if len(values) == 1:
        return mean, np.zeros_like(mean)
    deviation = masked.std(axis=0, ddof=1).filled(0.0)
    return mean, deviation / np.sqrt(np.maximum(counts, 1))


def draw_band(
    axes: Axes,
    x: Float[np.ndarray, " points"],
    values: Float[np.ndarray, "seeds points"],
    *,
    colour: str,
    label: str,
    dash: str = "-",
) -> None:
    """A line of means in a band of standard errors."""
    mean, error = mean_and_error(values)
    axes.plot(x, mean, dash, color=colour, label=label)
    if len(values) > 1:
        axes.fill_between(x, mean - error, mean + error, color=colour, alpha=0.25, lw=0)

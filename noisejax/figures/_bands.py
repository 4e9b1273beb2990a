"""Means over seeds, with their standard error."""

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes


def mean_and_error(
    values: Float[np.ndarray, "seeds ..."],
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """The mean over seeds and its standard error, 0 for a single seed; NaN left out."""
    values = np.asarray(values, np.float64)
    known = np.isfinite(values)
    count = known.sum(axis=0)
    mean = np.where(known, values, 0.0).sum(axis=0) / np.maximum(count, 1)
    squares = np.where(known, (values - mean) ** 2, 0.0).sum(axis=0)
    error = np.sqrt(squares / np.maximum(count - 1, 1) / np.maximum(count, 1))
    return np.where(count > 0, mean, np.nan), error


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

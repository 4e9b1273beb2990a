"""The density of the share of dropped units (Bouthillier et al. 2015, figure 1)."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure

from noisejax.figures._style import (
    DASHES,
    Canvas,
    check_series,
    check_some,
    colours_of,
    label_axes,
    legend_below,
    panels,
)


def dropped_share(
    laws: Mapping[str, Float[np.ndarray, " shares"]],
    *,
    counts: Mapping[str, Int[np.ndarray, " shares"]] | None = None,
    title: str = "",
    figure: Canvas | None = None,
) -> Figure:
    """Draws how many units of a layer are dropped (Bouthillier et al. 2015, figure 1).

    Args:
      laws: scheme -> P(k of n) for k = 0, ..., n, as `diagnostics.dropped_share_law`.
      counts: scheme -> draws that dropped k units, as `diagnostics.dropped_counts`:
        drawn as points with standard errors, in at most 40 bins.
      title: layer and rate, for the title.
      figure: figure or part of a page to draw in; None: a new one.

    Returns:
      The figure.

    Raises:
      ValueError: there is no law, or counts and law differ in their number of units.

    Example:
      >>> import numpy as np
      >>> from noisejax import figures
      >>> len(figures.dropped_share({"dropout": np.array([0.25, 0.5, 0.25])}).axes)
      1
    """
    check_some(laws, "laws")
    counts = counts or {}
    with panels(figure) as (fig, [ax]):
        for i, (label, colour) in enumerate(zip(laws, colours_of(laws), strict=True)):
            n = len(laws[label]) - 1
            x = np.arange(n + 1) / n
            text = f"{label}, law ({n:,} units)"
            ax.plot(x, n * laws[label], DASHES[i % 4], color=colour, label=text)
            if label not in counts:
                continue
            check_series(law=laws[label], counts=counts[label])
            draws = int(np.sum(counts[label]))
            width = -(-(n + 1) // 40)
            centers, mean, error = _bins(np.asarray(counts[label]), n, width, draws)
            text = f"{draws:,} draws, standard error"
            ax.errorbar(centers, mean, error, fmt=".", color=colour, label=text, lw=0.8)
        title = "Share of dropped units" + (
            f": {title[:1].lower() + title[1:]}" if title else ""
        )
        label_axes(ax, "Share of units dropped", "Density", title)
        ax.set_ylim(bottom=0)
        legend_below(fig)
        return fig


def _bins(counts, n, width, draws):
    """Adds up neighbouring counts, as densities; empty bins are left out."""
    padded = np.pad(counts, (0, -len(counts) % width)).reshape(-1, width)
    sizes = np.pad(np.ones(len(counts)), (0, -len(counts) % width)).reshape(-1, width)
    k = np.pad(np.arange(len(counts)), (0, -len(counts) % width)).reshape(-1, width)
    total, size = padded.sum(axis=1), sizes.sum(axis=1)
    scale = n / (draws * size)
    centers = (k * sizes).sum(axis=1) / size / n
    seen = total > 0
    return centers[seen], (total * scale)[seen], (np.sqrt(total) * scale)[seen]

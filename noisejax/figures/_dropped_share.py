"""The density of the share of dropped units (Bouthillier et al. 2015, figure 1)."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure

from noisejax.figures import _style as style


def dropped_share(
    laws: Mapping[str, Float[np.ndarray, " shares"]],
    *,
    counts: Mapping[str, Int[np.ndarray, " shares"]] | None = None,
    title: str = "",
    figure: style.Canvas | None = None,
) -> Figure:
    """Draw how many units of a layer are dropped (Bouthillier et al. 2015, figure 1).

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
    style.check_some(laws, "laws")
    counts, colours = counts or {}, style.colours_of(laws)
    with style.panels(figure) as (fig, [ax]):
        for i, (label, law) in enumerate(laws.items()):
            n, colour = len(law) - 1, colours[i]
            x = np.arange(n + 1) / n
            text = f"{label}, law ({n:,} units)"
            ax.plot(x, n * law, style.DASHES[i % 4], color=colour, label=text)
            if label not in counts:
                continue
            style.check_series(law=law, counts=counts[label])
            draws = int(np.sum(counts[label]))
            width = -(-(n + 1) // 40)
            centers, mean, error = _bins(np.asarray(counts[label]), n, width, draws)
            text = f"{draws:,} draws, standard error"
            ax.errorbar(centers, mean, error, fmt=".", color=colour, label=text, lw=0.8)
        ending = f": {title[:1].lower()}{title[1:]}" if title else ""
        title = f"Share of dropped units{ending}"
        style.label_axes(ax, "Share of units dropped", "Density", title)
        ax.set_ylim(bottom=0)
        style.legend_below(fig)
        return fig


def _bins(counts, n, width, draws):
    """Return centres, densities and standard errors of the bins that are not empty."""
    edges = np.arange(0, len(counts), width)
    total = np.add.reduceat(counts, edges)
    size = np.diff(edges, append=len(counts))
    scale = n / (draws * size)
    centers = np.add.reduceat(np.arange(len(counts)), edges) / size / n
    seen = total > 0
    return centers[seen], (total * scale)[seen], (np.sqrt(total) * scale)[seen]

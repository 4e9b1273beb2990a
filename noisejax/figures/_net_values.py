"""Net values on their activation (Hahn and Choi 2018, figures 2, 3 and 6)."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from noisejax.figures._check import check_series, check_some
from noisejax.figures._style import (
    BLACK,
    BLUE,
    DASHES,
    Canvas,
    canvas,
    colours_of,
    grid_of,
    label_axes,
    legend_below,
    remove_unused,
    show_n,
)

Histogram = Mapping[str, object]
"""{"counts", "low", "high", "below", "above"}, as `diagnostics.net_histogram` has them,
and "saturation", the share of saturated net values, where it is known."""


def net_values(
    histograms: Mapping[str, Mapping[str, Histogram]], *, figure: Canvas | None = None
) -> Figure:
    """Draws the distributions of net values (Hahn and Choi 2018, figures 3 and 6).

    Args:
      histograms: network -> layer -> histogram: counts in equal bins between low and
        high, those below and above, and the share saturated.
      figure: to draw in; None: a new one.

    Returns:
      The figure, a panel per layer: where net values are, up to 1 in 10,000. Densities
      count what lies outside, too.

    Raises:
      ValueError: there is no network, no layer, or no bin.

    Example:
      >>> from noisejax import figures
      >>> h = {"counts": [2, 5], "low": -1, "high": 1, "below": 1, "above": 0}
      >>> len(figures.net_values({"dropout": {"layer_1": h}}).axes)
      1
    """
    layers = list(dict.fromkeys(name for h in histograms.values() for name in h))
    check_some(layers, "layers")
    rows, columns = grid_of(len(layers))
    with canvas(figure, rows, columns, height_cm=4.6 * rows + 1) as (fig, axes):
        colours = colours_of(histograms)
        for k, (ax, layer) in enumerate(zip(axes.flat, layers, strict=False)):
            drawn = [
                (i, h[layer]) for i, h in enumerate(histograms.values()) if layer in h
            ]
            totals, ends = [], []
            for place, (i, h) in enumerate(drawn):
                (counts,) = check_series(counts=h["counts"])
                edges = np.linspace(float(h["low"]), float(h["high"]), len(counts) + 1)
                total = counts.sum() + float(h["below"]) + float(h["above"])
                totals.append(total)
                seen = np.flatnonzero(counts > 1e-4 * total)
                if len(seen):
                    ends += [edges[seen[0]], edges[seen[-1] + 1]]
                density = counts / max(total, 1) / np.diff(edges)
                look = {"color": colours[i], "ls": DASHES[i % 4]}
                ax.stairs(density, edges, **look, label=list(histograms)[i])
                if h.get("saturation") is not None:
                    ax.text(
                        *(0.98, 0.97 - 0.11 * place),
                        f"{100 * float(h['saturation']):.0f} % saturated",
                        color=colours[i],
                        transform=ax.transAxes,
                        ha="right",
                        va="top",
                        fontsize=6,
                    )
            first = k % columns == 0
            title = f"{layer}\nn = {show_n(totals)}"
            label_axes(ax, "net value z", "density" if first else "", title)
            ax.margins(y=0.2 + 0.16 * len(drawn))
            ax.set_ylim(bottom=0)
            if ends:  # few net values lie beyond
                ax.set_xlim(min(ends), max(ends))
        remove_unused(axes, len(layers))
        if len(histograms) > 1:
            legend_below(fig, columns=3)
        return fig


def slopes(
    nets: Float[np.ndarray, " points"],
    clean: Float[np.ndarray, " points"],
    noisy: Float[np.ndarray, " points"],
    *,
    counts: Float[np.ndarray, " points"] | None = None,
    title: str = "",
    figure: Canvas | None = None,
) -> Figure:
    """Draws slopes with and without noise (the mechanism of Hahn and Choi's figure 2).

    Args:
      nets: clean net values z, such as centres of bins.
      clean: φ'(z), or its mean per bin; NaN where a bin is empty.
      noisy: the mean of φ'(z + noise).
      counts: net values per bin, drawn as a grey density behind; None: none.
      title: of the panel.
      figure: to draw in; None: a new one.

    Returns:
      The figure; shaded where noise adds slope.

    Raises:
      ValueError: arrays that are empty, or of different length.

    Example:
      >>> import numpy as np
      >>> from noisejax import figures
      >>> z = np.linspace(-3, 3, 7)
      >>> len(figures.slopes(z, 1 - np.tanh(z) ** 2, 0.8 - 0.1 * np.abs(z)).axes)
      1
    """
    nets, clean, noisy = check_series(nets=nets, clean=clean, noisy=noisy)
    check_series(nets=nets, counts=counts)
    with canvas(figure) as (fig, axes):
        ax = axes[0, 0]
        ax.plot(nets, clean, color=BLACK, label="φ'(z), no noise")
        ax.plot(nets, noisy, "--", color=BLUE, label="mean φ'(z + noise)")
        ax.fill_between(nets, clean, noisy, where=noisy > clean, color=BLUE, alpha=0.15)
        if counts is not None:
            share = np.asarray(counts, np.float64) / max(np.max(counts), 1)
            top = np.nanmax([clean, noisy])
            text = "net values (density)"
            ax.fill_between(
                nets, 0 * nets, 0.3 * top * share, color="0.7", lw=0, label=text
            )
        label_axes(ax, "net value z", "slope of φ", title)
        seen = nets[np.isfinite(clean)]
        if len(seen) > 1:
            ax.set_xlim(seen.min(), seen.max())
        ax.set_ylim(bottom=min(0.0, float(np.nanmin([clean, noisy]))))
        ax.legend()
        return fig

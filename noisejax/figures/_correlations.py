"""Correlations between units (Hahn and Choi 2018, figure 1 and table 1)."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure

from noisejax.figures._check import check_series, check_some
from noisejax.figures._style import (
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

Layers = Mapping[str, Int[np.ndarray, "..."] | Sequence[int]]
"""Layer -> counts."""


def correlations(
    histograms: Mapping[str, Layers], *, figure: Canvas | None = None
) -> Figure:
    """Draws the densities of Pearson's coefficient (Hahn and Choi 2018, figure 1).

    Args:
      histograms: network, such as "without dropout" -> layer -> pairs by correlation in
        equal bins over [-1, 1], as in `diagnostics.correlation_counts`.
      figure: to draw in; None: a new one.

    Returns:
      The figure, a panel per layer.

    Raises:
      ValueError: there is no network, no layer, or no bin.

    Example:
      >>> import numpy as np
      >>> from noisejax import figures
      >>> counts = {"dropout": {"layer_1": np.array([1, 4, 9, 2])}}
      >>> len(figures.correlations(counts).axes)
      1
    """
    layers = _layers(histograms)
    rows, columns = grid_of(len(layers))
    with canvas(figure, rows, columns, height_cm=4.6 * rows + 1) as (fig, axes):
        colours = colours_of(histograms)
        for k, (ax, layer) in enumerate(zip(axes.flat, layers, strict=False)):
            for i, (label, by_layer) in enumerate(histograms.items()):
                if layer not in by_layer:
                    continue
                (counts,) = check_series(**{label: by_layer[layer]})
                edges = np.linspace(-1, 1, len(counts) + 1)
                density = counts / max(counts.sum(), 1) / np.diff(edges)
                ax.stairs(
                    density, edges, color=colours[i], ls=DASHES[i % 4], label=label
                )
            first = k % columns == 0
            n = show_n(np.sum(h[layer]) for h in histograms.values() if layer in h)
            title = f"{layer}\nn = {n} pairs"
            label_axes(ax, "correlation r", "density of pairs" if first else "", title)
            ax.set_xlim(-1, 1)
            ax.set_ylim(bottom=0)
        remove_unused(axes, len(layers))
        if len(histograms) > 1:
            legend_below(fig, columns=3)
        return fig


def correlation_counts(
    counts: Mapping[str, Layers],
    thresholds: Sequence[float] | Float[np.ndarray, " thresholds"],
    *,
    figure: Canvas | None = None,
) -> Figure:
    """Draws how many pairs are strongly correlated (Hahn and Choi 2018, table 1).

    Args:
      counts: network -> layer -> pairs with |r| above each threshold.
      thresholds: those.
      figure: to draw in; None: a new one.

    Returns:
      The figure, a panel per layer; the axis is logarithmic above 1.

    Raises:
      ValueError: there is no network or layer; not one count per threshold.

    Example:
      >>> from noisejax import figures
      >>> counts = {"none": {"layer_1": [0, 5]}, "dropout": {"layer_1": [16, 181]}}
      >>> len(figures.correlation_counts(counts, [0.9, 0.8]).axes)
      1
    """
    layers = _layers(counts)
    rows, columns = grid_of(len(layers))
    with canvas(figure, rows, columns, height_cm=4.6 * rows + 1, sharey=True) as (
        fig,
        axes,
    ):
        width = 0.8 / len(counts)
        places = np.arange(len(thresholds))
        for k, (ax, layer) in enumerate(zip(axes.flat, layers, strict=False)):
            for i, (label, colour) in enumerate(
                zip(counts, colours_of(counts), strict=True)
            ):
                x = places + width * (i - (len(counts) - 1) / 2)
                values = counts[label].get(layer, np.zeros(len(places)))
                _, values = check_series(thresholds=thresholds, **{label: values})
                ax.bar(x, values, width, color=colour, label=label)
            ax.set_yscale("symlog", linthresh=1, linscale=0.4)  # 0 has its place
            ax.set_xticks(places, [f"{t:g}" for t in np.round(thresholds, 4)])
            first = k % columns == 0
            label_axes(ax, "|r| above", "pairs of units" if first else "", layer)
        largest = max(np.max(by[layer]) for by in counts.values() for layer in by)
        axes[0, 0].set_ylim(0, 2 * max(largest, 1))
        remove_unused(axes, len(layers))
        if len(counts) > 1:
            legend_below(fig, columns=3)
        return fig


def _layers(networks: Mapping[str, Layers]) -> list[str]:
    """The layers of all networks, each once."""
    check_some(networks, "networks")
    layers = list(dict.fromkeys(name for by in networks.values() for name in by))
    check_some(layers, "layers")
    return layers

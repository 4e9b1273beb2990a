"""Densities: correlations, pre-activations and their slopes."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from noisejax.figures import _style as style

Layers = Mapping[str, Int[np.ndarray, "..."] | Sequence[int]]
"""Layer -> counts."""

Histogram = Mapping[str, object]
"""{"counts", "low", "high", "below", "above"}, the fields of
`diagnostics.NetHistogram`, and "saturation", the share of saturated pre-activations, if
it is known."""


def correlations(
    histograms: Mapping[str, Layers], *, figure: style.Canvas | None = None
) -> Figure:
    """Draw the densities of Pearson's coefficient (Hahn and Choi 2018, figure 1).

    Args:
      histograms: network, such as "without dropout" -> layer -> pairs by correlation in
        equal bins over [-1, 1], as in `diagnostics.correlation_counts`.
      figure: figure or part of a page to draw in; None: a new one.

    Returns:
      The figure, a panel per layer.

    Raises:
      ValueError: there is no network, no layer, or no bin.

    Example:
      >>> import numpy as np
      >>> from noisejax import figures
      >>> counts = {"dropout": {"layer 1": np.array([1, 4, 9, 2])}}
      >>> len(figures.correlations(counts).axes)
      1
    """
    layers = _layers(histograms)
    with style.panels(figure, len(layers), row_cm=5.2) as (fig, axes):
        for k, (ax, layer) in enumerate(zip(axes, layers, strict=True)):
            totals = []
            for i, by_layer in enumerate(histograms.values()):
                if layer not in by_layer:
                    continue
                (counts,) = style.check_series(histogram=by_layer[layer])
                totals.append(counts.sum())
                edges = np.linspace(-1, 1, len(counts) + 1)
                _stairs(ax, counts, edges, counts.sum(), list(histograms), i)
            n = f"n = {style.show_n(totals)} pairs"
            title = f"Correlated units:\n{_lower(layer)}\n({n})"
            style.label_axes(ax, "Correlation r", "" if k % 2 else "Density", title)
            ax.set_xlim(-1, 1)
            ax.set_ylim(bottom=0)
        if len(histograms) > 1:
            style.legend_below(fig, columns=3)
        return fig


def net_values(
    histograms: Mapping[str, Mapping[str, Histogram]],
    *,
    figure: style.Canvas | None = None,
) -> Figure:
    """Draw distributions of pre-activations (Hahn and Choi 2018, figures 3 and 6).

    Args:
      histograms: network -> layer -> histogram: counts in equal bins between low and
        high, those below and above, and the share saturated.
      figure: figure or part of a page to draw in; None: a new one.

    Returns:
      The figure, a panel per layer. Densities count values outside the bins, too.

    Raises:
      ValueError: there is no network, no layer, or no bin.

    Example:
      >>> from noisejax import figures
      >>> h = {"counts": [2, 5], "low": -1, "high": 1, "below": 1, "above": 0}
      >>> len(figures.net_values({"dropout": {"layer 1": h}}).axes)
      1
    """
    layers, labels = _layers(histograms), list(histograms)
    networks = list(histograms.values())
    with style.panels(figure, len(layers), row_cm=5.2) as (fig, axes):
        for k, (ax, layer) in enumerate(zip(axes, layers, strict=True)):
            totals, ends = [], []
            drawn = [(i, by[layer]) for i, by in enumerate(networks) if layer in by]
            for row, (i, h) in enumerate(drawn):
                (counts,) = style.check_series(counts=h["counts"])
                edges = np.linspace(float(h["low"]), float(h["high"]), len(counts) + 1)
                total = counts.sum() + float(h["below"]) + float(h["above"])
                totals.append(total)
                seen = np.flatnonzero(counts > 1e-4 * total)
                if len(seen):
                    ends += [edges[seen[0]], edges[seen[-1] + 1]]
                _stairs(ax, counts, edges, total, labels, i)
                if h.get("saturation") is not None:
                    ax.text(
                        *(0.98, 0.97 - 0.11 * row),
                        f"{100 * float(h['saturation']):.0f} % saturated",
                        color=style.colours_of(labels)[i],
                        transform=ax.transAxes,
                        ha="right",
                        va="top",
                        fontsize=6,
                    )
            title = f"Pre-activations:\n{_lower(layer)}\n(n = {style.show_n(totals)})"
            style.label_axes(ax, "Pre-activation z", "" if k % 2 else "Density", title)
            ax.margins(y=0.2 + 0.16 * len(drawn))
            ax.set_ylim(bottom=0)
            if ends:  # few lie beyond
                ax.set_xlim(min(ends), max(ends))
        if len(histograms) > 1:
            style.legend_below(fig, columns=3)
        return fig


def slopes(
    nets: Float[np.ndarray, " points"],
    clean: Float[np.ndarray, " points"],
    noisy: Float[np.ndarray, " points"],
    *,
    counts: Float[np.ndarray, " points"] | None = None,
    title: str = "",
    figure: style.Canvas | None = None,
) -> Figure:
    """Draw slopes with and without noise (Hahn and Choi, the mechanism of figure 2).

    Args:
      nets: noise-free pre-activations z, such as centres of bins.
      clean: φ'(z), or its mean per bin; NaN if a bin is empty.
      noisy: mean of φ'(z + noise).
      counts: pre-activations per bin, drawn as a grey density; None: not drawn.
      title: title of the panel.
      figure: figure or part of a page to draw in; None: a new one.

    Returns:
      The figure; shaded where noise adds slope.

    Raises:
      ValueError: arrays are empty, or lengths differ.

    Example:
      >>> import numpy as np
      >>> from noisejax import figures
      >>> z = np.linspace(-3, 3, 7)
      >>> len(figures.slopes(z, 1 - np.tanh(z) ** 2, 0.8 - 0.1 * np.abs(z)).axes)
      1
    """
    nets, clean, noisy = style.check_series(nets=nets, clean=clean, noisy=noisy)
    style.check_series(nets=nets, counts=counts)
    with style.panels(figure) as (fig, [ax]):
        ax.plot(nets, clean, color=style.BLACK, label="slope φ'(z) without noise")
        ax.plot(nets, noisy, "--", color=style.BLUE, label="mean slope φ'(z + noise)")
        ax.fill_between(
            nets, clean, noisy, where=noisy > clean, color=style.BLUE, alpha=0.15
        )
        top = np.nanmax([clean, noisy])
        if counts is not None:
            share = np.asarray(counts, np.float64) / max(np.max(counts), 1)
            label = "density of z (not to scale)"
            ax.fill_between(
                nets, 0 * nets, 0.3 * top * share, color="0.7", lw=0, label=label
            )
        style.label_axes(ax, "Pre-activation z", "Slope of the activation φ", title)
        seen = nets[np.isfinite(clean)]
        if len(seen) > 1:
            ax.set_xlim(seen.min(), seen.max())
        bottom = min(0.0, float(np.nanmin([clean, noisy])))
        ax.set_ylim(bottom, bottom + 1.5 * (top - bottom))
        ax.legend(loc="upper left")
        return fig


def _layers(networks: Mapping[str, Mapping[str, object]]) -> list[str]:
    """Return the layers of all networks, each once."""
    style.check_some(networks, "networks")
    layers = style.keys_of(networks.values())
    style.check_some(layers, "layers")
    return layers


def _lower(title: str) -> str:
    """Return a title as it reads after a colon."""
    return title[:1].lower() + title[1:]


def _stairs(
    ax: Axes,
    counts: np.ndarray,
    edges: np.ndarray,
    total: float,
    labels: list[str],
    i: int,
) -> None:
    """Draw the density of the i-th network."""
    density = counts / max(total, 1) / np.diff(edges)
    colour, dash = style.colours_of(labels)[i], style.DASHES[i % 4]
    ax.stairs(density, edges, color=colour, ls=dash, label=labels[i])

"""Figures of densities: correlations, pre-activations, slopes and dropped units."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from noisejax.figures import _style as style

Layers = Mapping[str, Int[np.ndarray, "..."] | Sequence[int]]
"""Layer -> counts in bins."""

Histogram = Mapping[str, object]
"""{"counts", "low", "high", "below", "above"}, the fields of
`diagnostics.NetHistogram`, and "saturation", the share of saturated pre-activations, if
it is known."""


def correlations(
    histograms: Mapping[str, Layers], *, figure: style.Canvas | None = None
) -> Figure:
    """Draw the densities of Pearson's coefficient (Hahn and Choi 2018, figure 1).

    Args:
      histograms: network -> layer -> number of pairs in equal bins of the correlation
        over [-1, 1], from `diagnostics.correlation_counts`.
      figure: figure or subfigure to draw on. The default is a new figure.

    Returns:
      The figure, with one panel per layer.

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
            style.shared_legend(fig, columns=3)
        return fig


def net_values(
    histograms: Mapping[str, Mapping[str, Histogram]],
    *,
    figure: style.Canvas | None = None,
) -> Figure:
    """Draw distributions of pre-activations (Hahn and Choi 2018, figures 3 and 6).

    Args:
      histograms: network -> layer -> histogram. A histogram has "counts" in equal bins
        between "low" and "high", the counts "below" and "above" the bins, and
        optionally the share "saturation".
      figure: figure or subfigure to draw on. The default is a new figure.

    Returns:
      The figure, with one panel per layer. Values outside the bins count in the total,
      so a density may integrate to less than 1.

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
            if ends:  # at most 0.01 % of the values per bin are outside
                ax.set_xlim(min(ends), max(ends))
        if len(histograms) > 1:
            style.shared_legend(fig, columns=3)
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
      clean: slopes φ'(z), or means per bin. Empty bins are NaN.
      noisy: means of φ'(z + noise).
      counts: number of pre-activations per bin, drawn as a grey density.
      title: title of the panel.
      figure: figure or subfigure to draw on. The default is a new figure.

    Returns:
      The figure. The area between the curves is shaded if noise increases the slope.

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


def dropped_share(
    laws: Mapping[str, Float[np.ndarray, " shares"]],
    *,
    counts: Mapping[str, Int[np.ndarray, " shares"]] | None = None,
    title: str = "",
    figure: style.Canvas | None = None,
) -> Figure:
    """Draw the share of dropped units (Bouthillier et al. 2015, figure 1).

    Args:
      laws: scheme -> probabilities that k of n units are dropped, for k = 0, ..., n,
        from `diagnostics.dropped_share_law`.
      counts: scheme -> numbers of draws that dropped k units, from
        `diagnostics.dropped_counts`. They are drawn as points with standard errors, in
        at most 40 bins.
      title: second part of the title, such as the layer and the rate.
      figure: figure or subfigure to draw on. The default is a new figure.

    Returns:
      The figure.

    Raises:
      ValueError: there is no law, or the lengths of a law and its counts differ.

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
        style.shared_legend(fig)
        return fig


def _layers(networks: Mapping[str, Mapping[str, object]]) -> list[str]:
    """Return the layers of all networks, each once."""
    style.check_some(networks, "networks")
    layers = style.keys_of(networks.values())
    style.check_some(layers, "layers")
    return layers


def _lower(title: str) -> str:
    """Return a title with a small first letter, to follow a colon."""
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


def _bins(counts, n, width, draws):
    """Return centres, densities and standard errors of the non-empty bins."""
    edges = np.arange(0, len(counts), width)
    total = np.add.reduceat(counts, edges)
    size = np.diff(edges, append=len(counts))
    scale = n / (draws * size)
    centers = np.add.reduceat(np.arange(len(counts)), edges) / size / n
    seen = total > 0
    return centers[seen], (total * scale)[seen], (np.sqrt(total) * scale)[seen]

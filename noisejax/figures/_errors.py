"""Test errors against a varied quantity, and numbers next to those of a paper."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from noisejax.figures import _style as style

Errors = Mapping[str, Mapping[float | str, Sequence[float] | Float[np.ndarray, " n"]]]
"""Label -> number or name -> one error per seed."""

Estimates = Mapping[str, Mapping[str, tuple[float, float]]]
"""Label, such as "paper" -> row -> (value, half the length of its bar)."""

LOOKS = {"paper": (style.BLACK, "D", "none"), "ours": (style.BLUE, "o", style.BLUE)}
"""Label -> colour, marker, and fill of the marker."""

LOGARITHMIC = 30
"""Ratio of positive numbers above which their axis is logarithmic."""

LABEL_WIDTH = 28
"""Largest number of characters in a line of a row's label."""

FEWEST_OF_A_LINE = 3
"""Fewer points are not joined by a line."""


def errors(
    curves: Mapping[str, Errors],
    *,
    xlabel: str = "",
    ylabel: str = "Test error (%)",
    sharey: bool = False,
    figure: style.Canvas | None = None,
) -> Figure:
    """Draw errors against a varied quantity: numbers or names.

    Examples are the noise level (Bouthillier et al. 2015, figure 6), the network
    (figure 4), and the dropout rate for S noise samples (Noh et al. 2017, figure 2).

    Args:
      curves: title -> label -> number or name -> one error per seed.
      xlabel: words for the varied quantity.
      ylabel: words for the errors.
      sharey: True if all panels share their vertical axis.
      figure: figure or part of a page to draw in; None: a new one.

    Returns:
      The figure, a panel per title; bars are standard errors over n seeds.

    Raises:
      ValueError: there is nothing to draw, or a point has no error.

    Example:
      >>> from noisejax import figures
      >>> curves = {"S = 1": {0.1: [4.0, 4.2]}, "S = 8": {0.1: [3.8, 3.7]}}
      >>> len(figures.errors({"CIFAR-10": curves}, xlabel="Dropout rate").axes)
      1
    """
    style.check_some(curves, "panels")
    labels = style.keys_of(curves.values())
    style.check_some(labels, "labels")
    with style.panels(figure, len(curves), row_cm=5.6, sharey=sharey) as (fig, axes):
        for k, (ax, (title, panel)) in enumerate(
            zip(axes, curves.items(), strict=True)
        ):
            for label, points in panel.items():
                for values in points.values():
                    style.check_series(**{label: values})
            counts = {len(v) for points in panel.values() for v in points.values()}
            _draw_errors(ax, panel, labels)
            n = f"n = {style.show_n(counts)}"
            bars = "; bars: standard error" if max(counts) > 1 else ""
            lines = textwrap.wrap(
                title, LABEL_WIDTH if k + 1 < len(curves) or k % 2 else 60
            )
            title = "\n".join([*lines, f"({n}{bars})"])
            style.label_axes(ax, xlabel, "" if k % 2 else ylabel, title)
        if len(labels) > 1:
            style.legend_below(fig, columns=3)
        return fig


def _draw_errors(ax: Axes, errors: Errors, labels: list[str]) -> None:
    names = style.keys_of(errors.values())
    texts = any(isinstance(name, str) for name in names)
    colours = style.colours_of(labels)
    for j, (label, points) in enumerate(errors.items()):
        i = labels.index(label)
        x = [names.index(p) if texts else p for p in points]
        offset = 0.16 * (j - (len(errors) - 1) / 2) if texts else 0.0
        spreads = [style.mean_and_error(np.asarray(v)) for v in points.values()]
        joined = not texts and len(points) >= FEWEST_OF_A_LINE
        ax.errorbar(
            np.asarray(x) + offset,
            [mean for mean, _ in spreads],
            [error for _, error in spreads],
            fmt=style.MARKERS[i % len(style.MARKERS)],
            linestyle=style.DASHES[i % len(style.DASHES)] if joined else "none",
            color=colours[i],
            capsize=1.5,
            elinewidth=0.8,
            label=label,
        )
    if not texts:
        ax.set_xticks(sorted(names), [f"{name:g}" for name in sorted(names)])
        ax.margins(x=0.15 if len(names) < FEWEST_OF_A_LINE else 0.05)
        return
    long = sum(len(str(name)) for name in names) > 20
    turn = {"rotation": 30, "ha": "right"} if long else {}
    ax.set_xticks(range(len(names)), names, **turn)
    ax.set_xlim(-0.5, len(names) - 0.5)


def estimates(
    numbers: Mapping[str, Estimates],
    *,
    zero: bool = False,
    figure: style.Canvas | None = None,
) -> Figure:
    """Draw numbers with error bars, a line per row.

    Args:
      numbers: title of a panel, such as a metric with its unit -> label, such as
        "paper" or "ours" -> row -> (value, length of the error bar on each side; 0 or
        NaN for none).
      zero: True to draw a line at 0, as for effects.
      figure: figure or part of a page to draw in; None: a new one.

    Returns:
      The figure, its panels below each other; three or more panels of the same rows
      stand in rows of three, four in rows of two.

    Raises:
      ValueError: there is nothing to draw.

    Example:
      >>> from noisejax import figures
      >>> errors = {"paper": {"dropout": (1.01, 0.0)}, "ours": {"dropout": (1.2, 0.1)}}
      >>> len(figures.estimates({"Test error (%)": errors}).axes)
      1
    """
    style.check_some(numbers, "panels")
    rows_of = {
        title: style.keys_of(sorted(labels.values(), key=len, reverse=True))
        for title, labels in numbers.items()
    }
    for title, rows in rows_of.items():
        style.check_some(rows, f"the rows of the panel {title!r}")
    heights = [
        1.8 + sum(0.2 + 0.25 * len(_wrap(row)) for row in rows)
        for rows in rows_of.values()
    ]
    same = len(heights) >= 3 and len({tuple(rows) for rows in rows_of.values()}) == 1
    columns = (2 if len(heights) == 4 else 3) if same else 1
    heights = heights[::columns]
    width = style.WIDTH_CM * (2 if same else 1)
    with style.canvas(figure, sum(heights) + 0.7, width) as fig:
        grid = fig.add_gridspec(len(heights), columns, height_ratios=heights)
        axes = [fig.add_subplot(grid[divmod(k, columns)]) for k in range(len(numbers))]
        for k, (title, labels) in enumerate(numbers.items()):
            ax = axes[k]
            _draw_estimates(ax, labels, rows_of[title])
            if k % columns:
                ax.tick_params(labelleft=False)
            if zero:
                ax.axvline(0, color=style.BLACK, lw=0.6)
            style.label_axes(ax, "\n".join(_wrap(title)), "")
        shown = style.keys_of(numbers.values())
        if len(shown) > 1:
            handles = {
                label: handle
                for ax in axes
                for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
            }
            fig.legend(
                handles.values(), handles, loc="outside upper center", ncols=len(shown)
            )
        return fig


def _wrap(text: str) -> list[str]:
    """Return the lines of a text that fits next to a panel."""
    return textwrap.wrap(text, LABEL_WIDTH)


def _draw_estimates(ax: Axes, labels: Estimates, rows: list[str]) -> None:
    for i, (label, numbers) in enumerate(labels.items()):
        colour, marker, fill = LOOKS.get(
            label, (style.colours_of(labels)[i], "o", None)
        )
        values, errors = np.array(list(numbers.values()), np.float64).T
        ax.errorbar(
            values,
            [rows.index(name) + 0.12 * i for name in numbers],
            xerr=np.where(errors > 0, errors, np.nan),
            fmt=marker,
            color=colour,
            mfc=fill,
            lw=0.8,
            capsize=1.5,
            label=label,
        )
    every = [value for numbers in labels.values() for value, _ in numbers.values()]
    if min(every) > 0 and max(every) > LOGARITHMIC * min(every):
        ax.set_xscale("log")
    ax.set_yticks(range(len(rows)), ["\n".join(_wrap(row)) for row in rows])
    ax.set_ylim(len(rows) - 0.4, -0.6)

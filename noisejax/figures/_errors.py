"""Figures of test errors, of numbers next to a paper's, and of calibration."""

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
"""Label, such as "paper" -> row -> (value, half-length of the error bar)."""

LOOKS = {"paper": (style.BLACK, "D", "none"), "ours": (style.BLUE, "o", style.BLUE)}
"""Label -> colour, marker, and fill of the marker."""

LOGARITHMIC = 30
"""Ratio of the largest to the smallest number above which an axis is logarithmic."""

LABEL_WIDTH = 28
"""Largest number of characters in a line of a row's label."""

FEWEST_OF_A_LINE = 3
"""Smallest number of points that are joined by a line."""


def errors(
    curves: Mapping[str, Errors],
    *,
    xlabel: str = "",
    ylabel: str = "Test error (%)",
    sharey: bool = False,
    figure: style.Canvas | None = None,
) -> Figure:
    """Draw errors against a quantity that is a number or a name.

    Examples are the noise level (Bouthillier et al. 2015, figure 6), the network
    (figure 4), and the dropout rate for S noise samples (Noh et al. 2017, figure 2).

    Args:
      curves: title of a panel -> label of a curve -> number or name -> one error per
        seed.
      xlabel: label of the quantity.
      ylabel: label of the errors.
      sharey: True if all panels share their vertical axis.
      figure: figure or subfigure to draw on. The default is a new figure.

    Returns:
      The figure, with one panel per title. Error bars are standard errors over seeds.

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
            style.shared_legend(fig, columns=3)
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
    rotation = {"rotation": 30, "ha": "right"} if long else {}
    ax.set_xticks(range(len(names)), names, **rotation)
    ax.set_xlim(-0.5, len(names) - 0.5)


def estimates(
    numbers: Mapping[str, Estimates],
    *,
    zero: bool = False,
    figure: style.Canvas | None = None,
) -> Figure:
    """Draw numbers with error bars, one line per row.

    Args:
      numbers: title of a panel -> label, such as "paper" or "ours" -> row -> (value,
        half-length of the error bar). A half-length of 0 or NaN draws no bar.
      zero: True to draw a line at 0, such as for effects.
      figure: figure or subfigure to draw on. The default is a new figure.

    Returns:
      The figure, with panels in one column. Three or more panels with the same rows are
      arranged in a grid, four of them in two columns, and others in three.

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
            style.shared_legend(fig, columns=len(shown), side="upper")
        return fig


def _wrap(text: str) -> list[str]:
    """Break a text into lines that fit next to a panel."""
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


def reliability(
    predictions: Mapping[
        str, tuple[Float[np.ndarray, " bins"], Float[np.ndarray, " bins"]]
    ],
    *,
    num_examples: int | None = None,
    figure: style.Canvas | None = None,
) -> Figure:
    """Draw accuracy against confidence (Guo et al. 2017, figure 1).

    Args:
      predictions: label -> (confidence, accuracy) of the non-empty bins, from
        `diagnostics.Calibration`.
      num_examples: number of examples, shown in the title.
      figure: figure or subfigure to draw on. The default is a new figure.

    Returns:
      The figure. On the dotted line, confidence and accuracy are equal.

    Raises:
      ValueError: there is no prediction, a curve is empty, or lengths differ.

    Example:
      >>> import numpy as np
      >>> from noisejax import figures
      >>> bins = (np.array([0.5, 0.9]), np.array([0.4, 0.8]))
      >>> len(figures.reliability({"noise-free": bins}).axes)
      1
    """
    style.check_some(predictions, "predictions")
    with style.panels(figure) as (fig, [ax]):
        ax.plot([0, 1], [0, 1], ":", color="0.5", label="perfectly calibrated")
        colours = style.colours_of(predictions)
        for colour, (label, (confidence, accuracy)) in zip(
            colours, predictions.items(), strict=True
        ):
            x, y = style.check_series(confidence=confidence, accuracy=accuracy)
            ax.plot(x, y, "o-", color=colour, label=label)
        ax.set(xlim=(0, 1), ylim=(0, 1))
        ax.legend(loc="upper left")
        title = style.with_counts("Reliability", examples=num_examples)
        style.label_axes(ax, "Confidence", "Accuracy", title)
        return fig

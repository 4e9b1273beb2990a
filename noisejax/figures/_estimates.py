"""Numbers beside each other, row by row: a paper's and ours, or effects."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from noisejax.figures._check import check_some
from noisejax.figures._style import BLACK, BLUE, Canvas, canvas, colours_of, label_axes

Estimates = Mapping[str, Mapping[str, tuple[float, float]]]
"""Label, such as "paper" -> row -> (value, half the length of its bar)."""

LOOKS = {"paper": (BLACK, "D", "none"), "ours": (BLUE, "o", BLUE)}
"""Label -> colour, marker, and what the marker is filled with."""

LOGARITHMIC = 30
"""Times by which numbers above 0 differ where their axis is logarithmic."""


def estimates(
    panels: Mapping[str, Estimates],
    *,
    zero: bool = False,
    figure: Canvas | None = None,
) -> Figure:
    """Draws numbers with error bars, a line per row.

    Args:
      panels: title, such as a metric -> label, such as "paper" or "ours" -> row ->
        (value, length of the error bar on each side, 0 or NaN: none).
      zero: whether a line is drawn at 0, as for effects.
      figure: to draw in; None: a new one.

    Returns:
      The figure, panels below each other.

    Raises:
      ValueError: there is nothing to draw.

    Example:
      >>> from noisejax import figures
      >>> errors = {"paper": {"dropout": (1.01, 0.0)}, "ours": {"dropout": (1.2, 0.1)}}
      >>> len(figures.estimates({"test error (%)": errors}).axes)
      1
    """
    check_some(panels, "panels")
    rows_of = {
        title: list(dict.fromkeys(name for rows in labels.values() for name in rows))
        for title, labels in panels.items()
    }
    for title, rows in rows_of.items():
        check_some(rows, f"the rows of the panel {title!r}")
    height = sum(1.4 + 0.42 * len(rows) for rows in rows_of.values())
    with canvas(figure, len(panels), 1, height_cm=max(height, 4.0)) as (fig, axes):
        for ax, (title, labels) in zip(axes[:, 0], panels.items(), strict=True):
            rows = rows_of[title]
            for i, (label, numbers) in enumerate(labels.items()):
                colour, marker, fill = LOOKS.get(
                    label, (colours_of(labels)[i], "o", None)
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
            if zero:
                ax.axvline(0, color=BLACK, lw=0.6)
            every = [value for n in labels.values() for value, _ in n.values()]
            if min(every) > 0 and max(every) > LOGARITHMIC * min(every):
                ax.set_xscale("log")
            ax.set_yticks(range(len(rows)), rows)
            ax.set_ylim(len(rows) - 0.4, -0.6)
            label_axes(ax, title, "")
        shown = {label for labels in panels.values() for label in labels}
        if len(shown) > 1:
            handles, names = max(
                (ax.get_legend_handles_labels() for ax in axes[:, 0]),
                key=lambda pair: len(pair[1]),
            )
            fig.legend(handles, names, loc="outside upper center", ncols=len(names))
        return fig

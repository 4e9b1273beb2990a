"""Gradient acceleration and its shapes (Hahn and Choi 2018, figures 4 and 5)."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from noisejax.figures._check import check_series, check_some
from noisejax.figures._style import (
    DASHES,
    ORANGE,
    Canvas,
    canvas,
    colours_of,
    grid_of,
    label_axes,
    legend_below,
    remove_unused,
)


def acceleration(
    *, frequency: float = 10_000.0, periods: int = 4, figure: Canvas | None = None
) -> Figure:
    """Draws g(x) = (xK - ⌊xK⌋ - 0.5) / K  (Hahn and Choi 2018, eq. 7, figure 4).

    Args:
      frequency: K.
      periods: of g, around 0.
      figure: to draw in; None: a new one.

    Returns:
      The figure; dotted where g steps.

    Raises:
      ValueError: a frequency that is not above 0, fewer than 1 period.

    Example:
      >>> from noisejax import figures
      >>> len(figures.acceleration(frequency=100.0).axes)
      1
    """
    if not frequency > 0 or periods < 1:
        raise ValueError(
            "g needs a frequency above 0 and at least 1 period, got "
            f"frequency={frequency}, periods={periods}"
        )
    first = -(periods // 2)
    steps = np.arange(first, first + periods + 1) / frequency
    with canvas(figure) as (fig, axes):
        ax = axes[0, 0]
        half = 0.5 / frequency
        for left, right in zip(steps, steps[1:], strict=False):
            ax.plot([left, right], [-half, half], color=ORANGE)
        for step in steps[1:-1]:
            ax.plot([step, step], [half, -half], ":", color=ORANGE, lw=0.8)
        ax.ticklabel_format(style="sci", scilimits=(0, 0))
        label_axes(ax, "x", "g(x)", f"K = {frequency:g}; slope 1")
        return fig


def shapes(
    panels: Mapping[
        str,
        Mapping[str, tuple[Float[np.ndarray, " points"], Float[np.ndarray, " points"]]],
    ],
    *,
    xlabel: str = "x",
    ylabel: str = "value",
    figure: Canvas | None = None,
) -> Figure:
    """Draws activations' slopes and shape functions (Hahn and Choi 2018, figure 5).

    Args:
      panels: title, such as "tanh" -> label, such as "s(x)" -> (x, y).
      xlabel: of x, where it is something else.
      ylabel: of y, likewise.
      figure: to draw in; None: a new one.

    Returns:
      The figure.

    Raises:
      ValueError: nothing to draw, or x and y of different length.

    Example:
      >>> import numpy as np
      >>> from noisejax import figures
      >>> x = np.linspace(-4, 4, 9)
      >>> len(figures.shapes({"tanh": {"s(x)": (x, np.exp(-np.abs(x)))}}).axes)
      1
    """
    check_some(panels, "panels")
    rows, columns = grid_of(len(panels))
    with canvas(figure, rows, columns, height_cm=4.4 * rows + 1) as (fig, axes):
        for ax, (title, curves) in zip(axes.flat, panels.items(), strict=False):
            for i, (label, colour) in enumerate(
                zip(curves, colours_of(curves), strict=True)
            ):
                x, y = curves[label]
                x, y = check_series(x=x, y=y)
                ax.plot(x, y, DASHES[i % 4], color=colour, label=label)
            label_axes(ax, xlabel, ylabel, title)
        remove_unused(axes, len(panels))
        legend_below(fig)
        return fig

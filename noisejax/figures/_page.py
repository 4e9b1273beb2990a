"""Many small figures on one page."""

from collections.abc import Callable, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from noisejax.figures._style import STYLE, WIDTH_CM, Canvas, new_figure


def page(
    drawings: Sequence[Callable[[Canvas], object]],
    *,
    columns: int = 2,
    title: str = "",
    row_heights_cm: float | Sequence[float] = 5.5,
) -> Figure:
    """Draws figures beside and below each other.

    Args:
      drawings: functions of the part of the page to draw in: those of this package with
        their `figure` left open, such as lambda f: net_variance(layers, figure=f).
      columns: of parts, 8 cm wide each.
      title: of the page.
      row_heights_cm: of each row of parts; one number for all, or one each.

    Returns:
      The page.

    Raises:
      ValueError: there is nothing to draw; another number of heights than of rows.

    Example:
      >>> from noisejax import figures
      >>> draw = lambda part: figures.acceleration(frequency=100.0, figure=part)
      >>> len(figures.page([draw, draw, draw]).axes)
      3
    """
    if not drawings:
        raise ValueError("a page needs at least one drawing, got none")
    rows = -(-len(drawings) // columns)
    heights = np.asarray(row_heights_cm, np.float64)
    if heights.shape not in ((), (rows,)):
        raise ValueError(
            f"row_heights_cm must be a number, or one for each of the {rows} rows; got "
            f"{row_heights_cm}"
        )
    heights = np.broadcast_to(heights, rows)
    height_cm = float(heights.sum()) + bool(title) * 0.6
    with mpl.rc_context(STYLE):
        figure = new_figure(columns * WIDTH_CM, height_cm)
        parts = figure.subfigures(rows, columns, squeeze=False, height_ratios=heights)
        if title:
            figure.suptitle(title, fontsize=8)
        for part, draw in zip(parts.flat, drawings, strict=False):
            draw(part)
    return figure

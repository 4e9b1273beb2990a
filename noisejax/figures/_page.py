"""Many small figures on one page."""

from collections.abc import Callable, Sequence

import matplotlib as mpl
from matplotlib.figure import Figure

from noisejax.figures._style import STYLE, WIDTH_CM, Canvas, new_figure


def page(
    drawings: Sequence[Callable[[Canvas], object]],
    *,
    columns: int = 2,
    title: str = "",
    row_height_cm: float = 5.2,
) -> Figure:
    """Draws figures beside and below each other.

    Args:
      drawings: functions of the part of the page to draw in: those of this package with
        their `figure` left open, such as lambda f: net_variance(layers, figure=f).
      columns: of parts, 8 cm wide each.
      title: of the page.
      row_height_cm: of each row of parts.

    Returns:
      The page.

    Raises:
      ValueError: there is nothing to draw.

    Example:
      >>> from noisejax import figures
      >>> draw = lambda part: figures.acceleration(frequency=100.0, figure=part)
      >>> len(figures.page([draw, draw, draw]).axes)
      3
    """
    if not drawings:
        raise ValueError("a page needs at least one drawing, got none")
    rows = -(-len(drawings) // columns)
    with mpl.rc_context(STYLE):
        figure = new_figure(
            columns * WIDTH_CM, rows * row_height_cm + bool(title) * 0.6
        )
        parts = figure.subfigures(rows, columns, squeeze=False)
        if title:
            figure.suptitle(title, fontsize=8)
        for part, draw in zip(parts.flat, drawings, strict=False):
            draw(part)
    return figure

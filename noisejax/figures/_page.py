"""Combines figures on a page, and writes figures to disk."""

import os
import pathlib
from collections.abc import Callable, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from noisejax.figures import _style as style

DPI = 300


def page(
    drawings: Sequence[Callable[[style.Canvas], object]],
    *,
    columns: int = 2,
    title: str = "",
    row_heights_cm: float | Sequence[float] = 5.5,
) -> Figure:
    """Draw several figures on a page, row by row.

    If the last row is incomplete, its figures are wider.

    Args:
      drawings: functions that draw on a subfigure, such as
        `lambda f: net_variance(layers, figure=f)`.
      columns: number of columns, each 8 cm wide.
      title: title of the page.
      row_heights_cm: height of all rows, or a sequence with the height of each row.

    Returns:
      The page.

    Raises:
      ValueError: there is nothing to draw, or the numbers of heights and rows differ.

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
            f"row_heights_cm must be a number, or {rows} numbers, one per row; got "
            f"{row_heights_cm}"
        )
    heights = np.broadcast_to(heights, rows)
    lines = len(title.splitlines())
    with style.styled():
        figure = style.new_figure(
            columns * style.WIDTH_CM, float(heights.sum()) + 0.6 * lines
        )
        bands = figure.subfigures(rows, 1, squeeze=False, height_ratios=heights)
        if title:
            figure.suptitle(title, fontsize=8)
        for i, band in enumerate(bands.flat):
            row = drawings[i * columns : (i + 1) * columns]
            parts = band.subfigures(1, len(row), squeeze=False)
            for part, draw in zip(parts.flat, row, strict=True):
                draw(part)
    return figure


def save(figure: Figure, path: str | os.PathLike[str]) -> list[pathlib.Path]:
    """Write a figure as PNG and as PDF.

    Args:
      figure: figure to write.
      path: path of the files. A suffix .png or .pdf is replaced. The directory is
        created if needed.

    Returns:
      The paths of the two files.

    Raises:
      OSError: the directory cannot be written.

    Example:
      >>> import pathlib, tempfile
      >>> from noisejax import figures
      >>> figure = figures.acceleration(frequency=100.0)
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     paths = figures.save(figure, pathlib.Path(folder) / "g")
      >>> [path.name for path in paths]
      ['g.png', 'g.pdf']
    """
    path = pathlib.Path(path)
    if path.suffix.lower() in (".png", ".pdf"):
        path = path.with_suffix("")
    path.parent.mkdir(parents=True, exist_ok=True)
    png, pdf = (path.with_name(f"{path.name}.{kind}") for kind in ("png", "pdf"))
    with mpl.rc_context(
        {"pdf.fonttype": 42}
    ):  # TrueType fonts, so text can be selected
        figure.savefig(png, dpi=DPI)
        figure.savefig(pdf, metadata={"CreationDate": None})
    return [png, pdf]

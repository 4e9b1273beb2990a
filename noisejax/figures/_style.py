"""One look for all figures: 8 cm wide panels, one colour per scheme everywhere."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import LogLocator

Canvas = Figure | SubFigure

WIDTH_CM = 8.0
"""Of a figure, as it is printed: texts are legible at this size."""

STYLE = {
    "figure.dpi": 150,  # on screens; files have their own
    "font.size": 7,
    "axes.titlesize": 7,
    "axes.labelsize": 7,
    "legend.fontsize": 6,
    "xtick.labelsize": 6,
    "ytick.labelsize": 6,
    "lines.linewidth": 1.1,
    "lines.markersize": 3,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.linewidth": 0.3,
    "grid.alpha": 0.5,
    "image.cmap": "gray",
}

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILLION, PURPLE = (
    *("#000000", "#E69F00", "#56B4E9", "#009E73"),
    *("#F0E442", "#0072B2", "#D55E00", "#CC79A7"),
)
"""Okabe and Ito's colours, which people of any colour vision tell apart."""

COLOURS = {
    "none": BLACK,
    "dropout": BLUE,
    "random dropout": VERMILLION,
    "invariant dropout": GREEN,
    "running average": PURPLE,
    "gaaf": ORANGE,
    "gaussian dropout": SKY,
    "gaussian noise": YELLOW,
    "back-projection": PURPLE,
}
"""The colour of a scheme or method, the same in every figure."""

ALIASES = {
    "base": "none",
    "base model": "none",
    "without dropout": "none",
    "no dropout": "none",
    "no noise": "none",
    "without noise": "none",
    "with dropout": "dropout",
    "standard dropout": "dropout",
    "regular dropout": "dropout",
    "projected": "back-projection",
}
"""Other names of the same things."""

LEGEND_WIDTH = 64
"""Characters of a legend's size that 8 cm hold."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("-", "--", "-.", ":")


def colours_of(labels: Iterable[str]) -> list[str]:
    """A colour for each label: a known scheme's own, else one that is still free.

    Args:
      labels: of the things drawn together, such as "dropout" or "+GAAF".

    Returns:
      Hexadecimal colours, in the same order.

    Example:
      >>> from noisejax import figures
      >>> figures.colours_of(["dropout", "S = 4", "+Dropout"])
      ['#0072B2', '#D55E00', '#0072B2']
    """
    labels = list(labels)
    known = [_known(label) for label in labels]
    order = (VERMILLION, GREEN, BLUE, ORANGE, SKY, PURPLE, BLACK)
    free = [colour for colour in order if colour not in known] or list(order)
    unknown = [label for label, colour in zip(labels, known, strict=True) if not colour]
    own = {label: free[i % len(free)] for i, label in enumerate(dict.fromkeys(unknown))}
    return [colour or own[label] for label, colour in zip(labels, known, strict=True)]


def _known(label: str) -> str | None:
    name = label.lower().lstrip("+").replace("_", " ").strip()
    return COLOURS.get(ALIASES.get(name, name))


@contextlib.contextmanager
def canvas(
    figure: Canvas | None,
    rows: int = 1,
    columns: int = 1,
    *,
    height_cm: float = 5.5,
    sharex: bool = False,
    sharey: bool = False,
) -> Iterator[tuple[Canvas, np.ndarray]]:
    """A figure, fresh or given, and its panels, in the house's style.

    Args:
      figure: to draw in, such as a part of a page; None: a new one.
      rows: of panels.
      columns: of panels.
      height_cm: of a new figure.
      sharex: panels share their horizontal axis.
      sharey: panels share their vertical axis.

    Yields:
      The figure and its axes, an array [rows, columns].
    """
    with mpl.rc_context(STYLE):
        if figure is None:
            figure = new_figure(WIDTH_CM, height_cm)
        axes = figure.subplots(
            rows, columns, squeeze=False, sharex=sharex, sharey=sharey
        )
        yield figure, axes


def new_figure(width_cm: float, height_cm: float) -> Figure:
    """A figure that belongs to no window and lays itself out."""
    return Figure(figsize=(width_cm / 2.54, height_cm / 2.54), layout="constrained")


def grid_of(n: int) -> tuple[int, int]:
    """Rows and columns for n panels, at most two beside each other in 8 cm."""
    columns = min(n, 2)
    return -(-n // columns), columns


def label_axes(axes: Axes, x: str, y: str, title: str = "") -> None:
    """Names the axes, with their units."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title)


def remove_unused(axes: np.ndarray, used: int) -> None:
    """Takes the panels away that nothing was drawn in."""
    for ax in list(axes.flat)[used:]:
        ax.remove()


def legend_below(
    figure: Canvas, handles: Sequence[Artist] = (), *, columns: int = 2
) -> None:
    """One legend for all panels, where it hides nothing.

    Args:
      figure: with its panels drawn.
      handles: that it names; (): everything labelled, each label once.
      columns: at most; long labels stand below each other.
    """
    by_label = {handle.get_label(): handle for handle in handles}
    for ax in figure.axes if not handles else ():
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            by_label.setdefault(label, handle)
    while columns > 1 and _legend_width(list(by_label), columns) > LEGEND_WIDTH:
        columns -= 1
    figure.legend(
        by_label.values(), by_label, loc="outside lower center", ncols=columns
    )


def _legend_width(labels: list[str], columns: int) -> int:
    """In characters, with 7 for each line drawn; labels fill column after column."""
    rows = -(-len(labels) // columns)
    heads = range(0, len(labels), rows)
    return sum(7 + max(map(len, labels[i : i + rows])) for i in heads)


def log_ticks(axis: Axis) -> None:
    """Plain numbers at 1, 2, 5, 10, ... of a logarithmic axis."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter("")


def show_n(counts: Iterable[int]) -> str:
    """How many there are behind what is drawn: "12,000", or "10-12" where it varies."""
    counts = [int(n) for n in counts]
    return "-".join(f"{n:,}" for n in dict.fromkeys((min(counts), max(counts))))

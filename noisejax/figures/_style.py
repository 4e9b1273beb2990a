"""Style, panels and legends of all figures, and checks of arguments."""

import contextlib
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

Canvas = Figure | SubFigure

WIDTH_CM = 8.0
"""Width of a printed figure. Font sizes are chosen for this width."""

STYLE = {
    "figure.dpi": 150,  # for screens; `save` sets the resolution of files
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
"""Colours of Okabe and Ito, which are distinct in all types of colour vision."""

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
"""Noise scheme or method -> colour in every figure."""

ALIASES = {
    "base": "none",
    "base model": "none",
    "base model (without dropout)": "none",
    "without dropout": "none",
    "no dropout": "none",
    "no noise": "none",
    "without noise": "none",
    "with dropout": "dropout",
    "standard dropout": "dropout",
    "regular dropout": "dropout",
    "projected": "back-projection",
}
"""Alternative name of a scheme or method -> key of `COLOURS`."""

LEGEND_WIDTH = 58
"""Largest number of characters in a row of a legend, 8 cm wide."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("-", "--", "-.", ":")


def colours_of(labels: Iterable[str]) -> list[str]:
    """Return one colour per label.

    Noise schemes have fixed colours. Other labels get the remaining colours.

    Args:
      labels: labels in a figure, such as "dropout" or "+GAAF".

    Returns:
      Hexadecimal colours, in the order of the labels.

    Example:
      >>> from noisejax import figures
      >>> figures.colours_of(["dropout", "S = 4", "+Dropout"])
      ['#0072B2', '#D55E00', '#0072B2']
    """
    labels = list(labels)
    colours = {label: _known(label) for label in labels}
    order = (VERMILLION, GREEN, BLUE, ORANGE, SKY, PURPLE, BLACK)
    taken = set(colours.values())
    free = itertools.cycle([colour for colour in order if colour not in taken] or order)
    colours = {label: colour or next(free) for label, colour in colours.items()}
    return [colours[label] for label in labels]


def _known(label: str) -> str | None:
    name = label.lower().lstrip("+").replace("_", " ").strip()
    return COLOURS.get(ALIASES.get(name, name))


def styled() -> contextlib.AbstractContextManager[None]:
    """Return a context manager that sets the style of Matplotlib."""
    return mpl.rc_context(STYLE)


@contextlib.contextmanager
def canvas(
    figure: Canvas | None, height_cm: float, width_cm: float = WIDTH_CM
) -> Iterator[Canvas]:
    """Yield the figure, or a new figure of the given size, with the style set."""
    with styled():
        yield new_figure(width_cm, height_cm) if figure is None else figure


@contextlib.contextmanager
def panels(
    figure: Canvas | None,
    count: int = 1,
    *,
    row_cm: float = 5.5,
    sharey: bool = False,
) -> Iterator[tuple[Canvas, list[Axes]]]:
    """Make panels with the style set, two per row.

    If the number of panels is odd, the last panel is twice as wide.

    Args:
      figure: figure or subfigure to draw on. The default is a new figure.
      count: number of panels.
      row_cm: height of a row in a new figure.
      sharey: True to share the vertical axis between all panels.

    Yields:
      The figure and the axes of its panels.
    """
    rows, columns = -(-count // 2), min(count, 2)
    with canvas(figure, row_cm * rows) as figure:
        grid = figure.add_gridspec(rows, columns)
        axes: list[Axes] = []
        for k in range(count):
            wide = k == count - 1 and columns == 2 and k % 2 == 0
            cell = grid[k // columns, :] if wide else grid[k // columns, k % columns]
            axes.append(
                figure.add_subplot(cell, sharey=axes[0] if sharey and k else None)
            )
        yield figure, axes


def new_figure(width_cm: float, height_cm: float) -> Figure:
    """Return a figure without a window, with constrained layout."""
    return Figure(figsize=(width_cm / 2.54, height_cm / 2.54), layout="constrained")


def label_axes(axes: Axes, x: str, y: str, title: str = "") -> None:
    """Set the labels of both axes and the title."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title)


def with_counts(title: str, **counts: int | None) -> str:
    """Add counts to a title on a second line, such as "(n = 5 examples)"."""
    parts = [f"{n:,} {what}" for what, n in counts.items() if n is not None]
    return f"{title}\n(n = {', '.join(parts)})" if parts else title


def shared_legend(
    figure: Canvas,
    handles: Sequence[Artist] = (),
    *,
    columns: int = 2,
    side: str = "lower",
) -> None:
    """Draw one legend for all panels.

    Args:
      figure: figure with panels.
      handles: handles of the legend. The default is one handle per label.
      columns: largest number of columns. Long labels reduce the number.
      side: side of the figure, "lower" or "upper".
    """
    by_label = {handle.get_label(): handle for handle in handles}
    for ax in figure.axes if not handles else ():
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            by_label.setdefault(label, handle)
    while columns > 1 and _legend_width(list(by_label), columns) > LEGEND_WIDTH:
        columns -= 1
    loc = f"outside {side} center"
    figure.legend(by_label.values(), by_label, loc=loc, ncols=columns)


def _legend_width(labels: list[str], columns: int) -> int:
    """Return the width in characters of a legend that is filled column by column."""
    rows = -(-len(labels) // columns)
    heads = range(0, len(labels), rows)
    return sum(7 + max(map(len, labels[i : i + rows])) for i in heads)


def keys_of(mappings: Iterable[Mapping[Any, object]]) -> list[Any]:
    """Return the distinct keys of all mappings, in order of first occurrence."""
    return list(dict.fromkeys(key for mapping in mappings for key in mapping))


def show_n(counts: Iterable[int]) -> str:
    """Return counts as text, such as "12,000", "10-12" or "7.68-12.8 million"."""
    counts = [int(n) for n in counts]
    ends = dict.fromkeys((min(counts), max(counts)))
    if max(counts) >= 1e6:
        return "-".join(f"{n / 1e6:.3g}" for n in ends) + " million"
    return "-".join(f"{n:,}" for n in ends)


def check_some(values: Collection[Any], what: str) -> None:
    """Check that a collection is not empty.

    Args:
      values: collection to draw, such as a mapping of layers.
      what: plural noun for its members, such as "layers".

    Raises:
      ValueError: `values` is empty.
    """
    if not len(values):
        raise ValueError(
            f"there is nothing to draw: {what} must not be empty, got none"
        )


def check_series(**arrays: Float[np.ndarray, "..."] | None) -> list[np.ndarray]:
    """Convert one-dimensional arrays of equal length to float64.

    Args:
      **arrays: arrays by name in the error message. None is ignored.

    Raises:
      ValueError: an array is empty or not one-dimensional, or lengths differ.
    """
    wide = {
        name: np.asarray(array, np.float64)
        for name, array in arrays.items()
        if array is not None
    }
    shapes = {name: array.shape for name, array in wide.items()}
    one = next(iter(shapes.values()))
    if len(set(shapes.values())) > 1 or len(one) != 1 or not one[0]:
        received = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(
            "arrays of one curve must have one axis of the same length, at least 1; "
            f"got the shapes {received}"
        )
    return list(wide.values())


def check_images(name: str, images: np.ndarray, ndim: int, what: str) -> np.ndarray:
    """Convert images to float64, grey [..., h, w] or coloured [..., h, w, 3].

    Args:
      name: name of the argument in the error message.
      images: images to check. A last axis of size 1 is removed.
      ndim: number of axes of grey images.
      what: description of the shape in the error message.

    Raises:
      ValueError: there is no image, or the shape is wrong.
    """
    images = np.asarray(images, np.float64)
    if images.ndim == ndim + 1 and images.shape[-1] == 1:
        images = images[..., 0]
    coloured = images.ndim == ndim + 1 and images.shape[-1] == 3
    if not images.size or not (images.ndim == ndim or coloured):
        raise ValueError(
            f"{name} must be {what}, grey or with a last axis of 3 colours, got shape "
            f"{images.shape}"
        )
    return images


def mean_and_error(
    values: Float[np.ndarray, "seeds ..."],
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """Return means and standard errors over seeds, without NaN; 0 for one seed."""
    values = np.asarray(values, np.float64)
    known = np.isfinite(values)
    count = known.sum(axis=0)
    mean = np.where(known, values, 0.0).sum(axis=0) / np.maximum(count, 1)
    squares = np.where(known, (values - mean) ** 2, 0.0).sum(axis=0)
    error = np.sqrt(squares / np.maximum(count - 1, 1) / np.maximum(count, 1))
    return np.where(count > 0, mean, np.nan), error

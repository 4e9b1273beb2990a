"""Common style, panels and legends of the figures, and checks of their arguments."""

import contextlib
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
"""Width of a printed figure, at which texts are legible."""

STYLE = {
    "figure.dpi": 150,  # on screens; `save` sets that of files
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
"""Okabe and Ito's colours, which people of any colour vision can tell apart."""

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
"""Scheme or method -> colour, the same in every figure."""

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
"""Other name of a scheme or method -> its key in `COLOURS`."""

LEGEND_WIDTH = 58
"""Characters of a legend that fit into 8 cm."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("-", "--", "-.", ":")


def colours_of(labels: Iterable[str]) -> list[str]:
    """Return a colour per label: that of its scheme, else one that is still free.

    Args:
      labels: labels of what is drawn together, such as "dropout" or "+GAAF".

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
    chosen = {
        label: free[i % len(free)] for i, label in enumerate(dict.fromkeys(unknown))
    }
    return [
        colour or chosen[label] for label, colour in zip(labels, known, strict=True)
    ]


def _known(label: str) -> str | None:
    name = label.lower().lstrip("+").replace("_", " ").strip()
    return COLOURS.get(ALIASES.get(name, name))


def styled() -> contextlib.AbstractContextManager[None]:
    """Return a context in which Matplotlib draws in the common style."""
    return mpl.rc_context(STYLE)


@contextlib.contextmanager
def canvas(
    figure: Canvas | None, height_cm: float, width_cm: float = WIDTH_CM
) -> Iterator[Canvas]:
    """Yield the figure, or a new one of that size, in the common style."""
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
    """Make panels in the common style, two in a row; a last odd one is twice as wide.

    Args:
      figure: figure or part of a page to draw in; None: a new one.
      count: number of panels.
      row_cm: height of a row in a new figure.
      sharey: True if all panels share their vertical axis.

    Yields:
      The figure and its panels.
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
    """Return a figure that belongs to no window and lays itself out."""
    return Figure(figsize=(width_cm / 2.54, height_cm / 2.54), layout="constrained")


def label_axes(axes: Axes, x: str, y: str, title: str = "") -> None:
    """Set axis labels, with their units, and the title."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title)


def with_counts(title: str, **counts: int | None) -> str:
    """Add counts to a title: with_counts("A", examples=5) is "A (n = 5 examples)"."""
    parts = [f"{n:,} {what}" for what, n in counts.items() if n is not None]
    return f"{title}\n(n = {', '.join(parts)})" if parts else title


def legend_below(
    figure: Canvas, handles: Sequence[Artist] = (), *, columns: int = 2
) -> None:
    """Draw one legend for all panels below them.

    Args:
      figure: figure with its panels.
      handles: handles of the legend; (): everything with a label, each label once.
      columns: largest number of columns; long labels get fewer.
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
    """Return the width in characters; labels fill column after column."""
    rows = -(-len(labels) // columns)
    heads = range(0, len(labels), rows)
    return sum(7 + max(map(len, labels[i : i + rows])) for i in heads)


def keys_of(mappings: Iterable[Mapping[Any, object]]) -> list[Any]:
    """Return the keys of all mappings, each once, in the order of their first use."""
    return list(dict.fromkeys(key for mapping in mappings for key in mapping))


def show_n(counts: Iterable[int]) -> str:
    """Return a count as text: "12,000", "10-12" if it varies, "7.68-12.8 million"."""
    counts = [int(n) for n in counts]
    ends = dict.fromkeys((min(counts), max(counts)))
    if max(counts) >= 1e6:
        return "-".join(f"{n / 1e6:.3g}" for n in ends) + " million"
    return "-".join(f"{n:,}" for n in ends)


def check_some(values: Collection[Any], what: str) -> None:
    """Check that there is something to draw.

    Args:
      values: collection that is drawn, such as the layers of a mapping.
      what: words for its members, such as "layers".

    Raises:
      ValueError: `values` is empty.
    """
    if not len(values):
        raise ValueError(
            f"there is nothing to draw: {what} must not be empty, got none"
        )


def check_series(**arrays: Float[np.ndarray, "..."] | None) -> list[np.ndarray]:
    """Return arrays of one axis and one length, in float64.

    Args:
      **arrays: arrays by their names in the message; None is ignored.

    Raises:
      ValueError: an array is empty or has several axes, or lengths differ.
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
    """Return grey images [..., h, w] or coloured ones [..., h, w, 3], as float64.

    Args:
      name: name of the argument.
      images: images; a last axis of size 1 is removed.
      ndim: number of axes of grey images.
      what: the shape in words.

    Raises:
      ValueError: there is no image, or its shape is wrong.
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
    """Return means over seeds and standard errors, 0 for one seed; ignores NaN."""
    values = np.asarray(values, np.float64)
    known = np.isfinite(values)
    count = known.sum(axis=0)
    mean = np.where(known, values, 0.0).sum(axis=0) / np.maximum(count, 1)
    squares = np.where(known, (values - mean) ** 2, 0.0).sum(axis=0)
    error = np.sqrt(squares / np.maximum(count - 1, 1) / np.maximum(count, 1))
    return np.where(count > 0, mean, np.nan), error

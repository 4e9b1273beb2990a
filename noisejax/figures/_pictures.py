"""Pictures that back-projection makes (Bouthillier et al. 2015, figures 2, 3 and 5)."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from noisejax.figures._check import check_images
from noisejax.figures._style import WIDTH_CM, Canvas, canvas


def back_projections(
    originals: Float[np.ndarray, "examples height width"],
    projected: Float[np.ndarray, "examples masks height width"],
    *,
    titles: Sequence[str] = (),
    figure: Canvas | None = None,
) -> Figure:
    """Draws inputs beside what noisy networks see (Bouthillier 2015, figures 2 and 5).

    Args:
      originals: x, one per row; colours [..., 3] and a last axis of 1 are taken too.
      projected: x* of each, under several noise samples.
      titles: of the columns; (): "x" and "x*, mask 1", ...
      figure: to draw in; None: a new one.

    Returns:
      The figure: a row per example, x first, then each x*, in the greys of the
      originals: what lies outside their range is cut off.

    Raises:
      ValueError: no pictures, of different number or size; too few titles.

    Example:
      >>> import numpy as np
      >>> from noisejax import figures
      >>> x = np.eye(8)[None]
      >>> len(figures.back_projections(x, np.stack([x, 0.9 * x], axis=1)).axes)
      3
    """
    originals = check_images("originals", originals, 3, "[examples, height, width]")
    what = "[examples, masks, height, width]"
    projected = check_images("projected", projected, 4, what)
    fits = projected.shape[:1] + projected.shape[2:] == originals.shape
    titles = list(titles) or [
        "x",
        *(f"x*, mask {i + 1}" for i in range(_masks(projected))),
    ]
    if not fits or len(titles) != 1 + _masks(projected):
        raise ValueError(
            "projected must hold the same pictures as originals, under several masks, "
            f"and each column one title; got shapes {originals.shape}, "
            f"{projected.shape} and {len(titles)} titles"
        )
    rows, columns = len(originals), 1 + _masks(projected)
    low, high = originals.min(), originals.max()
    with canvas(figure, rows, columns, height_cm=_height(rows, columns)) as (fig, axes):
        for i in range(rows):
            for ax, image in zip(axes[i], [originals[i], *projected[i]], strict=True):
                _show(ax, image, low, high)
        for ax, title in zip(axes[0], titles, strict=True):
            ax.set_title(title)
        return fig


def units_shut_off(
    original: Float[np.ndarray, "height width"],
    projected: Float[np.ndarray, "units height width"],
    filters: Float[np.ndarray, "units height width"],
    *,
    names: Sequence[str] = (),
    figure: Canvas | None = None,
) -> Figure:
    """Draws what shutting off a unit does to the input (Bouthillier 2015, figure 3).

    Args:
      original: x.
      projected: x* with each of some hidden units shut off alone.
      filters: the units' incoming weights, as pictures.
      names: of the units; (): "unit 1", ...
      figure: to draw in; None: a new one.

    Returns:
      The figure, a column per unit: x*, its difference from x, the filter. The last two
      are in colours symmetric about 0; differences share their scale, filters have
      their own each.

    Raises:
      ValueError: no pictures, of different number or size; too few names.

    Example:
      >>> import numpy as np
      >>> from noisejax import figures
      >>> x, filters = np.eye(8), np.ones((5, 8, 8))
      >>> len(figures.units_shut_off(x, x - 0.1 * filters, filters).axes)
      16
    """
    original = check_images("original", original, 2, "[height, width]")
    projected = check_images("projected", projected, 3, "[units, height, width]")
    filters = check_images("filters", filters, 3, "[units, height, width]")
    names = list(names) or [f"unit {i + 1}" for i in range(len(projected))]
    fits = projected.shape == filters.shape and projected.shape[1:] == original.shape
    if not fits or len(names) != len(projected):
        raise ValueError(
            "projected and filters must be a picture per unit, like the original, and "
            f"each unit must have one name; got shapes {original.shape}, "
            f"{projected.shape}, {filters.shape} and {len(names)} names"
        )
    columns = 1 + len(names)
    differences = projected - original
    largest = np.abs(differences).max()
    with canvas(figure, 3, columns, height_cm=_height(3, columns)) as (fig, axes):
        _show(axes[0, 0], original, original.min(), original.max())
        for row, text in ((0, "x*, unit off"), (1, "x* - x"), (2, "filter")):
            axes[row, 1].set_ylabel(text)
        axes[0, 0].set_title("x")
        axes[1, 0].remove()
        axes[2, 0].remove()
        for i, name in enumerate(names):
            top, middle, bottom = axes[:, i + 1]
            top.set_title(name, fontsize=6)
            _show(top, projected[i], original.min(), original.max())
            _show_signed(middle, differences[i], largest)
            _show_signed(bottom, filters[i], np.abs(filters[i]).max())
        return fig


def _masks(projected: np.ndarray) -> int:
    return projected.shape[1]


def _height(rows: int, columns: int) -> float:
    """Such that square pictures fill the width, or are 2 cm high."""
    return rows * (min(WIDTH_CM / columns, 2.0) + 0.1) + 0.7


def _show(ax: Axes, image: np.ndarray, low: float, high: float) -> None:
    scaled = np.clip((image - low) / max(high - low, 1e-12), 0.0, 1.0)
    _frame(ax)
    ax.imshow(scaled, cmap="gray", vmin=0, vmax=1, interpolation="nearest")


def _show_signed(ax: Axes, image: np.ndarray, largest: float) -> None:
    largest = max(float(largest), 1e-12)
    _frame(ax)
    if image.ndim == 3:  # colours: grey is 0
        ax.imshow(0.5 + 0.5 * image / largest, interpolation="nearest")
        return
    look = {"cmap": "PuOr", "vmin": -largest, "vmax": largest}
    ax.imshow(image, interpolation="nearest", **look)


def _frame(ax: Axes) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(False)
    ax.spines[:].set_visible(False)

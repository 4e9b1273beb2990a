"""Figures of back-projections and residuals (Bouthillier et al. 2015)."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from noisejax.figures import _style as style


def back_projections(
    originals: Float[np.ndarray, "examples height width"],
    projected: Float[np.ndarray, "examples masks height width"],
    *,
    titles: Sequence[str] = (),
    title: str = "",
    figure: style.Canvas | None = None,
) -> Figure:
    """Draw inputs and their back-projections (Bouthillier 2015, figures 2 and 5).

    Args:
      originals: inputs x. Images are grey, or have a last axis of size 1 or 3.
      projected: back-projections x* of each input under several noise samples.
      titles: titles of the columns. The default is "x", "x*, mask 1", ...
      title: title of the figure.
      figure: figure or subfigure to draw on. The default is a new figure.

    Returns:
      The figure, with one row per example: x, then each x*. The grey scale is that of
      the originals, and values outside their range are clipped.

    Raises:
      ValueError: there are no images, their numbers or sizes differ, or the number of
        titles is not that of columns.

    Example:
      >>> import numpy as np
      >>> from noisejax import figures
      >>> x = np.eye(8)[None]
      >>> len(figures.back_projections(x, np.stack([x, 0.9 * x], axis=1)).axes)
      3
    """
    what = "[examples, height, width]"
    originals = style.check_images("originals", originals, 3, what)
    what = "[examples, masks, height, width]"
    projected = style.check_images("projected", projected, 4, what)
    fits = projected.shape[:1] + projected.shape[2:] == originals.shape
    masks = projected.shape[1]
    titles = list(titles) or ["x", *(f"x*, mask {i + 1}" for i in range(masks))]
    if not fits or len(titles) != 1 + masks:
        raise ValueError(
            "projected must contain the images of originals, under several masks, and "
            f"each column needs one title; got shapes {originals.shape}, "
            f"{projected.shape} and {len(titles)} titles"
        )
    low, high = originals.min(), originals.max()
    with _grid(figure, len(originals), 1 + masks, bool(title)) as (fig, axes):
        for i, row in enumerate(axes):
            for ax, image in zip(row, [originals[i], *projected[i]], strict=True):
                _show(ax, image, low, high)
        for ax, text in zip(axes[0], titles, strict=True):
            ax.set_title(text, fontsize=6)
        if title:
            fig.suptitle(title, fontsize=7)
        return fig


def units_shut_off(
    original: Float[np.ndarray, "height width"],
    projected: Float[np.ndarray, "units height width"],
    filters: Float[np.ndarray, "units height width"],
    *,
    names: Sequence[str] = (),
    figure: style.Canvas | None = None,
) -> Figure:
    """Draw the effect of shutting off a unit on the input (Bouthillier 2015, figure 3).

    Args:
      original: input x.
      projected: back-projections x*, each with one hidden unit shut off.
      filters: incoming weights of the units, as images.
      names: names of the units. The default is "unit 1", ...
      figure: figure or subfigure to draw on. The default is a new figure.

    Returns:
      The figure, with one column per unit: x*, the difference from x, and the filter.
      All differences share one colour scale, and all filters share another. Both scales
      are symmetric about 0.

    Raises:
      ValueError: there are no images, their numbers or sizes differ, or the number of
        names is not that of units.

    Example:
      >>> import numpy as np
      >>> from noisejax import figures
      >>> x, filters = np.eye(8), np.ones((5, 8, 8))
      >>> figure = figures.units_shut_off(x, x - 0.1 * filters, filters)
      >>> len(figure.axes)  # with two colour scales
      20
    """
    original = style.check_images("original", original, 2, "[height, width]")
    projected = style.check_images("projected", projected, 3, "[units, height, width]")
    filters = style.check_images("filters", filters, 3, "[units, height, width]")
    names = list(names) or [f"unit {i + 1}" for i in range(len(projected))]
    fits = projected.shape == filters.shape and projected.shape[1:] == original.shape
    if not fits or len(names) != len(projected):
        raise ValueError(
            "projected and filters must contain one image per unit, of the size of the "
            f"original, and each unit needs one name; got shapes {original.shape}, "
            f"{projected.shape}, {filters.shape} and {len(names)} names"
        )
    with _grid(figure, 3, 1 + len(names), True) as (fig, axes):
        low, high = original.min(), original.max()
        _show(axes[0, 0], original, low, high)
        axes[0, 0].set_title("x")
        for ax, name, image in zip(axes[0, 1:], names, projected, strict=True):
            _show(ax, image, low, high)
            ax.set_title(name, fontsize=6)
        signed = {"x* - x": projected - original, "weights": filters}
        for row, (text, images) in zip(axes[1:], signed.items(), strict=True):
            largest = np.abs(images).max()
            for ax, image in zip(row[1:], images, strict=True):
                show_signed(ax, image, largest)
                ax.spines[:].set_visible(False)
            row[0].axis("off")  # the colour bar is drawn here
            options = {"location": "left", "fraction": 0.3, "aspect": 8}
            bar = fig.colorbar(row[1].images[0], ax=row[0], **options)
            bar.set_label(text, fontsize=6)
            bar.ax.tick_params(labelsize=5)
            if images.ndim == 4:  # the scale does not apply to colours
                bar.ax.set_yticks([])
        fig.suptitle("Back-projections x* with one hidden unit off", fontsize=7)
        return fig


def residuals(
    before: Float[np.ndarray, "layers examples"],
    after: Float[np.ndarray, "layers examples"],
    *,
    figure: style.Canvas | None = None,
) -> Figure:
    """Draw the relative residuals of each layer before and after back-projection.

    Args:
      before: residuals Σ (f - target)² / Σ target² at x, from `backprojection`.
      after: residuals at x*.
      figure: figure or subfigure to draw on. The default is a new figure.

    Returns:
      The figure, with median, quartiles, and the range of 5 to 95 percent of the
      examples. Residuals that are not finite are ignored.

    Raises:
      ValueError: the shapes differ, or there are no examples.

    Example:
      >>> import numpy as np
      >>> from noisejax import figures
      >>> before = np.array([[1.0, 0.8, 0.9]])
      >>> len(figures.residuals(before, 0.3 * before).axes)
      1
    """
    before, after = (np.asarray(a, np.float64) for a in (before, after))
    if before.ndim != 2 or before.shape != after.shape or not before.size:
        raise ValueError(
            "before and after must have the same shape [layers, examples]; got shapes "
            f"{before.shape} and {after.shape}"
        )
    with style.panels(figure) as (fig, [ax]):
        sides = (
            (before, -0.18, style.BLACK, "at x"),
            (after, 0.18, style.PURPLE, "at x*"),
        )
        for values, offset, colour, label in sides:
            edge = {"color": colour}
            drawn = ax.boxplot(
                [layer[np.isfinite(layer)] for layer in values],
                positions=np.arange(len(values)) + offset,
                widths=0.3,
                whis=(5, 95),
                showfliers=False,
                patch_artist=True,
                boxprops={"facecolor": colour, "alpha": 0.35, "edgecolor": colour},
                medianprops=edge,
                whiskerprops=edge,
                capprops=edge,
            )
            drawn["boxes"][0].set_label(label)
        names = [f"Hidden layer {i + 1}" for i in range(len(before))]
        ax.set_xticks(range(len(before)), names)
        title = style.with_counts("Back-projection residuals", examples=before.shape[1])
        ylabel = "Relative squared residual\n(quartiles; 5 to 95 %)"
        style.label_axes(ax, "", ylabel, title)
        ax.set_ylim(bottom=0)
        ax.legend()
        return fig


@contextlib.contextmanager
def _grid(
    figure: style.Canvas | None, rows: int, columns: int, titled: bool
) -> Iterator[tuple[style.Canvas, np.ndarray]]:
    """Make a grid of images that fill the width, at most 2 cm high."""
    height = rows * (min(style.WIDTH_CM / columns, 2.0) + 0.1) + 0.7 + 0.4 * titled
    with style.canvas(figure, height) as figure:
        yield figure, figure.subplots(rows, columns, squeeze=False)


def _show(ax: Axes, image: np.ndarray, low: float, high: float) -> None:
    scaled = np.clip((image - low) / max(high - low, 1e-12), 0.0, 1.0)
    show_image(ax, scaled, cmap="gray", vmin=0, vmax=1)
    ax.spines[:].set_visible(False)


def show_image(axes: Axes, image: np.ndarray, **options: Any) -> AxesImage:
    """Show an image without ticks or grid, with `options` of `imshow`."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    return axes.imshow(image, interpolation="nearest", **options)


def show_signed(axes: Axes, image: np.ndarray, largest: float) -> AxesImage:
    """Show an image with a colour scale that is symmetric about 0."""
    largest = max(float(largest), 1e-12)
    if image.ndim == 3:  # in a coloured image, 0 is grey
        return show_image(axes, 0.5 + 0.5 * image / largest)
    return show_image(axes, image, cmap="PuOr", vmin=-largest, vmax=largest)

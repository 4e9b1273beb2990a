"""Learned shifts (Ba et al. 2014, figures 1 and 2)."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from noisejax.figures._check import check_images, check_series, check_some
from noisejax.figures._style import (
    BLACK,
    GREEN,
    Canvas,
    canvas,
    grid_of,
    label_axes,
    legend_below,
    remove_unused,
)


def shifts_against_activity(
    layers: Mapping[
        str, tuple[Float[np.ndarray, " units"], Float[np.ndarray, " units"]]
    ],
    *,
    figure: Canvas | None = None,
) -> Figure:
    """Draws shifts against mean activities (Ba et al. 2014, figure 2).

    Args:
      layers: layer, such as "input" -> (mean activities, shifts), one per unit.
      figure: to draw in; None: a new one.

    Returns:
      The figure, a panel per layer with the correlation and the line β = -mean.

    Raises:
      ValueError: there is no layer, or another number of shifts than of units.

    Example:
      >>> import numpy as np
      >>> from noisejax import figures
      >>> mean = np.array([0.0, 0.5, 1.0])
      >>> len(figures.shifts_against_activity({"input": (mean, -0.8 * mean)}).axes)
      1
    """
    check_some(layers, "layers")
    rows, columns = grid_of(len(layers))
    with canvas(figure, rows, columns, height_cm=4.8 * rows + 0.7) as (fig, axes):
        for k, (ax, name) in enumerate(zip(axes.flat, layers, strict=False)):
            mean, beta = (np.ravel(a) for a in layers[name])
            mean, beta = check_series(mean=mean, beta=beta)
            ends = np.array([mean.min(), mean.max()])
            ax.plot(ends, -ends, ":", color=BLACK, lw=0.8, label="β = -mean")
            size = 2 if len(mean) > 300 else 4
            ax.plot(mean, beta, ".", color=GREEN, ms=size, alpha=0.6, mew=0)
            varied = np.ptp(mean) > 0 and np.ptp(beta) > 0
            r = f"r = {np.corrcoef(mean, beta)[0, 1]:.2f}, " if varied else ""
            first = k % columns == 0
            title = f"{name}\n{r}n = {len(mean)}"
            label_axes(ax, "mean activity", "learned shift β" if first else "", title)
        remove_unused(axes, len(layers))
        legend_below(fig)
        return fig


def shift_images(
    mean: Float[np.ndarray, "height width"],
    beta: Float[np.ndarray, "height width"],
    *,
    figure: Canvas | None = None,
) -> Figure:
    """Draws the mean input and the learned shifts as images (Ba et al. 2014, figure 1).

    Args:
      mean: of the inputs, pixel by pixel.
      beta: the input's shifts.
      figure: to draw in; None: a new one.

    Returns:
      The figure; the shifts' colours are symmetric about 0.

    Raises:
      ValueError: no grey pictures, or of different size.

    Example:
      >>> import numpy as np
      >>> from noisejax import figures
      >>> len(figures.shift_images(np.ones((4, 4)), -np.ones((4, 4))).axes)  # with bars
      4
    """
    mean = check_images("mean", mean, 2, "a picture [height, width]")
    beta = check_images("beta", beta, 2, "a picture [height, width]")
    if mean.shape != beta.shape or mean.ndim != 2:
        raise ValueError(
            "mean and beta must be grey pictures of the same size, got shapes "
            f"{mean.shape} and {beta.shape}"
        )
    with canvas(figure, 1, 2, height_cm=4.2) as (fig, axes):
        left, right = axes[0]
        largest = max(float(np.abs(beta).max()), 1e-12)
        drawn = [
            (left, mean, {"cmap": "gray"}, "mean input"),
            (
                right,
                beta,
                {"cmap": "PuOr", "vmin": -largest, "vmax": largest},
                "learned shift β",
            ),
        ]
        for ax, image, look, title in drawn:
            shown = ax.imshow(np.asarray(image), interpolation="nearest", **look)
            ax.set_title(title)
            ax.set_xticks([])
            ax.set_yticks([])
            ax.grid(False)
            fig.colorbar(shown, ax=ax, shrink=0.75)
        return fig


def input_shift(
    phi: Float[np.ndarray, " points"],
    variance: Float[np.ndarray, " points"],
    *,
    best: float | None = None,
    ylabel: str = "net variance, layer 1",
    figure: Canvas | None = None,
) -> Figure:
    """Draws the variance that dropout makes against a shift of its input (Ba, eq. 7).

    Args:
      phi: shifts of the input, the same for all units.
      variance: mean net variance of the layer above.
      best: the variance with every unit shifted by minus its own mean; None: not drawn.
      ylabel: names the layer.
      figure: to draw in; None: a new one.

    Returns:
      The figure.

    Raises:
      ValueError: arrays that are empty, or of different length.

    Example:
      >>> import numpy as np
      >>> from noisejax import figures
      >>> phi = np.linspace(-1, 1, 5)
      >>> len(figures.input_shift(phi, 1 + phi**2, best=0.9).axes)
      1
    """
    phi, variance = check_series(phi=phi, variance=variance)
    with canvas(figure) as (fig, axes):
        ax = axes[0, 0]
        ax.plot(phi, variance, color=GREEN, label="input + φ")
        if best is not None:
            label = "each unit less its mean"
            ax.axhline(best, color=BLACK, ls=":", lw=0.8, label=label)
        label_axes(ax, "shift φ of the input", ylabel)
        ax.set_ylim(bottom=0)
        ax.legend()
        return fig

"""Figures of shifts (Ba et al. 2014, figures 1 and 2)."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from noisejax.figures import _style as style
from noisejax.figures._back_projection import show_image, show_signed


def shifts_against_activity(
    layers: Mapping[
        str, tuple[Float[np.ndarray, " units"], Float[np.ndarray, " units"]]
    ],
    *,
    figure: style.Canvas | None = None,
) -> Figure:
    """Draw shifts against mean activities (Ba et al. 2014, figure 2).

    Args:
      layers: layer -> (mean activities, shifts), with one value per unit.
      figure: figure or subfigure to draw on. The default is a new figure.

    Returns:
      The figure, with one panel per layer. A dotted line shows β = -mean activity, and
      the title shows the correlation.

    Raises:
      ValueError: there is no layer, or the numbers of shifts and units differ.

    Example:
      >>> import numpy as np
      >>> from noisejax import figures
      >>> mean = np.array([0.0, 0.5, 1.0])
      >>> len(figures.shifts_against_activity({"Input": (mean, -0.8 * mean)}).axes)
      1
    """
    style.check_some(layers, "layers")
    with style.panels(figure, len(layers), row_cm=5.2) as (fig, axes):
        for k, (ax, name) in enumerate(zip(axes, layers, strict=True)):
            mean, beta = (np.ravel(a) for a in layers[name])
            mean, beta = style.check_series(mean=mean, beta=beta)
            ends = np.array([mean.min(), mean.max()])
            ax.plot(
                ends, -ends, ":", color=style.BLACK, lw=0.8, label="β = -mean activity"
            )
            size = 2 if len(mean) > 300 else 4
            ax.plot(mean, beta, ".", color=style.GREEN, ms=size, alpha=0.6, mew=0)
            varied = np.ptp(mean) > 0 and np.ptp(beta) > 0
            r = f"r = {np.corrcoef(mean, beta)[0, 1]:.2f}, " if varied else ""
            title = f"{name}\n({r}n = {len(mean):,} units)"
            style.label_axes(
                ax, "Mean activity", "" if k % 2 else "Learned shift β", title
            )
        style.shared_legend(fig)
        return fig


def shift_images(
    mean: Float[np.ndarray, "height width"],
    beta: Float[np.ndarray, "height width"],
    *,
    figure: style.Canvas | None = None,
) -> Figure:
    """Draw the mean input and the learned shifts as images (Ba et al. 2014, figure 1).

    Args:
      mean: mean of each input pixel.
      beta: shifts of the input.
      figure: figure or subfigure to draw on. The default is a new figure.

    Returns:
      The figure. The colour scale of the shifts is symmetric about 0.

    Raises:
      ValueError: the images are not grey, or their sizes differ.

    Example:
      >>> import numpy as np
      >>> from noisejax import figures
      >>> len(figures.shift_images(np.ones((4, 4)), -np.ones((4, 4))).axes)  # with bars
      4
    """
    mean = style.check_images("mean", mean, 2, "an image [height, width]")
    beta = style.check_images("beta", beta, 2, "an image [height, width]")
    if mean.shape != beta.shape or mean.ndim != 2:
        raise ValueError(
            "mean and beta must be grey images of the same size, got shapes "
            f"{mean.shape} and {beta.shape}"
        )
    with style.panels(figure, 2, row_cm=4.2) as (fig, axes):
        drawn = {
            "Mean input": show_image(axes[0], mean, cmap="gray"),
            "Learned shift β": show_signed(axes[1], beta, np.abs(beta).max()),
        }
        for ax, (title, shown) in zip(axes, drawn.items(), strict=True):
            ax.set_title(title)
            fig.colorbar(shown, ax=ax, shrink=0.75)
        return fig


def input_shift(
    phi: Float[np.ndarray, " points"],
    variance: Float[np.ndarray, " points"],
    *,
    best: float | None = None,
    ylabel: str = "Variance of pre-activations",
    figure: style.Canvas | None = None,
) -> Figure:
    """Draw the dropout variance against a shift of the input (Ba et al. 2014, eq. 7).

    Args:
      phi: shifts of the input, each applied to all units.
      variance: mean variance of the layer's pre-activations at each shift.
      best: variance if each unit is shifted by minus its mean, drawn as a dotted line.
      ylabel: label of the variance.
      figure: figure or subfigure to draw on. The default is a new figure.

    Returns:
      The figure.

    Raises:
      ValueError: arrays are empty, or lengths differ.

    Example:
      >>> import numpy as np
      >>> from noisejax import figures
      >>> phi = np.linspace(-1, 1, 5)
      >>> len(figures.input_shift(phi, 1 + phi**2, best=0.9).axes)
      1
    """
    phi, variance = style.check_series(phi=phi, variance=variance)
    with style.panels(figure) as (fig, [ax]):
        ax.plot(phi, variance, color=style.GREEN, label="one shift for all inputs")
        if best is not None:
            label = "each input minus its mean"
            ax.axhline(best, color=style.BLACK, ls=":", lw=0.8, label=label)
        title = "Variance from noise on a shifted input"
        style.label_axes(ax, "Shift of the input", ylabel, title)
        ax.set_ylim(bottom=0)
        ax.legend()
        return fig

"""How far back-projection comes (Bouthillier et al. 2015, section 8.1)."""

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from noisejax.figures._style import BLACK, PURPLE, Canvas, canvas, label_axes


def residuals(
    before: Float[np.ndarray, "layers examples"],
    after: Float[np.ndarray, "layers examples"],
    *,
    figure: Canvas | None = None,
) -> Figure:
    """Draws relative residuals before and after back-projection, layer by layer.

    Args:
      before: Σ (f - target)² / Σ target² at x, as `backprojection` returns them.
      after: at x*.
      figure: to draw in; None: a new one.

    Returns:
      The figure: median, quartiles, and 5 to 95 percent of the examples; without those
      whose targets are all 0.

    Raises:
      ValueError: other shapes, or no examples.

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
            "residuals are [layers, examples], before and after alike, got shapes "
            f"{before.shape} and {after.shape}"
        )
    with canvas(figure) as (fig, axes):
        ax = axes[0, 0]
        sides = ((before, -0.18, BLACK, "at x"), (after, 0.18, PURPLE, "at x*"))
        for values, offset, colour, label in sides:
            drawn = ax.boxplot(
                [layer[np.isfinite(layer)] for layer in values],
                positions=np.arange(len(values)) + offset,
                widths=0.3,
                whis=(5, 95),
                showfliers=False,
                patch_artist=True,
                boxprops={"facecolor": colour, "alpha": 0.35, "edgecolor": colour},
                medianprops={"color": colour},
                whiskerprops={"color": colour},
                capprops={"color": colour},
            )
            drawn["boxes"][0].set_label(label)
        names = [f"layer {i + 1}" for i in range(len(before))]
        ax.set_xticks(range(len(before)), names)
        title = f"n = {before.shape[1]} examples"
        label_axes(ax, "", "relative squared residual", title)
        ax.set_ylim(bottom=0)
        ax.legend()
        return fig

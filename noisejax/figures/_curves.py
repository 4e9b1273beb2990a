"""Training curves, seeds as bands (Ba et al. 2014, figure 1, left)."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from noisejax.figures._bands import draw_band
from noisejax.figures._style import Canvas, canvas, colours_of, label_axes

SPLITS = {"train": ":", "validation": "--", "test": "-"}
"""Split -> its line."""

Curves = Mapping[str, Mapping[str, Float[np.ndarray, "seeds epochs"]]]
"""Run -> split -> values per seed and epoch, NaN where there are none."""


def training_curves(
    errors: Curves,
    *,
    losses: Curves | None = None,
    figure: Canvas | None = None,
) -> Figure:
    """Draws errors, and losses, against epochs (Ba et al. 2014, figure 1, left).

    Args:
      errors: run, such as "dropout" -> split -> errors in percent, [seeds, epochs],
        from epoch 1 on. Training errors are those under noise.
      losses: likewise, in nats, in a panel of their own; None: no panel.
      figure: to draw in; None: a new one.

    Returns:
      The figure; bands are standard errors over seeds.

    Example:
      >>> import numpy as np
      >>> from noisejax import figures
      >>> curves = {"dropout": {"test": np.array([[9.0, 4.0, 3.0], [8.0, 5.0, 3.5]])}}
      >>> len(figures.training_curves(curves).axes)
      1
    """
    panels = [(errors, "error (%)")] + ([(losses, "loss (nats)")] if losses else [])
    with canvas(figure, 1, len(panels), height_cm=6) as (fig, axes):
        for ax, (curves, ylabel) in zip(axes[0], panels, strict=True):
            for run, colour in zip(curves, colours_of(curves), strict=True):
                for split, values in curves[run].items():
                    values = np.asarray(values, np.float64)
                    x = np.arange(1, values.shape[1] + 1)
                    label = f"{run}, {split} (n = {len(values)})"
                    dash = SPLITS.get(split, "-.")
                    draw_band(ax, x, values, colour=colour, label=label, dash=dash)
            finite = np.concatenate(
                [np.ravel(v) for by_split in curves.values() for v in by_split.values()]
            )
            finite = finite[np.isfinite(finite)]
            if len(finite) and finite.min() > 0 and finite.max() > 5 * finite.min():
                ax.set_yscale("log")
                ax.yaxis.set_major_formatter("{x:g}")
                ax.yaxis.set_minor_formatter("")
            label_axes(ax, "epoch", ylabel)
        handles, labels = axes[0, 0].get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=6)
        return fig

"""Training curves, seeds as bands (Ba et al. 2014, figure 1, left)."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from noisejax.figures._bands import draw_band
from noisejax.figures._check import check_some
from noisejax.figures._style import (
    Canvas,
    canvas,
    colours_of,
    label_axes,
    legend_below,
    log_ticks,
)

SPLITS = {"train": ":", "validation": "--", "test": "-"}
"""Split -> its line."""

Curves = Mapping[str, Mapping[str, Float[np.ndarray, "seeds epochs"]]]
"""Run -> split -> values per seed and epoch, NaN where there are none."""


def training_curves(
    errors: Curves,
    *,
    losses: Curves | None = None,
    ylabel: str = "error (%)",
    figure: Canvas | None = None,
) -> Figure:
    """Draws errors, and losses, against epochs (Ba et al. 2014, figure 1, left).

    Args:
      errors: run, such as "dropout" -> split -> errors in percent, [seeds, epochs],
        from epoch 1 on. Training errors are those under noise.
      losses: likewise, in nats, in a panel of their own; None: no panel.
      ylabel: of the first panel, where it shows something else.
      figure: to draw in; None: a new one.

    Returns:
      The figure; bands are standard errors over seeds.

    Raises:
      ValueError: no run, no split, or values that are not [seeds, epochs].

    Example:
      >>> import numpy as np
      >>> from noisejax import figures
      >>> curves = {"dropout": {"test": np.array([[9.0, 4.0, 3.0], [8.0, 5.0, 3.5]])}}
      >>> len(figures.training_curves(curves).axes)
      1
    """
    panels = [(errors, ylabel)] + ([(losses, "loss (nats)")] if losses else [])
    for curves, _ in panels:
        _check(curves)
    height = 5.5 + 0.35 * len(errors)
    with canvas(figure, 1, len(panels), height_cm=height) as (fig, axes):
        for ax, (curves, label) in zip(axes[0], panels, strict=True):
            for run, colour in zip(curves, colours_of(curves), strict=True):
                for split, values in curves[run].items():
                    values = np.asarray(values, np.float64)
                    x = np.arange(1, values.shape[1] + 1)
                    dash = SPLITS.get(split, "-.")
                    draw_band(ax, x, values, colour=colour, label=split, dash=dash)
            if _spans_much(curves):
                ax.set_yscale("log")
                log_ticks(ax.yaxis)
            label_axes(ax, "epoch", label)
        legend_below(fig, _legend(errors), columns=3)
        return fig


def _check(curves: Curves) -> None:
    check_some(curves, "runs")
    for run, by_split in curves.items():
        check_some(by_split, f"the splits of {run}")
        for split, values in by_split.items():
            shape = np.shape(values)
            if len(shape) != 2 or 0 in shape:
                raise ValueError(
                    f"{run}, {split}: a curve is [seeds, epochs], got shape {shape}"
                )


def _spans_much(curves: Curves) -> bool:
    """Whether values are all above 0 and differ by more than a factor of 5."""
    values = np.concatenate(
        [np.ravel(v) for by in curves.values() for v in by.values()]
    )
    values = values[np.isfinite(values)]
    return bool(len(values) and values.min() > 0 and values.max() > 5 * values.min())


def _legend(curves: Curves) -> list[Line2D]:
    """Colours tell runs, dashes tell splits."""
    handles = []
    for run, colour in zip(curves, colours_of(curves), strict=True):
        n = max(len(values) for values in curves[run].values())
        label = f"{run} (n = {n} seed{'s' if n > 1 else ''})"
        handles.append(Line2D([], [], color=colour, label=label))
    splits = dict.fromkeys(split for by in curves.values() for split in by)
    for split in splits:
        dash = SPLITS.get(split, "-.")
        handles.append(Line2D([], [], color="0.4", ls=dash, label=split))
    return handles

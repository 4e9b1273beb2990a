"""Test errors against what was varied: points with error bars over seeds."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from noisejax.figures._bands import mean_and_error
from noisejax.figures._check import check_series, check_some
from noisejax.figures._style import (
    DASHES,
    MARKERS,
    Canvas,
    canvas,
    colours_of,
    grid_of,
    label_axes,
    legend_below,
    remove_unused,
    show_n,
)

Errors = Mapping[str, Mapping[float | str, Sequence[float] | Float[np.ndarray, " n"]]]
"""Label -> what was varied -> one error in percent per seed."""


def noise_levels(
    panels: Mapping[str, Errors],
    *,
    xlabel: str = "noise level",
    figure: Canvas | None = None,
) -> Figure:
    """Test error against the noise level (Bouthillier et al. 2015, figure 6).

    Args:
      panels: title -> label, such as a network or a scheme -> level -> errors in
        percent, one per seed. The paper's panels: input noise varied, hidden noise
        varied, random dropout.
      xlabel: of the levels.
      figure: to draw in; None: a new one.

    Returns:
      The figure; bars are standard errors over n seeds.

    Raises:
      ValueError: there is nothing to draw, or a point without an error.

    Example:
      >>> from noisejax import figures
      >>> errors = {"2500-625": {0.0: [1.6, 1.7], 0.1: [1.4, 1.5]}}
      >>> len(figures.noise_levels({"dropout": errors}).axes)
      1
    """
    return _draw(panels, xlabel, figure, sharey=True)


def num_samples_errors(
    panels: Mapping[str, Errors],
    *,
    xlabel: str = "dropout rate",
    figure: Canvas | None = None,
) -> Figure:
    """Test error against the dropout rate, for S noise samples (Noh 2017, figure 2).

    Args:
      panels: data set -> label, such as "S = 4" -> rate -> errors in percent.
      xlabel: of the rates.
      figure: to draw in; None: a new one.

    Returns:
      The figure; bars are standard errors over n seeds.

    Raises:
      ValueError: there is nothing to draw, or a point without an error.

    Example:
      >>> from noisejax import figures
      >>> errors = {"S = 1": {0.1: [4.0, 4.2]}, "S = 8": {0.1: [3.8, 3.7]}}
      >>> len(figures.num_samples_errors({"CIFAR-10": errors}).axes)
      1
    """
    return _draw(panels, xlabel, figure)


def method_errors(
    panels: Mapping[str, Errors],
    *,
    xlabel: str = "hidden layers",
    figure: Canvas | None = None,
) -> Figure:
    """Test error of training methods, network by network (Bouthillier 2015, figure 4).

    Args:
      panels: data set -> method, such as "dropout" -> network -> errors in percent.
      xlabel: of the networks.
      figure: to draw in; None: a new one.

    Returns:
      The figure; bars are standard errors over n seeds.

    Raises:
      ValueError: there is nothing to draw, or a point without an error.

    Example:
      >>> from noisejax import figures
      >>> errors = {"dropout": {"2500-2500": [1.3]}, "projected": {"2500-2500": [1.4]}}
      >>> len(figures.method_errors({"MNIST": errors}).axes)
      1
    """
    return _draw(panels, xlabel, figure)


def _draw(
    panels: Mapping[str, Errors],
    xlabel: str,
    figure: Canvas | None,
    *,
    sharey: bool = False,
) -> Figure:
    check_some(panels, "panels")
    labels = list(dict.fromkeys(label for panel in panels.values() for label in panel))
    check_some(labels, "labels")
    colours = dict(zip(labels, colours_of(labels), strict=True))
    rows, columns = grid_of(len(panels))
    height = 4.8 * rows + 1
    with canvas(figure, rows, columns, height_cm=height, sharey=sharey) as (fig, axes):
        for k, (ax, (title, errors)) in enumerate(
            zip(axes.flat, panels.items(), strict=False)
        ):
            for label, points in errors.items():
                for values in points.values():
                    check_series(**{label: values})
            counts = {len(v) for points in errors.values() for v in points.values()}
            _draw_panel(ax, errors, labels, colours)
            first = k % columns == 0
            title = f"{title} (n = {show_n(counts)})"
            label_axes(ax, xlabel, "test error (%)" if first else "", title)
        remove_unused(axes, len(panels))
        legend_below(fig, columns=3)
        return fig


def _draw_panel(
    ax: Axes, errors: Errors, labels: list[str], colours: Mapping[str, str]
) -> None:
    names = list(dict.fromkeys(name for e in errors.values() for name in e))
    texts = any(isinstance(name, str) for name in names)
    for j, (label, points) in enumerate(errors.items()):
        i = labels.index(label)
        x = [names.index(p) if texts else p for p in points]
        offset = 0.16 * (j - (len(errors) - 1) / 2) if texts else 0.0
        spreads = [mean_and_error(np.asarray(v)) for v in points.values()]
        ax.errorbar(
            np.asarray(x) + offset,
            [mean for mean, _ in spreads],
            [error for _, error in spreads],
            fmt=MARKERS[i % len(MARKERS)],
            linestyle="none" if texts else DASHES[i % len(DASHES)],
            color=colours[label],
            capsize=1.5,
            elinewidth=0.8,
            label=label,
        )
    if texts:
        long = sum(len(str(name)) for name in names) > 20
        turn = {"rotation": 30, "ha": "right"} if long else {}
        ax.set_xticks(range(len(names)), names, **turn)
        ax.set_xlim(-0.5, len(names) - 0.5)

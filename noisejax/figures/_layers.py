"""Measurements layer by layer: net variance and gradient information."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from noisejax.figures._style import (
    BLUE,
    ORANGE,
    SKY,
    Canvas,
    canvas,
    colours_of,
    label_axes,
)


def net_variance(
    layers: Mapping[str, Mapping[str, float | None]],
    *,
    num_draws: int | None = None,
    figure: Canvas | None = None,
) -> Figure:
    """Draws net variances and where they come from (Hahn and Choi 2018, table 3).

    Args:
      layers: layer -> {"measured", "conditional", "passed_on"}, means over examples and
        units; the parts may be None.
      num_draws: of all masks, named in the title.
      figure: to draw in; None: a new one.

    Returns:
      The figure: measured beside the sum of its parts.

    Example:
      >>> from noisejax import figures
      >>> parts = {"measured": 1.1, "conditional": 0.8, "passed_on": 0.3}
      >>> len(figures.net_variance({"layer_2": parts}).axes)
      1
    """
    names = list(layers)
    columns = {
        part: np.array([layers[name].get(part) or 0.0 for name in names], np.float64)
        for part in ("measured", "conditional", "passed_on")
    }
    x = np.arange(len(names))
    with canvas(figure) as (fig, axes):
        ax = axes[0, 0]
        ax.bar(x - 0.2, columns["measured"], 0.36, color=BLUE, label="measured")
        label = "from the layer's own noise"
        ax.bar(x + 0.2, columns["conditional"], 0.36, color=SKY, label=label)
        ax.bar(
            x + 0.2,
            columns["passed_on"],
            0.36,
            bottom=columns["conditional"],
            color=ORANGE,
            label="passed on from below",
        )
        ax.set_xticks(x, names)
        title = "" if num_draws is None else f"{num_draws} draws of all masks"
        label_axes(ax, "", "net variance", title)
        ax.margins(y=0.3)
        ax.legend()
        return fig


def gradient_information(
    networks: Mapping[str, Mapping[str, float]], *, figure: Canvas | None = None
) -> Figure:
    """Draws gradient information (Hahn and Choi 2018, eq. 5 and table 2).

    Args:
      networks: network, such as "dropout" -> layer -> mean |∂E/∂W|.
      figure: to draw in; None: a new one.

    Returns:
      The figure, on a logarithmic axis.

    Example:
      >>> from noisejax import figures
      >>> g = {"none": {"layer_1": 1.07e-4}, "dropout": {"layer_1": 5.93e-4}}
      >>> len(figures.gradient_information(g).axes)
      1
    """
    layers = list(
        dict.fromkeys(name for by_layer in networks.values() for name in by_layer)
    )
    x, width = np.arange(len(layers)), 0.8 / len(networks)
    with canvas(figure) as (fig, axes):
        ax = axes[0, 0]
        colours = colours_of(networks)
        for i, (label, by_layer) in enumerate(networks.items()):
            values = [by_layer.get(layer, np.nan) for layer in layers]
            place = x + width * (i - (len(networks) - 1) / 2)
            ax.bar(place, values, width, color=colours[i], label=label)
        ax.set_yscale("log")
        ax.set_xticks(x, layers)
        label_axes(ax, "", "mean |∂E/∂W|")
        ax.margins(y=0.3)
        ax.legend()
        return fig

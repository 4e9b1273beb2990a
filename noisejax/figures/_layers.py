"""Measurements layer by layer: net variance and gradient information."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from noisejax.figures._check import check_some
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
    num_examples: int | None = None,
    figure: Canvas | None = None,
) -> Figure:
    """Draws net variances and where they come from (Hahn and Choi 2018, table 3).

    Args:
      layers: layer -> {"measured", "conditional", "passed_on"}, means over examples and
        units; the parts may be None.
      num_draws: of all masks, named in the title.
      num_examples: likewise.
      figure: to draw in; None: a new one.

    Returns:
      The figure: measured beside the sum of its parts.

    Raises:
      ValueError: there is no layer.

    Example:
      >>> from noisejax import figures
      >>> parts = {"measured": 1.1, "conditional": 0.8, "passed_on": 0.3}
      >>> len(figures.net_variance({"layer_2": parts}).axes)
      1
    """
    check_some(layers, "layers")
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
        label_axes(ax, "", "net variance", _title(num_examples, num_draws))
        tops = [*columns["measured"], *(columns["conditional"] + columns["passed_on"])]
        ax.set_ylim(0, 1.35 * max(*tops, 1e-12))  # the legend stands above
        ax.legend()
        return fig


def gradient_information(
    networks: Mapping[str, Mapping[str, float]],
    *,
    num_examples: int | None = None,
    figure: Canvas | None = None,
) -> Figure:
    """Draws gradient information (Hahn and Choi 2018, eq. 5 and table 2).

    Args:
      networks: network, such as "dropout" -> layer -> mean |∂E/∂W|.
      num_examples: that it is a mean over, named in the title.
      figure: to draw in; None: a new one.

    Returns:
      The figure, on a logarithmic axis.

    Raises:
      ValueError: there is no network, or no layer.

    Example:
      >>> from noisejax import figures
      >>> g = {"none": {"layer_1": 1.07e-4}, "dropout": {"layer_1": 5.93e-4}}
      >>> len(figures.gradient_information(g).axes)
      1
    """
    layers = list(
        dict.fromkeys(name for by_layer in networks.values() for name in by_layer)
    )
    check_some(layers, "layers")
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
        label_axes(ax, "", "mean |∂E/∂W|", _title(num_examples))
        ax.margins(y=0.3)
        ax.legend()
        return fig


def sharpness(
    networks: Mapping[str, float],
    *,
    num_examples: int | None = None,
    figure: Canvas | None = None,
) -> Figure:
    """Draws how sharply losses curve: the largest eigenvalues of their Hessians (ours).

    Args:
      networks: network, such as "dropout" -> `diagnostics.sharpness(...).largest`.
      num_examples: of the loss, named in the title.
      figure: to draw in; None: a new one.

    Returns:
      The figure; the lower, the flatter the minimum.

    Raises:
      ValueError: there is no network.

    Example:
      >>> from noisejax import figures
      >>> len(figures.sharpness({"none": 12.0, "dropout": 4.5}).axes)
      1
    """
    check_some(networks, "networks")
    with canvas(figure) as (fig, axes):
        ax = axes[0, 0]
        values = [float(value) for value in networks.values()]
        bars = ax.bar(range(len(values)), values, 0.6, color=colours_of(networks))
        ax.bar_label(bars, fmt="{:.3g}", fontsize=6)
        ax.set_xticks(range(len(values)), list(networks))
        label_axes(ax, "", "largest eigenvalue of the Hessian", _title(num_examples))
        ax.margins(x=0.3 if len(values) == 1 else 0.05, y=0.15)
        return fig


def _title(num_examples: int | None, num_draws: int | None = None) -> str:
    examples = "" if num_examples is None else f"n = {num_examples} examples"
    draws = "" if num_draws is None else f"{num_draws} draws of all masks"
    return ", ".join(part for part in (examples, draws) if part)

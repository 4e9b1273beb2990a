"""Measurements layer by layer as bars: variances, gradients, curvature."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from noisejax.figures._check import check_some
from noisejax.figures._style import (
    BLUE,
    ORANGE,
    SKY,
    Canvas,
    colours_of,
    label_axes,
    panels,
    with_counts,
)


def net_variance(
    layers: Mapping[str, Mapping[str, float | None]],
    *,
    num_draws: int | None = None,
    num_examples: int | None = None,
    figure: Canvas | None = None,
) -> Figure:
    """Draws variances of pre-activations and their parts (Hahn and Choi 2018, table 3).

    Args:
      layers: layer -> {"measured", "conditional", "passed_on"}, means over examples and
        units; the parts may be None.
      num_draws: number of draws of all masks, for the title.
      num_examples: number of examples, for the title.
      figure: figure or part of a page to draw in; None: a new one.

    Returns:
      The figure: the measured variance beside the sum of its parts.

    Raises:
      ValueError: there is no layer.

    Example:
      >>> from noisejax import figures
      >>> parts = {"measured": 1.1, "conditional": 0.8, "passed_on": 0.3}
      >>> len(figures.net_variance({"Hidden layer 2": parts}).axes)
      1
    """
    check_some(layers, "layers")
    names = list(layers)
    measured, conditional, passed_on = (
        np.array([layers[name].get(part) or 0.0 for name in names], np.float64)
        for part in ("measured", "conditional", "passed_on")
    )
    x = np.arange(len(names))
    with panels(figure) as (fig, [ax]):
        ax.bar(x - 0.2, measured, 0.36, color=BLUE, label="measured")
        label = "from the noise on the layer's input"
        ax.bar(x + 0.2, conditional, 0.36, color=SKY, label=label)
        label = "from the noise below"
        ax.bar(x + 0.2, passed_on, 0.36, bottom=conditional, color=ORANGE, label=label)
        ax.set_xticks(x, names)
        title = with_counts(
            "Variance of pre-activations under noise",
            examples=num_examples,
            draws=num_draws,
        )
        label_axes(ax, "", "Mean variance", title)
        ax.set_ylim(0, 1.4 * max(*measured, *(conditional + passed_on), 1e-12))
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
      num_examples: number of examples, for the title.
      figure: figure or part of a page to draw in; None: a new one.

    Returns:
      The figure, on a logarithmic axis.

    Raises:
      ValueError: there is no network, or no layer.

    Example:
      >>> from noisejax import figures
      >>> g = {"none": {"layer 1": 1.07e-4}, "dropout": {"layer 1": 5.93e-4}}
      >>> len(figures.gradient_information(g).axes)
      1
    """
    layers = list(
        dict.fromkeys(name for by_layer in networks.values() for name in by_layer)
    )
    check_some(layers, "layers")
    x, width = np.arange(len(layers)), 0.8 / len(networks)
    with panels(figure) as (fig, [ax]):
        colours = colours_of(networks)
        for i, (label, by_layer) in enumerate(networks.items()):
            values = [by_layer.get(layer, np.nan) for layer in layers]
            left = x + width * (i - (len(networks) - 1) / 2)
            ax.bar(left, values, width, color=colours[i], label=label)
        ax.set_yscale("log")
        ax.set_xticks(x, layers)
        title = with_counts("Gradient information", examples=num_examples)
        label_axes(ax, "", "Mean |∂E/∂W|", title)
        ax.margins(y=0.3)
        ax.legend()
        return fig


def sharpness(
    networks: Mapping[str, float],
    *,
    num_examples: int | None = None,
    figure: Canvas | None = None,
) -> Figure:
    """Draws the largest eigenvalues of the Hessians of losses (ours).

    Args:
      networks: network, such as "dropout" -> `diagnostics.sharpness(...).largest`.
      num_examples: number of examples of the loss, for the title.
      figure: figure or part of a page to draw in; None: a new one.

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
    with panels(figure) as (fig, [ax]):
        values = [float(value) for value in networks.values()]
        bars = ax.bar(range(len(values)), values, 0.6, color=colours_of(networks))
        ax.bar_label(bars, fmt="{:.3g}", fontsize=6)
        ax.set_xticks(range(len(values)), list(networks))
        title = with_counts("Sharpness of the minimum", examples=num_examples)
        label_axes(ax, "", "Largest eigenvalue of the Hessian", title)
        ax.margins(x=0.3 if len(values) == 1 else 0.05, y=0.15)
        return fig

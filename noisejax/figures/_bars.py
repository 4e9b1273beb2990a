"""Bar charts of numbers and of variances."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from noisejax.figures import _style as style


def net_variance(
    layers: Mapping[str, Mapping[str, float | None]],
    *,
    num_draws: int | None = None,
    num_examples: int | None = None,
    figure: style.Canvas | None = None,
) -> Figure:
    """Draw the noise variance of pre-activations (Hahn and Choi 2018, table 3).

    Args:
      layers: layer -> {"measured", "conditional", "passed_on"}, with means over
        examples and units. The last two, the parts of the variance, may be None.
      num_draws: number of draws of all masks, shown in the title.
      num_examples: number of examples, shown in the title.
      figure: figure or subfigure to draw on. The default is a new figure.

    Returns:
      The figure, with the measured variance next to the sum of its parts.

    Raises:
      ValueError: there is no layer.

    Example:
      >>> from noisejax import figures
      >>> parts = {"measured": 1.1, "conditional": 0.8, "passed_on": 0.3}
      >>> len(figures.net_variance({"Hidden layer 2": parts}).axes)
      1
    """
    style.check_some(layers, "layers")
    names = list(layers)
    measured, conditional, passed_on = (
        np.array([layers[name].get(part) or 0.0 for name in names], np.float64)
        for part in ("measured", "conditional", "passed_on")
    )
    x = np.arange(len(names))
    with style.panels(figure) as (fig, [ax]):
        ax.bar(x - 0.2, measured, 0.36, color=style.BLUE, label="measured")
        label = "from the noise on the layer's input"
        ax.bar(x + 0.2, conditional, 0.36, color=style.SKY, label=label)
        look = {"color": style.ORANGE, "label": "from the noise below"}
        ax.bar(x + 0.2, passed_on, 0.36, bottom=conditional, **look)
        ax.set_xticks(x, names)
        title = style.with_counts(
            "Variance of pre-activations under noise",
            examples=num_examples,
            draws=num_draws,
        )
        style.label_axes(ax, "", "Mean variance", title)
        ax.set_ylim(0, 1.4 * max(*measured, *(conditional + passed_on), 1e-12))
        ax.legend()
        return fig


def bars(
    panels: Mapping[str, Mapping[str, Mapping[str, float]]],
    *,
    xlabel: str = "",
    ylabel: str = "",
    scale: str = "linear",
    figure: style.Canvas | None = None,
) -> Figure:
    """Draw numbers as bars, such as those of table 1 of Hahn and Choi (2018).

    Args:
      panels: title -> label -> name -> number. A label is a colour, such as "dropout",
        and a name is a group of bars, such as a layer.
      xlabel: label of the horizontal axis.
      ylabel: label of the vertical axis, with the unit.
      scale: scale of the vertical axis: "linear", "log", or "symlog", which is
        logarithmic above 1.
      figure: figure or subfigure to draw on. The default is a new figure.

    Returns:
      The figure, with one panel per title and a shared vertical axis.

    Raises:
      ValueError: there is no panel, no label, or no name.

    Example:
      >>> from noisejax import figures
      >>> gradients = {"none": {"layer 1": 1.1e-4}, "dropout": {"layer 1": 5.9e-4}}
      >>> figure = figures.bars({"Gradient information": gradients}, scale="log")
      >>> len(figure.axes)
      1
    """
    style.check_some(panels, "panels")
    with style.panels(figure, len(panels), row_cm=5.4, sharey=True) as (fig, axes):
        for k, (ax, (title, by_label)) in enumerate(
            zip(axes, panels.items(), strict=True)
        ):
            names = style.keys_of(by_label.values())
            style.check_some(names, f"the bars of {title}")
            x, width = np.arange(len(names)), 0.8 / len(by_label)
            colours = style.colours_of(by_label)
            for i, (label, values) in enumerate(by_label.items()):
                left = x + width * (i - (len(by_label) - 1) / 2)
                heights = [values.get(name, np.nan) for name in names]
                drawn = ax.bar(left, heights, width, color=colours[i], label=label)
                if len(names) == 1:
                    ax.bar_label(drawn, fmt="{:.3g}", fontsize=6)
            options = {"linthresh": 1, "linscale": 0.4} if scale == "symlog" else {}
            ax.set_yscale(scale, **options)
            ax.set_xticks(x, names)
            style.label_axes(ax, xlabel, "" if k % 2 else ylabel, title)
        axes[0].margins(y=0.2)
        if scale != "log":
            axes[0].set_ylim(bottom=0)
        if max(map(len, panels.values())) > 1:
            style.shared_legend(fig, columns=3)
        return fig

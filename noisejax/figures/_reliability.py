"""Reliability diagrams."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from noisejax.figures import _style as style


def reliability(
    predictions: Mapping[
        str, tuple[Float[np.ndarray, " bins"], Float[np.ndarray, " bins"]]
    ],
    *,
    num_examples: int | None = None,
    figure: style.Canvas | None = None,
) -> Figure:
    """Draw accuracy against confidence (Guo et al. 2017, figure 1).

    Args:
      predictions: label, such as "noise-free" -> (confidence, accuracy) of the bins
        that hold examples, as in `diagnostics.Calibration`.
      num_examples: number of examples, for the title.
      figure: figure or part of a page to draw in; None: a new one.

    Returns:
      The figure; on the dotted line, confidence and accuracy agree.

    Raises:
      ValueError: there is no prediction, a curve is empty, or lengths differ.

    Example:
      >>> import numpy as np
      >>> from noisejax import figures
      >>> bins = (np.array([0.5, 0.9]), np.array([0.4, 0.8]))
      >>> len(figures.reliability({"noise-free": bins}).axes)
      1
    """
    style.check_some(predictions, "predictions")
    with style.panels(figure) as (fig, [ax]):
        ax.plot([0, 1], [0, 1], ":", color="0.5", label="perfectly calibrated")
        colours = style.colours_of(predictions)
        for colour, (label, (confidence, accuracy)) in zip(
            colours, predictions.items(), strict=True
        ):
            x, y = style.check_series(confidence=confidence, accuracy=accuracy)
            ax.plot(x, y, "o-", color=colour, label=label)
        ax.set(xlim=(0, 1), ylim=(0, 1))
        ax.legend(loc="upper left")
        title = style.with_counts("Reliability", examples=num_examples)
        style.label_axes(ax, "Confidence", "Accuracy", title)
        return fig

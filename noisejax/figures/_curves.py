"""Figures of curves: training, the bound, and functions."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator

from noisejax.figures import _style as style

SPLITS = {"train": ":", "validation": "--", "test": "-"}
"""Split -> dash pattern of its line."""

Curves = Mapping[str, Mapping[str, Float[np.ndarray, "seeds epochs"]]]
"""Run -> split -> values per seed and epoch. Missing values are NaN."""

Points = tuple[Float[np.ndarray, " points"], Float[np.ndarray, " points"]]
"""Coordinates (x, y) of a curve."""


def training_curves(
    errors: Curves,
    *,
    losses: Curves | None = None,
    ylabel: str = "Error (%)",
    title: str = "",
    figure: style.Canvas | None = None,
) -> Figure:
    """Draw errors, and optionally losses, by epoch (Ba et al. 2014, figure 1, left).

    Args:
      errors: run -> split -> errors in percent, [seeds, epochs], from epoch 1. Training
        errors are noisy.
      losses: run -> split -> losses in nats, for a second panel.
      ylabel: label of the errors, with the unit.
      title: title of the first panel.
      figure: figure or subfigure to draw on. The default is a new figure.

    Returns:
      The figure, with standard errors over seeds as bands.

    Raises:
      ValueError: there is no run or no split, or the shape of a curve is not [seeds,
        epochs].

    Example:
      >>> import numpy as np
      >>> from noisejax import figures
      >>> curves = {"dropout": {"test": np.array([[9.0, 4.0, 3.0], [8.0, 5.0, 3.5]])}}
      >>> len(figures.training_curves(curves).axes)
      1
    """
    drawn = [(errors, ylabel)] + ([(losses, "Loss (nats)")] if losses else [])
    for curves, _ in drawn:
        _check(curves)
    row_cm = 6.0 + 0.35 * len(errors)
    with style.panels(figure, len(drawn), row_cm=row_cm) as (fig, axes):
        for ax, (curves, label) in zip(axes, drawn, strict=True):
            for run, colour in zip(curves, style.colours_of(curves), strict=True):
                for split, values in curves[run].items():
                    mean, error = style.mean_and_error(values)
                    x = np.arange(1, len(mean) + 1)
                    dash = SPLITS.get(split, "-.")
                    ax.plot(x, mean, dash, color=colour, label=split)
                    if len(values) > 1:
                        low, high = mean - error, mean + error
                        ax.fill_between(x, low, high, color=colour, alpha=0.25, lw=0)
            if _spans_much(curves):
                ax.set_yscale("log")
                ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
                ax.yaxis.set_major_formatter("{x:g}")
                ax.yaxis.set_minor_formatter("")
            style.label_axes(ax, "Epoch", label)
        axes[0].set_title(title)
        style.shared_legend(fig, _legend(errors), columns=3)
        return fig


def _check(curves: Curves) -> None:
    style.check_some(curves, "runs")
    for run, by_split in curves.items():
        style.check_some(by_split, f"the splits of {run}")
        for split, values in by_split.items():
            shape = np.shape(values)
            if len(shape) != 2 or 0 in shape:
                raise ValueError(
                    f"{run}, {split}: curves must be [seeds, epochs], got shape {shape}"
                )


def _spans_much(curves: Curves) -> bool:
    """Return True if values are positive and differ by more than a factor of 5."""
    values = np.concatenate(
        [np.ravel(v) for by in curves.values() for v in by.values()]
    )
    values = values[np.isfinite(values)]
    return bool(len(values) and values.min() > 0 and values.max() > 5 * values.min())


def _legend(curves: Curves) -> list[Line2D | Patch]:
    """Return handles for the colours of runs, the dashes of splits, and the band."""
    handles: list[Line2D | Patch] = []
    most = 1
    for run, colour in zip(curves, style.colours_of(curves), strict=True):
        n = max(len(values) for values in curves[run].values())
        most = max(most, n)
        label = f"{run} (n = {n} seed{'s' if n > 1 else ''})"
        handles.append(Line2D([], [], color=colour, label=label))
    for split in style.keys_of(curves.values()):
        dash = SPLITS.get(split, "-.")
        handles.append(Line2D([], [], color="0.4", ls=dash, label=split))
    if most > 1:
        handles.append(Patch(color="0.4", alpha=0.25, lw=0, label="standard error"))
    return handles


def bound_curve(
    num_samples: Int[np.ndarray, " points"],
    bound: Float[np.ndarray, " points"],
    *,
    standard_error: Float[np.ndarray, " points"] | None = None,
    effective_samples: Float[np.ndarray, " points"] | None = None,
    num_examples: int | None = None,
    figure: style.Canvas | None = None,
) -> Figure:
    """Draw the bound L(S) and the effective samples (Noh et al. 2017, eq. 4).

    Args:
      num_samples: numbers of noise samples S.
      bound: bound L(S) for each S, as a mean over examples.
      standard_error: standard error of L(S) over examples, drawn as a band.
      effective_samples: effective samples 1 / Σ w² for each S, for a second panel.
      num_examples: number of examples, shown in the title.
      figure: figure or subfigure to draw on. The default is a new figure.

    Returns:
      The figure.

    Raises:
      ValueError: arrays are empty, or lengths differ.

    Example:
      >>> import numpy as np
      >>> from noisejax import figures
      >>> s = np.array([1, 2, 4])
      >>> len(figures.bound_curve(s, np.array([-0.5, -0.4, -0.38])).axes)
      1
    """
    num_samples, bound = style.check_series(num_samples=num_samples, bound=bound)
    style.check_series(
        num_samples=num_samples,
        standard_error=standard_error,
        effective_samples=effective_samples,
    )
    count = 1 if effective_samples is None else 2
    with style.panels(figure, count, row_cm=5.2) as (fig, axes):
        axes[0].plot(num_samples, bound, "o-", color=style.BLUE)
        if standard_error is not None:
            error = np.asarray(standard_error, np.float64)
            axes[0].fill_between(
                *(num_samples, bound - error, bound + error),
                color=style.BLUE,
                alpha=0.2,
                lw=0,
                label="standard error",
            )
            axes[0].legend(loc="lower right")
        title = style.with_counts("Bound on log p(y | x)", examples=num_examples)
        style.label_axes(axes[0], "Noise samples S", "L(S) (nats)", title)
        if effective_samples is not None:
            right = axes[1]
            right.plot(num_samples, effective_samples, "o-", color=style.BLUE)
            right.plot(
                num_samples, num_samples, ":", color="0.5", label="equal weights"
            )
            right.set_yscale("log", base=2)
            right.yaxis.set_major_formatter("{x:g}")
            right.legend(loc="upper left")
            title = "Effective samples\n1 / Σ w²"
            style.label_axes(right, "Noise samples S", "", title)
        for ax in axes:
            ax.set_xscale("log", base=2)
            ax.xaxis.set_major_formatter("{x:g}")
        return fig


def acceleration(
    *, frequency: float = 10_000.0, periods: int = 4, figure: style.Canvas | None = None
) -> Figure:
    """Draw g(x) = (xK - ⌊xK⌋ - 0.5) / K  (Hahn and Choi 2018, eq. 7, figure 4).

    Args:
      frequency: frequency K of g.
      periods: number of periods of g, centred at 0.
      figure: figure or subfigure to draw on. The default is a new figure.

    Returns:
      The figure, with dotted lines at the steps of g.

    Raises:
      ValueError: `frequency` is not positive, or `periods` is below 1.

    Example:
      >>> from noisejax import figures
      >>> len(figures.acceleration(frequency=100.0).axes)
      1
    """
    if not frequency > 0 or periods < 1:
        raise ValueError(
            "g needs a frequency above 0 and at least 1 period, got "
            f"frequency={frequency}, periods={periods}"
        )
    first = -(periods // 2)
    steps = np.arange(first, first + periods + 1) / frequency
    with style.panels(figure) as (fig, [ax]):
        half = 0.5 / frequency
        for left, right in zip(steps, steps[1:], strict=False):
            ax.plot([left, right], [-half, half], color=style.ORANGE)
        for step in steps[1:-1]:
            ax.plot([step, step], [half, -half], ":", color=style.ORANGE, lw=0.8)
        ax.ticklabel_format(style="sci", scilimits=(0, 0))
        title = f"Gradient acceleration: K = {frequency:,g}, slope 1"
        style.label_axes(ax, "x", "g(x)", title)
        return fig


def shapes(
    curves: Mapping[str, Mapping[str, Points]],
    *,
    xlabel: str = "Pre-activation",
    ylabel: str = "",
    figure: style.Canvas | None = None,
) -> Figure:
    """Draw functions, such as slopes and shape functions (Hahn and Choi, figure 5).

    Args:
      curves: title of a panel -> label of a curve -> (x, y).
      xlabel: label of x.
      ylabel: label of y. The default is the label of the curves if all have the same
        label, and "Value" otherwise.
      figure: figure or subfigure to draw on. The default is a new figure.

    Returns:
      The figure, with one panel per title.

    Raises:
      ValueError: there is nothing to draw, or lengths differ.

    Example:
      >>> import numpy as np
      >>> from noisejax import figures
      >>> x = np.linspace(-4, 4, 9)
      >>> len(figures.shapes({"tanh": {"shape s": (x, np.exp(-np.abs(x)))}}).axes)
      1
    """
    style.check_some(curves, "panels")
    labels = style.keys_of(curves.values())
    with style.panels(figure, len(curves), row_cm=5.0) as (fig, axes):
        for ax, (title, by_label) in zip(axes, curves.items(), strict=True):
            colours = style.colours_of(by_label)
            for i, (label, (x, y)) in enumerate(by_label.items()):
                x, y = style.check_series(x=x, y=y)
                ax.plot(x, y, style.DASHES[i % 4], color=colours[i], label=label)
            alone = labels[0] if len(labels) == 1 else "Value"
            style.label_axes(ax, xlabel, ylabel or alone, title)
        if len(labels) > 1:
            style.shared_legend(fig)
        return fig

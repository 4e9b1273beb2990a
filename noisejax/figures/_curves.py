"""Curves: training, the bound, activations and their shapes."""

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
"""Run -> split -> values per seed and epoch, NaN if there is none."""

Points = tuple[Float[np.ndarray, " points"], Float[np.ndarray, " points"]]
"""x and y of a curve."""


def training_curves(
    errors: Curves,
    *,
    losses: Curves | None = None,
    ylabel: str = "Error (%)",
    title: str = "",
    figure: style.Canvas | None = None,
) -> Figure:
    """Draw errors, and losses, against epochs (Ba et al. 2014, figure 1, left).

    Args:
      errors: run, such as "dropout" -> split -> errors in percent, [seeds, epochs],
        from epoch 1 on. Training errors are those under noise.
      losses: losses in nats, in the same form, for a second panel; None: no panel.
      ylabel: words for the values of the first panel.
      title: title of the first panel.
      figure: figure or part of a page to draw in; None: a new one.

    Returns:
      The figure; bands are standard errors over seeds.

    Raises:
      ValueError: there is no run or no split, or values are not [seeds, epochs].

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
        style.legend_below(fig, _legend(errors), columns=3)
        return fig


def _check(curves: Curves) -> None:
    style.check_some(curves, "runs")
    for run, by_split in curves.items():
        style.check_some(by_split, f"the splits of {run}")
        for split, values in by_split.items():
            shape = np.shape(values)
            if len(shape) != 2 or 0 in shape:
                raise ValueError(
                    f"{run}, {split}: a curve is [seeds, epochs], got shape {shape}"
                )


def _spans_much(curves: Curves) -> bool:
    """Return True if values are positive and differ by more than a factor of 5."""
    values = np.concatenate(
        [np.ravel(v) for by in curves.values() for v in by.values()]
    )
    values = values[np.isfinite(values)]
    return bool(len(values) and values.min() > 0 and values.max() > 5 * values.min())


def _legend(curves: Curves) -> list[Line2D | Patch]:
    """Return handles: a colour per run, a dash pattern per split, and the band."""
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
    """Draw L(S) against S, and the effective samples (Noh et al. 2017, eq. 4).

    Args:
      num_samples: numbers of noise samples S.
      bound: L(S), mean over examples.
      standard_error: standard error of L(S) over examples, drawn as a band.
      effective_samples: 1 / Σ w² at each S, in a second panel; None: no panel.
      num_examples: number of examples, for the title.
      figure: figure or part of a page to draw in; None: a new one.

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
      frequency: K.
      periods: number of periods of g, around 0.
      figure: figure or part of a page to draw in; None: a new one.

    Returns:
      The figure; dotted where g steps.

    Raises:
      ValueError: the frequency is not above 0, or there are fewer than 1 period.

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
      curves: title, such as "tanh" -> label, such as "shape s" -> (x, y).
      xlabel: words for x.
      ylabel: words for y; "": the label, if a panel has one curve.
      figure: figure or part of a page to draw in; None: a new one.

    Returns:
      The figure, a panel per title.

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
            style.legend_below(fig)
        return fig

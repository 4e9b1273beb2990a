"""The bound against the number of noise samples (Noh et al. 2017, eqs. 4 and 6)."""

import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure

from noisejax.figures._check import check_series
from noisejax.figures._style import BLUE, Canvas, canvas, label_axes


def bound_curve(
    num_samples: Int[np.ndarray, " points"],
    bound: Float[np.ndarray, " points"],
    *,
    standard_error: Float[np.ndarray, " points"] | None = None,
    effective_samples: Float[np.ndarray, " points"] | None = None,
    num_examples: int | None = None,
    figure: Canvas | None = None,
) -> Figure:
    """Draws L(S) against S, and the effective samples (Noh et al. 2017, eq. 4).

    Args:
      num_samples: S.
      bound: L(S), the mean over examples.
      standard_error: of it, over examples: a band.
      effective_samples: 1 / Σ w² at each S, in a panel of its own; None: no panel.
      num_examples: named in the title.
      figure: to draw in; None: a new one.

    Returns:
      The figure.

    Raises:
      ValueError: arrays that are empty, or of different length.

    Example:
      >>> import numpy as np
      >>> from noisejax import figures
      >>> s = np.array([1, 2, 4])
      >>> len(figures.bound_curve(s, np.array([-0.5, -0.4, -0.38])).axes)
      1
    """
    num_samples, bound = check_series(num_samples=num_samples, bound=bound)
    check_series(
        num_samples=num_samples,
        standard_error=standard_error,
        effective_samples=effective_samples,
    )
    panels = 1 if effective_samples is None else 2
    with canvas(figure, 1, panels, height_cm=4.8) as (fig, axes):
        ax = axes[0, 0]
        ax.plot(num_samples, bound, "o-", color=BLUE)
        if standard_error is not None:
            error = np.asarray(standard_error)
            ax.fill_between(
                num_samples, bound - error, bound + error, color=BLUE, alpha=0.2, lw=0
            )
        title = "" if num_examples is None else f"n = {num_examples} examples"
        label_axes(ax, "noise samples S", "bound L(S) (nats)", title)
        if effective_samples is not None:
            right = axes[0, 1]
            right.plot(num_samples, effective_samples, "o-", color=BLUE)
            right.plot(
                num_samples, num_samples, ":", color="0.5", label="equal weights"
            )
            right.set_yscale("log", base=2)
            right.yaxis.set_major_formatter("{x:g}")
            right.legend(loc="upper left")
            label_axes(right, "noise samples S", "effective samples")
        for ax in axes[0]:
            ax.set_xscale("log", base=2)
            ax.xaxis.set_major_formatter("{x:g}")
        return fig

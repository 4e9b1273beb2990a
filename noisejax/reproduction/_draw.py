"""An experiment's figure, drawn from what is saved."""

from collections.abc import Callable, Sequence

from matplotlib.figure import Figure

from noisejax import figures
from noisejax.experiments import Experiment
from noisejax.reproduction._error_figures import ERROR_FIGURES, beside_paper
from noisejax.reproduction._folder import ExperimentFolder
from noisejax.reproduction._measured_figures import MEASURED_FIGURES
from noisejax.reproduction._results import Result
from noisejax.reproduction._saved import Saved

FIGURES: dict[str, Callable[[Saved], Figure]] = {**ERROR_FIGURES, **MEASURED_FIGURES}
"""Experiment -> how its figure is drawn; others: paper and ours, row by row."""


def draw_figure(
    folder: ExperimentFolder, experiment: Experiment, results: Sequence[Result]
) -> None:
    """Draws the figure of an experiment, as PNG and PDF.

    Args:
      folder: of the experiment, with its arrays.
      experiment: that it holds.
      results: so far; at least one.

    Raises:
      ValueError: an array file is damaged.
    """
    draw = FIGURES.get(experiment.name, beside_paper)
    figure = draw(Saved(folder, experiment, results))
    figures.save(figure, folder.figure_path(experiment.name))

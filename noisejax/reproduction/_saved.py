"""What an experiment has kept, as its figure needs it."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from noisejax.experiments import Experiment, Row
from noisejax.reproduction._folder import ExperimentFolder
from noisejax.reproduction._measured import read_arrays
from noisejax.reproduction._results import Result

SHORT = {
    "base": "base model",
    "dropout": "dropout",
    "gaaf": "GAAF",
    "base_doubled_rate": "doubled rate",
    "projected": "back-projection",
    "none": "no noise",
}
"""Names of methods in the figures."""


@dataclasses.dataclass(frozen=True)
class Saved:
    """Results and arrays of an experiment: all that its figure is drawn from.

    Attributes:
      folder: of the experiment.
      experiment: that it holds.
      results: so far.
    """

    folder: ExperimentFolder
    experiment: Experiment
    results: Sequence[Result]

    @property
    def rows(self) -> list[Row]:
        """The rows that have results, in the order of the table."""
        done = {result["row"] for result in self.results}
        return [row for row in self.experiment.rows if row.name in done]

    def numbers(self, row: Row, metric: str) -> list[float]:
        """A row's finite numbers, one per seed."""
        values = [
            result["numbers"].get(metric)
            for result in self.results
            if result["row"] == row.name
        ]
        return [v for v in values if v is not None and not isinstance(v, str)]

    def arrays(self, row: Row) -> list[dict[str, np.ndarray]]:
        """What was measured, seed by seed."""
        seeds = [result["seed"] for result in self.results if result["row"] == row.name]
        return [read_arrays(self.folder.arrays_path(row.name, seed)) for seed in seeds]

    def summed(self, row: Row, field: str) -> dict[str, np.ndarray]:
        """Layer -> the arrays "field/layer" of all seeds, summed."""
        totals: dict[str, np.ndarray] = {}
        for arrays in self.arrays(row):
            for layer, values in by_layer(arrays, field).items():
                totals[layer] = totals[layer] + values if layer in totals else values
        return totals


def by_layer(arrays: Mapping[str, np.ndarray], field: str) -> dict[str, np.ndarray]:
    """Layer -> array, of the arrays that are called "field/layer"."""
    prefix = f"{field}/"
    return {
        name.removeprefix(prefix): values
        for name, values in arrays.items()
        if name.startswith(prefix)
    }


def name_of(row: Row, factor: str = "method") -> str:
    """What a row is called in a figure: its method, in the words of all figures."""
    name = str(row.factors.get(factor, row.name))
    return SHORT.get(name, name.replace("_", " "))

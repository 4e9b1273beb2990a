"""Recorded results and arrays of an experiment: all that its figure is drawn from."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from noisejax.experiments import Experiment, Row
from noisejax.reproduce._folder import ExperimentFolder
from noisejax.reproduce._results import Result
from noisejax.reproduce._words import row_title

SUMMED = ("histogram", "counts", "below", "above")
"""Arrays that are added up over seeds; of others the first seed is drawn."""


@dataclasses.dataclass(frozen=True)
class Saved:
    """Recorded results and arrays of an experiment.

    Attributes:
      experiment: experiment.
      results: results of whole rows.
      folder: directory of the experiment, for its arrays; None: there are none.
    """

    experiment: Experiment
    results: Sequence[Result]
    folder: ExperimentFolder | None = None

    @property
    def rows(self) -> list[Row]:
        """Rows with results, in the order of the table."""
        done = {result["row"] for result in self.results}
        return [row for row in self.experiment.rows if row.name in done]

    def numbers(self, row: Row, metric: str) -> list[float]:
        """Returns a row's finite numbers, one per seed."""
        values = [
            result["numbers"].get(metric)
            for result in self.results
            if result["row"] == row.name
        ]
        return [v for v in values if v is not None and not isinstance(v, str)]

    def arrays(self, row: Row) -> list[dict[str, np.ndarray]]:
        """Returns the arrays of a row, seed by seed."""
        if self.folder is None:
            return []
        seeds = [result["seed"] for result in self.results if result["row"] == row.name]
        found = [self.folder.read_arrays(row.name, seed) for seed in seeds]
        return [arrays for arrays in found if arrays]

    @property
    def networks(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Row in words -> its layers, of the rows with arrays."""
        found = {row_title(row): self.layers(row) for row in self.rows}
        return {label: layers for label, layers in found.items() if layers}

    def layers(self, row: Row) -> dict[str, dict[str, Any]]:
        """Returns layer -> name -> array, of the arrays "name/layer"."""
        layers: dict[str, dict[str, Any]] = {}
        for i, arrays in enumerate(self.arrays(row)):
            for key, values in arrays.items():
                name, _, layer = key.partition("/")
                fields = layers.setdefault(layer, {})
                if i and name in SUMMED:
                    values = fields[name] + values
                fields[name] = values if name in SUMMED else fields.get(name, values)
        return layers

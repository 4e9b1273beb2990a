"""Experiments as data: rows of configurations beside the numbers that a paper prints.

Nothing here trains, measures or draws.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Literal, TypeAlias

from noisejax.experiments._claims import Claim
from noisejax.experiments._scales import Overrides, Scale, Value

Kind: TypeAlias = Literal["computed", "trained", "measured"]
"""Kind of an experiment. "computed": numbers from formulas and draws, no network.
"trained": each row is a training run, and its numbers come from the run's summary.
"measured": each row is a training run, and its network is measured afterwards."""


@dataclasses.dataclass(frozen=True)
class Printed:
    """A number as a paper prints it.

    Attributes:
      value: printed number, or printed text.
      deviation: printed standard deviation, if any.
      note: remark, such as another value in the paper's text.
    """

    value: float | str
    deviation: float | None = None
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a table, or a point of a figure.

    Attributes:
      name: identifier for `--only`.
      label: row heading of the paper's table.
      overrides: fields that differ from the experiment's configuration.
      printed: metric -> number in the paper; empty if the paper only draws a curve.
      factors: position in a design or a figure: axis -> level.
      epochs_factor: multiple of the scale's epochs.
      round_epochs: epochs per round of training; epochs are rounded up to whole rounds.
      differs: differences from the paper's run at every scale.
      ours: True for a row that the paper does not have.
      cited: True for a row that the paper cites from elsewhere; it is not run.
      may_fail: True if a training that diverges is a result.
    """

    name: str
    label: str
    overrides: Overrides = dataclasses.field(default_factory=dict)
    printed: Mapping[str, Printed] = dataclasses.field(default_factory=dict)
    factors: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    epochs_factor: int = 1
    round_epochs: int = 1
    differs: tuple[str, ...] = ()
    ours: bool = False
    cited: bool = False
    may_fail: bool = False


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A table or figure of a paper, and its reproduction.

    Attributes:
      name: identifier for `--experiment`.
      title: title of the table, one line.
      paper: authors and year.
      place: number in the paper, such as "table 2".
      kind: "computed", "trained" or "measured".
      base: configuration fields that all rows share.
      rows: rows of the table, or points of the figure.
      scales: "smoke", "short" and "paper", each with its size.
      metrics: reported metrics, in the order of the columns.
      decimals: metric -> decimals that the paper prints, if a trailing 0 would be lost.
      drawn: metrics that the paper draws and does not print; a name without its layer
        stands for all layers.
      measurements: names of the measurements on each network, or of the computation.
      design: crossed factors whose effects are estimated.
      figure: caption of the figure; "": the paper's numbers and ours, row by row.
      protocol: settings that the paper prints.
      ours: settings that the paper leaves open and that we chose.
      inconsistencies: contradictions within the paper.
      claims: statements of the paper, each with its test.
    """

    name: str
    title: str
    paper: str
    place: str
    kind: Kind
    rows: tuple[Row, ...]
    scales: Mapping[str, Scale]
    metrics: tuple[str, ...]
    decimals: Mapping[str, int] = dataclasses.field(default_factory=dict)
    drawn: tuple[str, ...] = ()
    base: Overrides = dataclasses.field(default_factory=dict)
    measurements: tuple[str, ...] = ()
    design: tuple[str, ...] = ()
    figure: str = ""
    protocol: tuple[str, ...] = ()
    ours: tuple[str, ...] = ()
    inconsistencies: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()

    def rows_at(self, scale: str) -> tuple[Row, ...]:
        """Return the rows that are run at a scale."""
        wanted = self.scales[scale].rows
        return tuple(
            row
            for row in self.rows
            if not row.cited and (not wanted or row.name in wanted)
        )

    def overrides(self, row: Row, scale: str) -> dict[str, Value]:
        """Return the configuration of a row at a scale, as overrides of the defaults.

        The scale overrides the row, and the row overrides the experiment. Then widths
        are scaled and epochs multiplied.

        Args:
          row: row of this experiment.
          scale: name of a scale.

        Returns:
          "section.field" -> value.
        """
        chosen = self.scales[scale]
        values = {**self.base, **row.overrides, **chosen.overrides}
        if "model.widths" in values:
            values["model.widths"] = tuple(
                max(2, round(chosen.width_factor * width))
                for width in values["model.widths"]
            )
        if "model.width_factor" in values:
            values["model.width_factor"] *= chosen.width_factor
        if "training.epochs" in values:
            values["training.epochs"] *= row.epochs_factor
        for field in ("training.epochs", "training.retrain_epochs"):
            if field in values:
                rounds = math.ceil(values[field] / row.round_epochs)
                values[field] = rounds * row.round_epochs
        values["training.num_seeds"] = chosen.num_seeds
        return values

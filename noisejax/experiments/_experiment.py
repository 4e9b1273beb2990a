"""Experiments as data: rows of configurations with the numbers that a paper prints."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Literal, TypeAlias

from noisejax.experiments._claims import Claim
from noisejax.experiments._scales import Overrides, Scale, Value

Kind: TypeAlias = Literal["computed", "trained", "measured"]
"""Kind of an experiment.

"computed": numbers follow from formulas and drawn masks, without a network.
"trained": each row is a training run; its numbers are in the summary of the run.
"measured": each row is a training run; the trained network is then measured.
"""


@dataclasses.dataclass(frozen=True)
class Printed:
    """Number as a paper prints it.

    Attributes:
      value: printed number or text.
      deviation: printed standard deviation, if any.
      note: remark, such as a different value in the text of the paper.
    """

    value: float | str
    deviation: float | None = None
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Row:
    """Row of a table, or point of a figure.

    Attributes:
      name: identifier for `--only`.
      label: heading of the row, as in the paper.
      overrides: fields that differ from the configuration of the experiment.
      printed: metric -> number in the paper; empty if the paper prints no number.
      factors: axis -> level of the row in a design or a figure.
      epochs_factor: factor on the epochs of the scale.
      round_epochs: epochs per round; epochs are rounded up to whole rounds.
      differs: differences from the paper at every scale.
      ours: True if the row is not in the paper.
      cited: True if the paper cites the row from another paper; the row is not run.
      may_fail: True if divergence of the training is a valid result.
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
    """Table or figure of a paper, and its reproduction.

    Attributes:
      name: identifier for `--experiment`.
      title: title of the table, one line.
      paper: authors and year.
      place: table or figure in the paper, such as "table 2".
      kind: "computed", "trained" or "measured".
      base: configuration fields that all rows share.
      rows: rows of the table, or points of the figure.
      scales: "smoke", "short" and "paper", each with its size.
      metrics: reported metrics, in the order of the columns.
      decimals: metric -> number of printed decimals, for numbers that end in 0.
      drawn: metrics that the paper shows in a figure without printing them; a name
        without a layer means all layers.
      measurements: names of the measurements of each network, or of the computation.
      design: crossed factors whose effects are estimated.
      figure: caption of the figure; "" to plot our numbers next to those of the paper.
      protocol: settings that the paper prints.
      ours: settings that we chose because the paper does not print them.
      inconsistencies: contradictions within the paper.
      claims: statements of the paper with their tests.
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
        """Return the rows that run at a scale."""
        wanted = self.scales[scale].rows
        return tuple(
            row
            for row in self.rows
            if not row.cited and (not wanted or row.name in wanted)
        )

    def overrides(self, row: Row, scale: str) -> dict[str, Value]:
        """Return the configuration of a row at a scale, as overrides of the defaults.

        Settings of the scale override those of the row, which override those of the
        experiment. Widths and epochs are then multiplied by their factors.

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

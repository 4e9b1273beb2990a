"""What an experiment is: rows of configurations beside the numbers that a paper prints.

Data only: nothing here trains, measures or draws.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Literal, TypeAlias

Value: TypeAlias = bool | int | float | str | tuple
Overrides: TypeAlias = Mapping[str, Value]
"""Fields of the configuration, "section.field" -> value."""

Kind: TypeAlias = Literal["computed", "trained", "measured"]
"""Computed: from formulas and draws, no network. Trained: each row is a training run,
judged by its summary. Measured: each row is a training run on whose network the
experiment's measurements are then made."""

SCALES = ("smoke", "short", "paper")


@dataclasses.dataclass(frozen=True)
class Printed:
    """A number as a paper prints it.

    Attributes:
      value: the number; text where a table holds none.
      deviation: its standard deviation where one is printed.
      note: what stands against it, such as another value in the text.
    """

    value: float | str
    deviation: float | None = None
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Contrast:
    """A weighted sum of rows' numbers, and its range if a claim is true.

    Attributes:
      terms: (weight, row, metric), summed within each seed. A tuple of rows stands for
        the one with the lowest mean validation error.
      low: lower bound of the sum.
      high: upper bound of the sum.
    """

    terms: tuple[tuple[float, str | tuple[str, ...], str], ...]
    low: float = -math.inf
    high: float = math.inf


@dataclasses.dataclass(frozen=True)
class Claim:
    """What a paper says, and how its truth would show in the numbers.

    Attributes:
      text: a sentence.
      contrasts: all of which lie where the claim has them.
      settled: verdict of a claim without contrasts; "": no number judges it.
      untestable: scale -> reason why the claim cannot be tested at that scale.
    """

    text: str
    contrasts: tuple[Contrast, ...] = ()
    settled: str = ""
    untestable: Mapping[str, str] = dataclasses.field(default_factory=dict)


def difference(
    row: str | tuple[str, ...],
    other: str | tuple[str, ...],
    metric: str,
    *,
    low: float = -math.inf,
    high: float = math.inf,
) -> Contrast:
    """A row's number minus another row's."""
    return Contrast(((1.0, row, metric), (-1.0, other, metric)), low, high)


def level(
    row: str, metric: str, *, low: float = -math.inf, high: float = math.inf
) -> Contrast:
    """A row's number alone."""
    return Contrast(((1.0, row, metric),), low, high)


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a table, or a point of a figure.

    Attributes:
      name: by which it is asked for.
      label: as the paper's table has it.
      overrides: of the experiment's configuration.
      printed: metric -> the paper's number; none where the paper only draws a curve.
      factors: where the row stands in a design or a figure: axis -> level.
      epochs_factor: multiple of the scale's epochs.
      round_epochs: epochs per round of training; epochs are rounded up to whole rounds.
      differs: how this run differs from the paper's at every scale.
      ours: a row that the paper does not have.
      cited: a row that the paper takes from another one and that is not run.
      may_fail: that its training cannot go on is a result, too.
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
class Scale:
    """How much of an experiment is done.

    Attributes:
      changes: what differs from the paper's protocol, a sentence each.
      cost: time and device; an estimate unless it says measured.
      overrides: of every row's configuration.
      width_factor: times as many units in every layer.
      num_seeds: runs per row.
      rows: names of the rows that are run; (): all.
      generated: on generated data of the real data's shape.
      draws: of masks, where the experiment draws some without a network.
    """

    changes: tuple[str, ...]
    cost: str
    overrides: Overrides = dataclasses.field(default_factory=dict)
    width_factor: float = 1.0
    num_seeds: int = 1
    rows: tuple[str, ...] = ()
    generated: bool = False
    draws: int = 0


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A table or figure of a paper, as it is done again.

    Attributes:
      name: by which `reproduce` knows it.
      title: one line.
      paper: authors and year.
      place: in the paper, such as "table 2".
      kind: what is done with its rows.
      base: the configuration that all rows share, as far as it is not the default.
      rows: of the table, or points of the figure.
      scales: "smoke", "short", "paper".
      metrics: what is reported, in the order of the columns.
      decimals: metric -> how many the paper prints, where a number would lose a 0.
      drawn: metrics that the paper draws and does not print; all layers of one, if it
        stands without.
      measurements: on each trained network ("measured"), or what is computed.
      design: factors that are crossed in the rows, of which effects are estimated.
      figure: what the figure shows; "": paper and ours, row by row.
      protocol: what the paper prints of how it was done.
      ours: settings that the paper leaves open and we chose.
      inconsistencies: of the paper with itself, which its numbers inherit.
      claims: of the paper, that the experiment touches, each with its test.
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
        """The rows that are run at a scale."""
        wanted = self.scales[scale].rows
        return tuple(
            row
            for row in self.rows
            if not row.cited and (not wanted or row.name in wanted)
        )

    def overrides(self, row: Row, scale: str) -> dict[str, Value]:
        """The configuration of a row at a scale, as overrides of the defaults.

        The experiment's come first, then the row's, then the scale's; then widths are
        scaled and epochs multiplied.

        Args:
          row: one of `rows`.
          scale: one of `SCALES`.

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

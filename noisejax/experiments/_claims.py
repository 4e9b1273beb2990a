"""Claims of a paper, and the contrasts between rows that test them."""

import dataclasses
import math
from collections.abc import Mapping
from typing import TypeAlias

Rows: TypeAlias = str | tuple[str, ...]
"""Name of a row, or names of rows of which the best by validation error is used."""

ERROR = "test_error_percent"


@dataclasses.dataclass(frozen=True)
class Contrast:
    """Weighted sum of numbers of rows, with the range in which a claim is true.

    Attributes:
      terms: (weight, row, metric) of each summand; sums are taken within a seed. If a
        term names several rows, the one with the lowest mean validation error is used.
      low: lower bound of the sum.
      high: upper bound of the sum.
      sides: names of the minuend and the subtrahend, if the sum is a difference of
        means over several rows.
    """

    terms: tuple[tuple[float, Rows, str], ...]
    low: float = -math.inf
    high: float = math.inf
    sides: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Claim:
    """Statement of a paper, with the contrasts that test it.

    Attributes:
      text: statement, one sentence.
      contrasts: weighted sums, all of which are in their range if the claim is true.
      settled: verdict of a claim without contrasts; "" if no number tests the claim.
      untestable: scale -> reason why the claim cannot be tested at that scale.
    """

    text: str
    contrasts: tuple[Contrast, ...] = ()
    settled: str = ""
    untestable: Mapping[str, str] = dataclasses.field(default_factory=dict)


def difference(
    row: Rows,
    other: Rows,
    metric: str,
    other_metric: str | None = None,
    *,
    times: float = 1.0,
    **bounds: float,
) -> Contrast:
    """Return "the number of a row minus a multiple of that of another row"."""
    terms = ((1.0, row, metric), (-times, other, other_metric or metric))
    return Contrast(terms, **bounds)


def better(row: Rows, other: Rows) -> Contrast:
    """Return the contrast "the test error of a row is below that of another row"."""
    return difference(row, other, ERROR, high=0.0)


def similar(row: Rows, other: Rows, metric: str, margin: float) -> Contrast:
    """Return the contrast "the numbers of two rows differ by less than a margin"."""
    return difference(row, other, metric, low=-margin, high=margin)


def level(row: str, metric: str, **bounds: float) -> Contrast:
    """Return the number of a single row as a contrast."""
    return Contrast(((1.0, row, metric),), **bounds)

"""Claims of a paper, and the contrasts of rows' numbers that test them."""

import dataclasses
import math
from collections.abc import Mapping
from typing import TypeAlias

Rows: TypeAlias = str | tuple[str, ...]
"""A row, or several, which stand for the one with the lowest validation error."""

ERROR = "test_error_percent"


@dataclasses.dataclass(frozen=True)
class Contrast:
    """A weighted sum of rows' numbers, and its range if a claim is true.

    Attributes:
      terms: (weight, row, metric), summed within each seed. A tuple of rows stands for
        the one with the lowest mean validation error.
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
    """A statement of a paper, and the contrasts that test it.

    Attributes:
      text: statement, one sentence.
      contrasts: sums of numbers that all lie in their range if the claim is true.
      settled: verdict of a claim without contrasts; "": no number judges it.
      untestable: scale -> reason why the claim cannot be tested at that scale.
    """

    text: str
    contrasts: tuple[Contrast, ...] = ()
    settled: str = ""
    untestable: Mapping[str, str] = dataclasses.field(default_factory=dict)


def difference(row: Rows, other: Rows, metric: str, **bounds: float) -> Contrast:
    """Return the contrast "a row's number minus another row's"."""
    return Contrast(((1.0, row, metric), (-1.0, other, metric)), **bounds)


def better(row: Rows, other: Rows) -> Contrast:
    """Return the contrast "a row's test error is lower than another row's"."""
    return difference(row, other, ERROR, high=0.0)


def similar(row: Rows, other: Rows, metric: str, margin: float) -> Contrast:
    """Return the contrast "two rows' numbers differ by less than a margin"."""
    return difference(row, other, metric, low=-margin, high=margin)


def level(row: str, metric: str, **bounds: float) -> Contrast:
    """Return the contrast of a single row's number."""
    return Contrast(((1.0, row, metric),), **bounds)

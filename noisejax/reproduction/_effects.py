"""Main effects and interactions of a crossed design, with their standard errors."""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np

from noisejax.experiments import Row
from noisejax.reproduction._results import Result
from noisejax.reproduction._verdicts import ROUNDING, interval, numbers_of


@dataclasses.dataclass(frozen=True)
class Effect:
    """A main effect, or an interaction of two.

    Attributes:
      name: such as "shift" or "shift x gaaf".
      value: the mean over seeds.
      standard_error: over seeds; NaN for one.
      low: lower end of the 95 % interval.
      high: upper end.
      num_seeds: n.
    """

    name: str
    value: float
    standard_error: float
    low: float
    high: float
    num_seeds: int


@dataclasses.dataclass(frozen=True)
class Axis:
    """Two levels that are compared: the first is the baseline."""

    name: str
    factor: str
    levels: tuple[object, object]


def effects(
    rows: Sequence[Row], factors: Sequence[str], results: Sequence[Result], metric: str
) -> list[Effect]:
    """The effects of a crossed design on a metric.

    A main effect is the mean difference between two levels over all other cells, an
    interaction of two half the difference of an effect between the other's levels. A
    factor of more levels is compared with its first, level by level; other levels then
    stay out. Differences are taken within a seed.

    Args:
      rows: of the experiment; those that have all factors are its cells.
      factors: of the design.
      results: of the rows.
      metric: that is compared.

    Returns:
      The main effects, then the interactions; none where a cell has not been run.
    """
    cells = {
        tuple(row.factors[f] for f in factors): row.name
        for row in rows
        if set(factors) <= set(row.factors)
    }
    numbers = numbers_of(results)
    by_cell = {cell: numbers.get((name, metric), {}) for cell, name in cells.items()}
    seeds = sorted(set.intersection(*(set(found) for found in by_cell.values())))
    if not seeds:
        return []
    axes = [axis for i, f in enumerate(factors) for axis in _axes(f, cells, i)]
    pairs = [(a, b) for a, b in itertools.combinations(axes, 2) if a.factor != b.factor]
    return [
        _effect(chosen, factors, by_cell, seeds)
        for chosen in [*((axis,) for axis in axes), *pairs]
    ]


def _axes(factor: str, cells: Mapping[tuple, str], i: int) -> list[Axis]:
    levels = list(dict.fromkeys(cell[i] for cell in cells))
    first = levels[0]
    named = len(levels) > 2
    return [
        Axis(f"{factor} {level}" if named else factor, factor, (first, level))
        for level in levels[1:]
    ]


def _effect(
    axes: tuple[Axis, ...],
    factors: Sequence[str],
    by_cell: Mapping[tuple, Mapping[int, float]],
    seeds: Sequence[int],
) -> Effect:
    signs = {}
    for cell in by_cell:
        levels = dict(zip(factors, cell, strict=True))
        if all(levels[axis.factor] in axis.levels for axis in axes):
            signs[cell] = math.prod(
                1 if levels[axis.factor] == axis.levels[1] else -1 for axis in axes
            )
    values = [
        sum(sign * by_cell[cell][seed] for cell, sign in signs.items())
        / (len(signs) / 2)
        for seed in seeds
    ]
    largest = max(
        abs(number) for found in by_cell.values() for number in found.values()
    )
    low, high = interval(values, rounding=ROUNDING * largest)
    n = len(seeds)
    error = float(np.std(values, ddof=1)) / math.sqrt(n) if n > 1 else math.nan
    name = " x ".join(axis.name for axis in axes)
    return Effect(name, float(np.mean(values)), error, low, high, n)

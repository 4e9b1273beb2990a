"""Whether a paper's claims hold in what came out: a sentence each."""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from scipy import special

from noisejax.experiments import Claim, Contrast
from noisejax.reproduction._results import Result

CONFIDENCE = 0.95

CHOSEN_BY = "validation_error_percent"
"""Metric by which one of several rows is chosen."""

ROUNDING = 1e-6
"""Of numbers: a spread over seeds that is not wider tells nothing of their law."""

Numbers = Mapping[tuple[str, str], Mapping[int, float]]
"""(row, metric) -> seed -> number."""


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A contrast as it came out.

    Attributes:
      value: the mean over seeds.
      low: lower end of the 95 % interval, by Student's law over seeds; -∞ for one seed,
        and where all seeds have the same value: then there is no spread to judge by.
      high: upper end.
      num_seeds: n.
    """

    value: float
    low: float
    high: float
    num_seeds: int


def numbers_of(results: Iterable[Result]) -> Numbers:
    """All finite numbers of some results."""
    numbers: dict[tuple[str, str], dict[int, float]] = {}
    for result in results:
        for metric, value in result["numbers"].items():
            if value is not None and not isinstance(value, str):
                by_seed = numbers.setdefault((result["row"], metric), {})
                by_seed[result["seed"]] = value
    return numbers


def choose_rows(contrast: Contrast, numbers: Numbers) -> Contrast | None:
    """Replace each tuple of rows by the row with the lowest mean validation error.

    Returns:
      The contrast of single rows; None if a tuple has no row with a validation error.
    """
    terms = []
    for weight, row, metric in contrast.terms:
        if not isinstance(row, str):
            means = {
                name: float(np.mean(list(numbers[name, CHOSEN_BY].values())))
                for name in row
                if numbers.get((name, CHOSEN_BY))
            }
            if not means:
                return None
            row = min(means, key=means.__getitem__)
        terms.append((weight, row, metric))
    return dataclasses.replace(contrast, terms=tuple(terms))


def estimate(
    contrast: Contrast, numbers: Numbers, *, exact: bool = False
) -> Estimate | None:
    """A contrast's mean and interval over the seeds that all its rows share.

    Args:
      contrast: of rows.
      numbers: that came out.
      exact: whether they are computed: then the interval is the value.

    Returns:
      The estimate; None where one of the rows has no number.
    """
    keys = [(row, metric) for _, row, metric in contrast.terms]
    seeds = sorted(set.intersection(*(set(numbers.get(key, ())) for key in keys)))
    if not seeds:
        return None
    values = [
        sum(
            weight * numbers[row, metric][seed]
            for weight, row, metric in contrast.terms
        )
        for seed in seeds
    ]
    magnitude = max(
        abs(weight * numbers[row, metric][seed])
        for weight, row, metric in contrast.terms
        for seed in seeds
    )
    low, high = interval(values, rounding=ROUNDING * magnitude)
    if exact:
        low, high = min(values), max(values)
    return Estimate(float(np.mean(values)), low, high, len(seeds))


def interval(values: Sequence[float], *, rounding: float = 0.0) -> tuple[float, float]:
    """The 95 % interval of a mean by Student's law; infinite without a spread.

    Args:
      values: one or more.
      rounding: values that are no further apart are the same.
    """
    n = len(values)
    if n < 2 or max(values) - min(values) <= rounding:
        return -math.inf, math.inf
    error = float(np.std(values, ddof=1)) / math.sqrt(n)
    half = float(special.stdtrit(n - 1, 0.5 + CONFIDENCE / 2)) * error
    mean = float(np.mean(values))
    return mean - half, mean + half


def verdict(claim: Claim, results: Sequence[Result], *, exact: bool = False) -> str:
    """One sentence: held, not held, or not resolved at this n, with its intervals."""
    if not claim.contrasts:
        return claim.settled or "Not judged by a number: see the figure."
    numbers = numbers_of(results)
    chosen = [choose_rows(contrast, numbers) for contrast in claim.contrasts]
    found = [(c, c and estimate(c, numbers, exact=exact)) for c in chosen]
    run = [(contrast, e) for contrast, e in found if e is not None]
    if not run and results and None in chosen:
        return "Not judged: no validation errors to choose the rows by."
    if not run:
        return "Not run."
    words = [judge(contrast, e) for contrast, e in run]
    ns = sorted({e.num_seeds for _, e in run})
    n = f"n = {ns[0]}" if len(ns) == 1 else f"n = {ns[0]} to {ns[-1]}"
    if "not held" in words:
        word = "Not held"
    elif "not resolved" in words:
        word = "Not resolved"
    else:
        word = "Held"
    if len(run) < len(found):
        word += f" in the {len(run)} of {len(found)} comparisons that were run"
    shown = "; ".join(
        f"{_describe(c)} = {_show(e, exact)}, {w}"
        for (c, e), w in zip(run, words, strict=True)
    )
    return f"{word} ({'exact' if exact else n}): {shown}."


def judge(contrast: Contrast, e: Estimate) -> str:
    """Bounds are no part of what is claimed: a difference of 0 is not "better"."""
    above = contrast.low == -math.inf or contrast.low < e.low
    below = contrast.high == math.inf or e.high < contrast.high
    if above and below:
        return "held"
    if e.high <= contrast.low or contrast.high <= e.low:
        return "not held"
    return "not resolved"


def _describe(contrast: Contrast) -> str:
    metrics = list(dict.fromkeys(metric for *_, metric in contrast.terms))
    if len(contrast.terms) > 4:
        ups, downs = (
            [row for weight, row, _ in contrast.terms if sign * weight > 0]
            for sign in (1, -1)
        )
        terms = f"mean of ({', '.join(ups)}) - mean of ({', '.join(downs)})"
        return f"{terms} of {metrics[0]}"
    terms = ""
    for weight, row, metric in contrast.terms:
        sign = "- " if weight < 0 else "+ "
        times = "" if abs(weight) == 1 else f"{abs(weight):g} "
        name = row if len(metrics) == 1 else f"{row}:{metric}"
        terms += f" {sign}{times}{name}"
    terms = terms.removeprefix(" + ").strip()
    return terms if len(metrics) > 1 else f"{terms} of {metrics[0]}"


def _show(e: Estimate, exact: bool) -> str:
    if exact:
        return f"{e.value:.4g}"
    if not math.isfinite(e.low):
        same = "one seed" if e.num_seeds < 2 else f"the same in all {e.num_seeds} seeds"
        return f"{e.value:.4g} ({same}: no interval)"
    return f"{e.value:.4g} [{e.low:.4g}, {e.high:.4g}]"

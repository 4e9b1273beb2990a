"""Judges claims of papers, and estimates effects of a crossed design."""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import special

from noisejax.experiments import Claim, Contrast, Row
from noisejax.reproduce._results import Numbers, Result, numbers_of
from noisejax.reproduce._words import (
    BETTER_IF_LOWER,
    FACTORS,
    UNITS,
    decimals_of,
    factor_words,
    metric_title,
    split_layer,
)

CONFIDENCE = 0.95

WORDS = ("not held", "not resolved", "held")
"""Verdicts on contrasts, worst first. The worst verdict is that of the claim."""

CHOSEN_BY = "validation_error_percent"
"""Metric by which the best of several rows is chosen."""

ROUNDING = 1e-6
"""Relative spread over seeds that counts as rounding, so there is no interval."""


@dataclasses.dataclass(frozen=True)
class Estimate:
    """Mean and 95 % confidence interval over seeds.

    The interval is infinite for one seed, and if all seeds have the same value.

    Attributes:
      value: mean over seeds.
      standard_error: standard error of the mean; NaN for one seed.
      low: lower end of the interval, by Student's t distribution.
      high: upper end of the interval.
      num_seeds: number of seeds n.
    """

    value: float
    standard_error: float
    low: float
    high: float
    num_seeds: int


def estimate(values: Sequence[float], *, magnitude: float = 0.0) -> Estimate:
    """Estimate a mean and its Student interval,  x̄ ± t(n - 1) s / √n.

    Args:
      values: one number per seed.
      magnitude: magnitude of the numbers whose differences are `values`. A spread below
        10⁻⁶ of it counts as rounding, and the interval is infinite.
    """
    n, mean = len(values), float(np.mean(values))
    if n < 2:
        return Estimate(mean, math.nan, -math.inf, math.inf, n)
    error = float(np.std(values, ddof=1)) / math.sqrt(n)
    if max(values) - min(values) <= ROUNDING * magnitude:
        return Estimate(mean, error, -math.inf, math.inf, n)
    half = float(special.stdtrit(n - 1, 0.5 + CONFIDENCE / 2)) * error
    return Estimate(mean, error, mean - half, mean + half, n)


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


def estimate_contrast(
    contrast: Contrast, numbers: Numbers, *, exact: bool = False
) -> Estimate | None:
    """Estimate a contrast over the seeds that all its rows share.

    Args:
      contrast: weighted sum of the rows' numbers, which is computed for each seed.
      numbers: numbers of the rows.
      exact: True if the numbers are exact, so that the interval is the value.

    Returns:
      The estimate; None if the rows have numbers for no common seed.
    """
    by_term = [
        (weight, numbers.get((row, metric), {}))
        for weight, row, metric in contrast.terms
    ]
    seeds = sorted(set.intersection(*(set(by_seed) for _, by_seed in by_term)))
    if not seeds:
        return None
    values = [sum(w * by_seed[seed] for w, by_seed in by_term) for seed in seeds]
    magnitude = max(abs(w * by[seed]) for w, by in by_term for seed in seeds)
    found = estimate(values, magnitude=magnitude)
    if exact:
        return dataclasses.replace(found, low=min(values), high=max(values))
    return found


def verdict(
    claim: Claim,
    results: Sequence[Result],
    *,
    scale: str = "",
    labels: Mapping[str, str] | None = None,
    exact: bool = False,
) -> str:
    """Return a sentence with the verdict on a claim and the intervals.

    Args:
      claim: claim of a paper.
      results: results of the rows.
      scale: scale of the results.
      labels: name of a row -> label. The default is the name.
      exact: True if the results are exact, because they are computed.
    """
    if scale in claim.untestable:
        return f"Not testable at this scale: {claim.untestable[scale]}."
    if not claim.contrasts:
        return claim.settled or "Not judged by a number: see the figure."
    judged, reason = judge_claim(claim, numbers_of(results), exact=exact)
    if not judged:
        return reason
    word = min((word for *_, word in judged), key=WORDS.index)
    total = len(claim.contrasts)
    if len(judged) < total:
        word += f" in the {len(judged)} of {total} comparisons that were run"
    ns = sorted({found.num_seeds for _, found, _ in judged})
    n = "exact" if exact else f"n = {ns[0]}"
    if ns[0] < ns[-1] and not exact:
        n += f" to {ns[-1]}"
    alone = len(judged) == total == 1
    shown = "; ".join(
        describe(contrast, found, labels or {}, exact=exact, alone=alone)
        + ("" if alone else f" ({w})")
        for contrast, found, w in judged
    )
    return f"{word[0].upper()}{word[1:]}: {shown}, {n}."


def judge_claim(
    claim: Claim, numbers: Numbers, *, exact: bool = False
) -> tuple[list[tuple[Contrast, Estimate, str]], str]:
    """Judge the contrasts of a claim for which there are results.

    Returns:
      A list of (contrast, estimate, word of `WORDS`), and the reason if it is empty.
    """
    judged = []
    chosen = [choose_rows(contrast, numbers) for contrast in claim.contrasts]
    for contrast in filter(None, chosen):
        found = estimate_contrast(contrast, numbers, exact=exact)
        if found is not None:
            judged.append((contrast, found, _judge(contrast, found)))
    if None in chosen and numbers:
        return judged, "Not judged: no validation errors to choose the rows by."
    return judged, "Not run."


def _judge(contrast: Contrast, found: Estimate) -> str:
    """Judge a contrast. Bounds are exclusive, so a difference of 0 is not better."""
    above = contrast.low == -math.inf or contrast.low < found.low
    below = contrast.high == math.inf or found.high < contrast.high
    if above and below:
        return "held"
    if found.high <= contrast.low or contrast.high <= found.low:
        return "not held"
    return "not resolved"


def describe(
    contrast: Contrast,
    found: Estimate,
    labels: Mapping[str, str],
    *,
    exact: bool,
    alone: bool = False,
) -> str:
    """Return "A 1.14 [1.04, 1.25] points better than B", or the number if `alone`."""
    metrics = list(dict.fromkeys(metric for *_, metric in contrast.terms))
    weights = [weight for weight, *_ in contrast.terms]
    rows = [labels.get(row, row) for _, row, _ in contrast.terms]
    if contrast.sides:
        weights, rows, metrics = [1.0, -1.0], list(contrast.sides), metrics[:1]
    if weights == [1.0] and len(metrics) == 1:
        text = " ".join(filter(None, _show(found, exact)))
        return text if alone else f"{metric_title(metrics[0])} of {rows[0]}: {text}"
    if weights == [1.0, -1.0] and len(metrics) == 1:
        metric, up = metrics[0], found.value >= 0
        if metric in BETTER_IF_LOWER:
            word = "worse" if up == BETTER_IF_LOWER[metric] else "better"
        else:
            word = "higher" if up else "lower"
        unit = "points" if "percent" in metric else UNITS.get(metric, "")
        value, note = _show(found, exact, flip=not up)
        text = " ".join(filter(None, [value, unit, word, note]))
        layer = split_layer(metric)[1].lower()
        where = f", {layer}" if layer else ""
        return text if alone else f"{rows[0]} {text} than {rows[1]}{where}"
    terms = ""
    for (weight, _, metric), row in zip(contrast.terms, rows, strict=True):
        times = "" if abs(weight) == 1 else f"{abs(weight):g} x "
        what = f" ({metric_title(metric)})" if len(metrics) > 1 else ""
        terms += f" {'-' if weight < 0 else '+'} {times}{row}{what}"
    terms = terms.removeprefix(" + ")
    of = f"{metric_title(metrics[0])}, " if len(metrics) == 1 else ""
    return f"{of}{terms}: {' '.join(filter(None, _show(found, exact)))}"


def _show(found: Estimate, exact: bool, *, flip: bool = False) -> tuple[str, str]:
    """Return the value with its interval, and the reason if there is no interval."""
    value, low, high = found.value, found.low, found.high
    if flip:
        value, low, high = -value, -high, -low
    if exact:
        return f"{value:.4g}", ""
    if not math.isfinite(low):
        reason = "one seed" if found.num_seeds < 2 else "no spread over seeds"
        return f"{value:.4g}", f"({reason}: no interval)"
    digits = decimals_of((high - low) / 2)
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]", ""


def effects(
    rows: Sequence[Row], factors: Sequence[str], results: Sequence[Result], metric: str
) -> dict[str, Estimate]:
    """Estimate main effects and interactions of a crossed design on a metric.

    A main effect is the mean difference between two levels of a factor over the levels
    of all other factors. An interaction is half the difference of an effect between two
    levels of another factor. If a factor has more than two levels, each level is
    compared with the first. Differences are computed for each seed.

    Args:
      rows: rows of the experiment. Rows that have all factors are cells of the design.
      factors: factors of the design.
      results: results of the rows.
      metric: metric to compare.

    Returns:
      Name -> effect. The main effects come first; names of interactions contain " x ".
      The result is {} if a cell has not been run.
    """
    numbers = numbers_of(results)
    cells = {
        tuple(row.factors[f] for f in factors): numbers.get((row.name, metric), {})
        for row in rows
        if set(factors) <= set(row.factors)
    }
    seeds = sorted(set.intersection(*(set(by_seed) for by_seed in cells.values())))
    if not seeds:
        return {}
    axes = []
    for i, factor in enumerate(factors):
        first, *others = dict.fromkeys(cell[i] for cell in cells)
        for level in others:
            name = f"{factor} {level}"
            words = factor_words(name if others[1:] or name in FACTORS else factor)
            axes.append((i, first, level, words))
    pairs = [(a, b) for a, b in itertools.combinations(axes, 2) if a[0] != b[0]]
    found = {}
    for chosen in [*((axis,) for axis in axes), *pairs]:
        signs = {
            cell: math.prod(1 if cell[i] == level else -1 for i, _, level, _ in chosen)
            for cell in cells
            if all(cell[i] in (first, level) for i, first, level, _ in chosen)
        }
        values = [
            2 * sum(sign * cells[c][seed] for c, sign in signs.items()) / len(signs)
            for seed in seeds
        ]
        largest = max(abs(v) for by_seed in cells.values() for v in by_seed.values())
        name = " x ".join(name for *_, name in chosen)
        found[name] = estimate(values, magnitude=largest)
    return found

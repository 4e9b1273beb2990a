"""What a paper prints, with the digits that it prints."""

import decimal

from noisejax.experiments import Experiment, Row


def show_printed(experiment: Experiment, row: Row, metric: str) -> str:
    """The paper's number of a row, or that there is none."""
    printed = row.printed.get(metric)
    if printed is None:
        return "not in the paper" if row.ours else "not printed"
    column = [r.printed[metric] for r in experiment.rows if metric in r.printed]
    text = _show(printed.value, [p.value for p in column])
    if printed.deviation is not None:
        text += f" ± {_show(printed.deviation, [p.deviation for p in column])} (SD)"
    return text + (f" ({printed.note})" if printed.note else "")


def _show(value: float | str, column: list[float | str | None]) -> str:
    """A value with the zeros that a float has lost at its end: 98.4 is 98.40.

    Papers print most columns with as many decimals throughout. So zeros are added up to
    the most decimals of the column where half of its numbers have as many, and as far
    as no number gets more digits than the longest has: of 11.7, 11.5, 2.47 and 2.33,
    none is changed.
    """
    if not isinstance(value, float):
        return str(value)
    numbers = [_exact(number) for number in column if isinstance(number, float)]
    exact = _exact(value)
    most = max(_decimals(number) for number in numbers)
    longest = max(_digits(number) for number in numbers)
    common = 2 * sum(_decimals(number) == most for number in numbers) >= len(numbers)
    padded = exact.quantize(decimal.Decimal(1).scaleb(-most))
    return f"{padded:f}" if common and _digits(padded) <= longest else str(value)


def _exact(value: float) -> decimal.Decimal:
    """The shortest decimal number that is this float."""
    return decimal.Decimal(repr(value))


def _decimals(number: decimal.Decimal) -> int:
    return max(0, -number.as_tuple().exponent)


def _digits(number: decimal.Decimal) -> int:
    return len(number.as_tuple().digits)

"""table.md: what the paper prints beside what came out here."""

import math
from collections.abc import Sequence

import numpy as np

from noisejax.experiments import METRICS, Claim, Experiment, Row
from noisejax.reproduction._command import commands
from noisejax.reproduction._effects import effects
from noisejax.reproduction._printed import show_printed
from noisejax.reproduction._results import Result
from noisejax.reproduction._verdicts import verdict

MAX_COLUMNS = 2
"""More metrics go into lines of their own."""

MEAN = "mean ± standard error"

NOT_RUN = "not run"
NOT_MEASURED = "does not apply"
UNDEFINED = "undefined"
"""What stands in place of a number."""


def format_table(experiment: Experiment, scale: str, results: Sequence[Result]) -> str:
    """The table as Markdown, with all that sets it apart from the paper's."""
    chosen = experiment.scales[scale]
    lines = [
        f"# {experiment.title}",
        "",
        f"{experiment.paper}, {experiment.place}. Scale: {scale}. Command:",
        "",
        *(f"    {command}" for command in commands(experiment, scale, results)),
        "",
        f"![{experiment.figure or 'paper and ours'}]({experiment.name}.png)",
        "",
    ]
    lines += _rows(experiment, results, chosen.changes)
    lines += _effects(experiment, results)
    lines += _bullets("Metrics", _meanings(experiment.metrics))
    lines += _bullets("Settings that are ours", experiment.ours)
    lines += _bullets("Protocol as printed", experiment.protocol)
    lines += _bullets("The paper with itself", experiment.inconsistencies)
    lines += _bullets(
        "Claims of the paper, and whether they hold here",
        _claims(experiment, scale, results),
    )
    lines += _bullets("Run on", _devices(results))
    return "\n".join(lines)


def _rows(
    experiment: Experiment, results: Sequence[Result], changes: Sequence[str]
) -> list[str]:
    """A line per row; with many metrics, a line per row and metric.

    Args:
      experiment: that the rows are of.
      results: so far.
      changes: what differs from the paper in every row that is the paper's.
    """
    metrics, long = experiment.metrics, len(experiment.metrics) > MAX_COLUMNS
    head = ["row"]
    if long:
        head += ["metric", "paper", f"ours ({MEAN})"]
    else:
        for metric in metrics:
            head += [f"{metric}: paper", f"ours ({MEAN})"]
    head += ["n", "seconds", "differs"]
    lines = [_line(head), _line(["---"] * len(head))]
    for row in experiment.rows:
        mine = [result for result in results if result["row"] == row.name]
        label = row.label + (" (ours)" if row.ours else "")
        failures = [f"stopped: {r['failed']}" for r in mine if "failed" in r]
        n = len(mine) - len(failures)
        seconds = f"{sum(result['seconds'] for result in mine):.0f}" if mine else ""
        differs = [*row.differs, *(() if row.ours or not mine else changes)]
        rest = ["" if row.cited else str(n), seconds, "; ".join([*differs, *failures])]
        pairs = [
            [show_printed(experiment, row, metric), _ours(row, metric, mine)]
            for metric in metrics
        ]
        if long:
            named = zip(metrics, pairs, strict=True)
            lines += [_line([label, metric, *pair, *rest]) for metric, pair in named]
        else:
            cells = [cell for pair in pairs for cell in pair]
            lines.append(_line([label, *cells, *rest]))
    return [*lines, ""]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _ours(row: Row, metric: str, results: Sequence[Result]) -> str:
    if row.cited:
        return "cited by the paper, not run"
    values = [
        result["numbers"][metric] for result in results if metric in result["numbers"]
    ]
    if not values:
        return NOT_MEASURED if results else NOT_RUN
    values = [value for value in values if value is not None]
    if not values:
        return UNDEFINED
    if any(isinstance(value, str) for value in values):
        return str(values[0])
    return show_mean(values)


def show_mean(values: Sequence[float]) -> str:
    """Mean and standard error, to a figure that the error supports."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return f"{mean:.4g}"
    error = float(np.std(values, ddof=1) / math.sqrt(len(values)))
    if error == 0 or not math.isfinite(error):
        return f"{mean:.4g} ± {error:.1g}"
    digits = max(0, 1 - math.floor(math.log10(error)))
    return f"{mean:.{min(digits, 8)}f} ± {error:.{min(digits, 8)}f}"


def _claims(experiment: Experiment, scale: str, results: Sequence[Result]) -> list[str]:
    """Each claim with its verdict."""
    if experiment.scales[scale].generated:
        return [f"{c.text} No verdict on generated data." for c in experiment.claims]
    exact = experiment.kind == "computed"
    return [
        f"{claim.text} **{_verdict(claim, scale, results, exact)}**"
        for claim in experiment.claims
    ]


def _verdict(claim: Claim, scale: str, results: Sequence[Result], exact: bool) -> str:
    """The verdict, or the reason why there is none at this scale."""
    if scale in claim.untestable:
        return f"Not testable at this scale: {claim.untestable[scale]}."
    return verdict(claim, results, exact=exact)


def _effects(experiment: Experiment, results: Sequence[Result]) -> list[str]:
    if not experiment.design:
        return []
    metric = experiment.metrics[0]
    found = effects(experiment.rows, experiment.design, results, metric)
    lines = [f"**Main effects and interactions on {metric}**", ""]
    if not found:
        return [*lines, "- not run: some cells have no result", ""]
    lines += ["| effect | ours | standard error | 95 % interval | n |"]
    lines += ["| --- | --- | --- | --- | --- |"]
    for e in found:
        cells = [e.name, f"{e.value:.3f}"]
        cells += [f"{e.standard_error:.3f}", f"[{e.low:.3f}, {e.high:.3f}]"]
        lines.append(_line([*cells, str(e.num_seeds)]))
    return [*lines, ""]


def _meanings(metrics: Sequence[str]) -> list[str]:
    """What each metric is, whatever layer or bound stands behind its slash."""
    names = dict.fromkeys(metric.partition("/")[0] for metric in metrics)
    return [f"{name}: {METRICS[name]}" for name in names]


def _bullets(title: str, items: Sequence[str]) -> list[str]:
    return [f"**{title}**", "", *(f"- {item}" for item in items), ""] if items else []


def _devices(results: Sequence[Result]) -> list[str]:
    found = {
        f"{result['device']['count']} x {result['device']['kind']}, "
        + ", ".join(f"{name} {v}" for name, v in sorted(result["versions"].items()))
        for result in results
    }
    return sorted(found)

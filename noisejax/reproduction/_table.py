"""table.md: what the paper prints beside what came out here."""

import math
from collections.abc import Sequence

import numpy as np

from noisejax.experiments import METRICS, Experiment, Row
from noisejax.reproduction._results import Result

NOT_RUN = "not run"


def format_table(experiment: Experiment, scale: str, results: Sequence[Result]) -> str:
    """The table as Markdown, with all that sets it apart from the paper's."""
    chosen = experiment.scales[scale]
    lines = [
        f"# {experiment.title}",
        "",
        f"{experiment.paper}, {experiment.place}. Scale: {scale}. Command:",
        "",
        f"    python -m noisejax.reproduce --experiment={experiment.name} "
        f"--scale={scale} --workdir=DIR",
        "",
    ]
    if experiment.rows:
        lines += _rows(experiment, results)
    lines += _bullets("Metrics", [f"{m}: {_meaning(m)}" for m in experiment.metrics])
    lines += _bullets("Differs from the paper at this scale", chosen.changes)
    lines += _bullets("Settings that are ours", experiment.ours)
    lines += _bullets("Protocol as printed", experiment.protocol)
    lines += _bullets("The paper with itself", experiment.inconsistencies)
    lines += _bullets("Claims of the paper", experiment.claims)
    lines += _bullets("Run on", _devices(results))
    return "\n".join(lines)


def _rows(experiment: Experiment, results: Sequence[Result]) -> list[str]:
    head = ["row"]
    for metric in experiment.metrics:
        head += [f"{metric}: paper", "ours (mean ± standard error)"]
    head += ["n", "seconds", "differs"]
    lines = [
        "| " + " | ".join(head) + " |",
        "| " + " | ".join("---" for _ in head) + " |",
    ]
    for row in experiment.rows:
        mine = [result for result in results if result["row"] == row.name]
        cells = [row.label + (" (ours)" if row.ours else "")]
        for metric in experiment.metrics:
            cells += [_printed(row, metric), _ours(row, metric, mine)]
        seconds = f"{sum(result['seconds'] for result in mine):.0f}" if mine else ""
        cells += [str(len(mine)), seconds, "; ".join(row.differs)]
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]


def _printed(row: Row, metric: str) -> str:
    printed = row.printed.get(metric)
    if printed is None:
        return "not in the paper" if row.ours else "figure only"
    text = str(printed.value)
    if printed.deviation is not None:
        text += f" ± {printed.deviation} (SD)"
    return text + (f" ({printed.note})" if printed.note else "")


def _ours(row: Row, metric: str, results: Sequence[Result]) -> str:
    if row.cited:
        return "cited by the paper, not run"
    values = [result["numbers"].get(metric) for result in results]
    values = [value for value in values if value is not None]
    if not values:
        return NOT_RUN
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


def _meaning(metric: str) -> str:
    return METRICS[metric.partition("/")[0]]


def _bullets(title: str, items: Sequence[str]) -> list[str]:
    return [f"**{title}**", "", *(f"- {item}" for item in items), ""] if items else []


def _devices(results: Sequence[Result]) -> list[str]:
    found = {
        f"{result['device']['count']} x {result['device']['kind']}, "
        + ", ".join(f"{name} {v}" for name, v in sorted(result["versions"].items()))
        for result in results
    }
    return sorted(found)

"""Formats table.md, with the paper's numbers next to ours and verdicts on claims."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from noisejax.experiments import METRICS, Experiment, Row
from noisejax.reproduce._results import Result
from noisejax.reproduce._rows import comparable, earlier_settings, find_rows
from noisejax.reproduce._verdicts import effects, verdict
from noisejax.reproduce._words import (
    metric_title,
    row_labels,
    row_title,
    show_printed,
    table_head,
    table_line,
)

MAX_COLUMNS = 2
"""Largest number of metrics with a column each. More metrics get a line each."""


def format_table(experiment: Experiment, scale: str, results: Sequence[Result]) -> str:
    """Format the results of an experiment as Markdown.

    Args:
      experiment: experiment with the rows and claims.
      scale: scale of the results.
      results: results of complete rows.
    """
    lines = [f"# {experiment.title}", ""]
    lines += [f"{experiment.paper}, {experiment.place}. Scale: {scale}. Command:", ""]
    lines += [f"    {line}" for line in commands(experiment, scale, results)]
    caption, design = experiment.figure, experiment.design
    if not caption or (
        design and not effects(experiment.rows, design, results, experiment.metrics[0])
    ):
        caption = "numbers of the paper and ours"
    lines += ["", f"![{caption}]({experiment.name}.png)", ""]
    lines += _rows(experiment, scale, results)
    lines += _effects(experiment, results)
    claims = _claims(experiment, scale, results)
    changes = [c for c in experiment.scales[scale].changes if results]
    names = dict.fromkeys(metric.partition("/")[0] for metric in experiment.metrics)
    metrics = [f"{_title_of(name)}: {METRICS[name]}" for name in names]
    for title, items in (
        ("Claims of the paper, and whether they hold here", claims),
        ("Differences from the paper in all its rows", changes),
        ("Metrics", metrics),
        ("Our settings", experiment.ours),
        ("Protocol as printed", experiment.protocol),
        ("Inconsistencies in the paper", experiment.inconsistencies),
        ("Run on", _devices(results)),
    ):
        if items:
            lines += [f"**{title}**", "", *(f"- {item}" for item in items), ""]
    return "\n".join(lines)


def _title_of(name: str) -> str:
    return metric_title(name).removesuffix(" above").removesuffix(" at")


def _rows(experiment: Experiment, scale: str, results: Sequence[Result]) -> list[str]:
    """Return one line per row or, if there are many metrics, per row and metric."""
    metrics, long = experiment.metrics, len(experiment.metrics) > MAX_COLUMNS
    known = {metric for result in results for metric in result["numbers"]}
    by_row = {
        row.name: [result for result in results if result["row"] == row.name]
        for row in experiment.rows
    }
    notes = {
        row.name: _notes(experiment, row, scale, by_row[row.name])
        for row in experiment.rows
    }
    head = ["Row", "Metric", "paper", "ours"] if long else ["Row"]
    if not long:
        for metric in metrics:
            head += [f"{metric_title(metric)}: paper", "ours"]
    head += ["n", "Seconds", *(["Notes"] if any(notes.values()) else [])]
    lines = table_head(*head)
    for row in experiment.rows:
        row_results = by_row[row.name]
        label = row_title(row) + (" (not in the paper)" if row.ours else "")
        succeeded = sum("failed" not in result for result in row_results)
        n = "" if row.cited else str(succeeded)
        total = sum(result["seconds"] for result in row_results)
        seconds = f"{total:.0f}" if row_results else ""
        rest = [n, seconds, *([notes[row.name]] if any(notes.values()) else [])]
        pairs = {
            metric_title(metric): [
                show_printed(experiment, row, metric),
                _ours(row, metric, row_results, known=metric in known),
            ]
            for metric in metrics
        }
        if long:
            lines += [table_line([label, m, *pair, *rest]) for m, pair in pairs.items()]
        else:
            lines.append(table_line([label, *sum(pairs.values(), []), *rest]))
    return [*lines, "", "Ours: mean ± standard error over n seeds.", ""]


def _notes(
    experiment: Experiment, row: Row, scale: str, results: Sequence[Result]
) -> str:
    """Return differences between a row and the paper, and failures."""
    notes = list(row.differs)
    earlier = [
        setting
        for result in results
        for setting in earlier_settings(experiment, scale, result)
    ]
    if earlier:
        settings = ", ".join(dict.fromkeys(earlier))
        notes.append(f"run by an earlier definition with {settings}")
    for result in results:
        if "failed" in result:
            notes.append(f"stopped: {result['failed']}")
        for name, error in result.get("unmeasured", {}).items():
            notes.append(f"seed {result['seed']}, {name} failed: {error}")
    return "; ".join(notes)


def _ours(row: Row, metric: str, results: Sequence[Result], *, known: bool) -> str:
    """Return our number, or the reason if there is none.

    Args:
      row: row of the table.
      metric: metric of the number.
      results: results of the row.
      known: True if any row of the table has the metric.
    """
    if row.cited:
        return "cited by the paper, not run"
    numbers = [result["numbers"] for result in results]
    values = [found[metric] for found in numbers if metric in found]
    if not values:
        if any("unmeasured" in result for result in results):
            return "failed"
        if not results:
            return "not run"
        return "does not apply" if known else "not measured"
    values = [value for value in values if value is not None]
    if not values:
        return "undefined"
    if any(isinstance(value, str) for value in values):
        return str(values[0])
    return show_mean(values)


def show_mean(values: Sequence[float]) -> str:
    """Return mean and standard error; the error has two significant digits."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return f"{mean:.4g}"
    error = float(np.std(values, ddof=1) / math.sqrt(len(values)))
    if error == 0 or not math.isfinite(error):
        return f"{mean:.4g} ± {error:.1g}"
    digits = min(8, max(0, 1 - math.floor(math.log10(error))))
    return f"{mean:.{digits}f} ± {error:.{digits}f}"


def _claims(experiment: Experiment, scale: str, results: Sequence[Result]) -> list[str]:
    """Return each claim, followed by its verdict."""
    if experiment.scales[scale].generated:
        return [f"{c.text} No verdict on generated data." for c in experiment.claims]
    results = comparable(experiment, scale, results)
    labels = row_labels(experiment.rows)
    options = {"labels": labels, "exact": experiment.kind == "computed"}
    return [
        f"{claim.text} **{verdict(claim, results, scale=scale, **options)}**"
        for claim in experiment.claims
    ]


def _effects(experiment: Experiment, results: Sequence[Result]) -> list[str]:
    if not experiment.design:
        return []
    metric = experiment.metrics[0]
    found = effects(experiment.rows, experiment.design, results, metric)
    lines = [f"**Main effects and interactions: {metric_title(metric)}**", ""]
    if not found:
        return [*lines, "- not run: some cells have no result", ""]
    lines += table_head(
        "Main effect or interaction", "ours", "Standard error", "95 % interval", "n"
    )
    for name, e in found.items():
        interval = f"[{e.low:.3f}, {e.high:.3f}]"
        cells = [name, f"{e.value:.3f}", f"{e.standard_error:.3f}", interval]
        lines.append(table_line([*cells, str(e.num_seeds)]))
    return [*lines, ""]


def _devices(results: Sequence[Result]) -> list[str]:
    found = {
        f"{result['device']['count']} x {result['device']['kind']}, "
        + ", ".join(f"{name} {v}" for name, v in sorted(result["versions"].items()))
        for result in results
    }
    return sorted(found)


def commands(
    experiment: Experiment, scale: str, results: Sequence[Result]
) -> list[str]:
    """Return the commands that reproduce a table, one for each number of seeds.

    Rows run by an earlier definition are omitted, because no command reproduces them.

    Args:
      experiment: experiment with the rows.
      scale: scale of the results.
      results: results of complete rows.
    """
    usual = experiment.scales[scale].num_seeds
    num_seeds: Mapping[str, int] = {
        r["row"]: r["config"].get("training", {}).get("num_seeds", usual)
        for r in results
        if not earlier_settings(experiment, scale, r)
    }
    names = [row.name for row in experiment.rows if row.name in num_seeds]
    expected = {row.name for row in find_rows(experiment, scale)}
    found = []
    for n in dict.fromkeys(num_seeds[name] for name in names):
        rows = [name for name in names if num_seeds[name] == n]
        flags = [f"python -m noisejax.reproduce --experiment={experiment.name}"]
        flags.append(f"--scale={scale}")
        if set(rows) != expected:
            flags.append(f"--only={','.join(rows)}")
        if n != usual:
            flags.append(f"--num_seeds={n}")
        others = {r["run_of"] for r in results if r["row"] in rows and "run_of" in r}
        if others:
            folders = ",".join(f"DIR_OF_{name}" for name in sorted(others))
            flags.append(f"--runs_from={folders}")
        found.append(" ".join([*flags, "--workdir=DIR"]))
    return found

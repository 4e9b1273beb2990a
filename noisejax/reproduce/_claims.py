"""One table of all claims of the papers, from the results of all experiments."""

import pathlib
import re

from noisejax.experiments import EXPERIMENTS, Claim, Contrast, Experiment
from noisejax.reproduction._results import Result, read_results, whole_rows
from noisejax.reproduction._verdicts import (
    Estimate,
    choose_rows,
    estimate,
    judge,
    numbers_of,
)

ORDER = ("not held", "not resolved", "held")
"""Verdicts on contrasts; the first of them that occurs is the claim's."""

HEAD = ("claim", "paper", "ours [95 % interval], n", "verdict", "differs most")


def claims_table(folder: pathlib.Path) -> str:
    """Return a Markdown table with a line per claim, by paper and experiment.

    A claim with several contrasts shows the one that decides its verdict.

    Args:
      folder: folder with `EXPERIMENT/results.jsonl` and `table.md` per experiment.
    """
    lines, paper = [], ""
    for name, experiment in EXPERIMENTS.items():
        if experiment.paper != paper and experiment.claims:
            paper = experiment.paper
            lines += ["", f"**{paper}**", "", _line(HEAD), _line(["---"] * len(HEAD))]
        results = whole_rows(read_results(folder / name / "results.jsonl"))
        scale = _scale(folder / name / "table.md")
        lines += [
            _line(_cells(experiment, claim, results, scale))
            for claim in experiment.claims
        ]
    return "\n".join(lines).strip() + "\n"


def _line(cells) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _scale(table: pathlib.Path) -> str:
    """Return the scale that a table was made at; "short" without a table."""
    found = re.search(r"Scale: (\w+)\.", table.read_text()) if table.exists() else None
    return found[1] if found else "short"


def _cells(
    experiment: Experiment, claim: Claim, results: list[Result], scale: str
) -> tuple[str, ...]:
    place = experiment.place if experiment.place != "none" else experiment.name
    link = f"[{place}](results/{experiment.name}/table.md)" if results else place
    text = f"{link}: " + claim.text.replace("*", "\\*")
    changes = "; ".join(experiment.scales[scale].changes[:2]) if results else ""
    if not claim.contrasts:
        return text, "", "", claim.settled or "no number judges it", ""
    numbers = numbers_of(results)
    exact = experiment.kind == "computed"
    chosen = [choose_rows(contrast, numbers) for contrast in claim.contrasts]
    found = [(c, estimate(c, numbers, exact=exact)) for c in chosen if c]
    judged = [(judge(c, e), c, e) for c, e in found if e]
    if not judged:
        lacking = results and None in chosen
        verdict = "not judged: no validation errors" if lacking else "not run"
        return text, _printed(experiment, claim.contrasts[0]), "", verdict, changes
    word, contrast, value = min(judged, key=lambda item: ORDER.index(item[0]))
    ours = f"{_describe(contrast)}: {_show(contrast, value, exact)}"
    if len(judged) > 1:
        count = sum(w == word for w, *_ in judged)
        ours += f" ({word} in {count} of {len(judged)} comparisons)"
    if scale in claim.untestable:
        word = f"not testable: {claim.untestable[scale]}"
    elif len(judged) < len(claim.contrasts):
        word += f" ({len(judged)} of {len(claim.contrasts)} comparisons run)"
    return text, _printed(experiment, contrast), ours, f"**{word}**", changes


def _describe(contrast: Contrast) -> str:
    """Return a contrast in words: "test error: dropout - base"."""
    metrics = {metric.partition("/")[0] for *_, metric in contrast.terms}
    what = ", ".join(m.removesuffix("_percent").replace("_", " ") for m in metrics)
    if len(contrast.terms) > 4:
        return f"{what}, mean over rows"
    parts = [
        ("- " if weight < 0 else "+ ")
        + ("" if abs(weight) == 1 else f"{abs(weight):g} ")
        + str(row)
        for weight, row, _ in contrast.terms
    ]
    details = {metric.partition("/")[2] for *_, metric in contrast.terms} - {""}
    text = " ".join(parts).removeprefix("+ ")
    return f"{what}: " + ", ".join([text, *sorted(details)])


def _show(contrast: Contrast, value: Estimate, exact: bool) -> str:
    if exact:
        return f"{value.value:.3g}"
    if value.low == float("-inf"):
        return f"{value.value:.3g}, n = {value.num_seeds}"
    return (
        f"{value.value:.3g} [{value.low:.3g}, {value.high:.3g}], n = {value.num_seeds}"
    )


def _printed(experiment: Experiment, contrast: Contrast) -> str:
    """Return the same contrast of the paper's printed numbers."""
    printed = {row.name: row.printed for row in experiment.rows}
    total = 0.0
    for weight, row, metric in contrast.terms:
        number = printed[row].get(metric) if isinstance(row, str) else None
        if number is None or isinstance(number.value, str):
            return "drawn" if metric.split("/")[0] in experiment.drawn else "-"
        total += weight * number.value
    return f"{total:.3g}"

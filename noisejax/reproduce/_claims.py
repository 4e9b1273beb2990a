"""Tabulates the claims of all papers, from the results of all experiments."""

import pathlib
import re

from noisejax.experiments import EXPERIMENTS, Claim, Contrast, Experiment
from noisejax.reproduce._results import Result, numbers_of, read_results, whole_rows
from noisejax.reproduce._rows import comparable, earlier_settings
from noisejax.reproduce._verdicts import WORDS, describe, judge_claim
from noisejax.reproduce._words import row_labels, table_head, table_line

HEAD = ("claim", "paper", "ours [95 % interval], n", "verdict", "differs most")


def claims_table(folder: pathlib.Path) -> str:
    """Return a Markdown table with one line per claim, by paper and experiment.

    If a claim has several contrasts, the line shows the one that decides the verdict.

    Args:
      folder: directory that contains EXPERIMENT/results.jsonl and EXPERIMENT/table.md
        for each experiment.
    """
    lines, paper = [], ""
    for name, experiment in EXPERIMENTS.items():
        if experiment.paper != paper and experiment.claims:
            paper = experiment.paper
            lines += ["", f"**{paper}**", "", *table_head(*HEAD)]
        results = whole_rows(read_results(folder / name / "results.jsonl"))
        table = folder / name / "table.md"
        text = table.read_text() if table.exists() else ""
        found = re.search(r"Scale: (\w+)\.", text)
        scale = found[1] if found else "short"
        lines += [
            table_line(_cells(experiment, claim, results, scale))
            for claim in experiment.claims
        ]
    return "\n".join(lines).strip() + "\n"


def _cells(
    experiment: Experiment, claim: Claim, results: list[Result], scale: str
) -> tuple[str, ...]:
    place = experiment.place if experiment.place != "none" else experiment.name
    link = f"[{place}](results/{experiment.name}/table.md)" if results else place
    text = f"{link}: {claim.text}".replace("*", "\\*")
    if not claim.contrasts:
        return text, "", "", claim.settled or "no number judges it", ""
    changes = "; ".join(experiment.scales[scale].changes[:2]) if results else ""
    results = comparable(experiment, scale, results)
    rows = {row for contrast in claim.contrasts for _, row, _ in contrast.terms}
    for result in results:
        earlier = earlier_settings(experiment, scale, result)
        if result["row"] in rows and earlier:
            changes = f"an earlier definition: {', '.join(earlier)}"
    exact = experiment.kind == "computed"
    judged, reason = judge_claim(claim, numbers_of(results), exact=exact)
    if not judged:
        printed = _printed(experiment, claim.contrasts[0])
        return text, printed, "", reason[0].lower() + reason[1:-1], ""
    contrast, found, word = min(judged, key=lambda item: WORDS.index(item[2]))
    ours = describe(contrast, found, row_labels(experiment.rows), exact=exact)
    ours = f"{ours[0].upper()}{ours[1:]}".replace("*", "\\*")
    ours += "" if exact else f", n = {found.num_seeds}"
    if len(judged) > 1:
        count = sum(w == word for *_, w in judged)
        ours += f" ({word} in {count} of {len(judged)} comparisons)"
    if scale in claim.untestable:
        word = f"not testable: {claim.untestable[scale]}"
    elif len(judged) < len(claim.contrasts):
        word += f" ({len(judged)} of {len(claim.contrasts)} comparisons run)"
    return text, _printed(experiment, contrast), ours, f"**{word}**", changes


def _printed(experiment: Experiment, contrast: Contrast) -> str:
    """Return the value of a contrast for the numbers that the paper prints."""
    printed = {row.name: row.printed for row in experiment.rows}
    total = 0.0
    for weight, row, metric in contrast.terms:
        number = printed[row].get(metric) if isinstance(row, str) else None
        if number is None or isinstance(number.value, str):
            return "drawn" if metric.split("/")[0] in experiment.drawn else "-"
        total += weight * number.value
    return f"{total:.3g}"

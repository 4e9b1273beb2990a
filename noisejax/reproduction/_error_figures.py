"""Figures of numbers: errors against what was varied, paper beside ours, effects."""

from collections.abc import Callable

import numpy as np
from matplotlib.figure import Figure, SubFigure

from noisejax import figures
from noisejax.reproduction._effects import effects
from noisejax.reproduction._saved import Saved, name_of

Panels = dict[str, dict[str, dict]]

Part = Figure | SubFigure
"""Of a page, to draw in."""

LONGEST = 34
"""Characters of a row's name in a figure."""


def beside_paper(saved: Saved, part: Part | None = None) -> Figure:
    """The paper's numbers and ours, row by row, a panel per metric.

    Args:
      saved: of the experiment.
      part: of a page to draw in; None: a new figure.
    """
    panels: Panels = {}
    for metric in saved.experiment.metrics:
        paper, ours = {}, {}
        for row in saved.rows:
            name = row.name if len(row.name) <= LONGEST else f"...{row.name[-31:]}"
            values = saved.numbers(row, metric)
            if not values:
                continue
            error = np.std(values, ddof=1) / np.sqrt(len(values)) if values[1:] else 0.0
            ours[name] = (float(np.mean(values)), float(error))
            printed = row.printed.get(metric)
            if printed is not None and not isinstance(printed.value, str):
                paper[name] = (printed.value, printed.deviation or 0.0)
        if ours:
            panels[metric] = {"paper": paper} if paper else {}
            panels[metric]["ours"] = ours
    return figures.estimates(panels, figure=part)


def noise_level_errors(saved: Saved) -> Figure:
    """Test error against the noise level (Bouthillier et al. 2015, figure 6)."""
    labels = {
        "input": "input noise",
        "hidden": "hidden noise",
        "random": "random dropout [0, x]",
        "random_per_batch": "random, per batch",
    }
    panels: Panels = {}
    for row in saved.rows:
        f = row.factors
        title = f"{f['data']}: {labels[f['panel']]}"
        curve = panels.setdefault(title, {}).setdefault(f["network"], {})
        curve[f["level"]] = saved.numbers(row, "test_error_percent")
    return figures.noise_levels(_without_empty(panels))


def method_errors(saved: Saved) -> Figure:
    """Test error of dropout and of training on x* (Bouthillier 2015, figure 4)."""
    panels: Panels = {}
    for row in saved.rows:
        curve = panels.setdefault(row.factors["data"], {}).setdefault(name_of(row), {})
        curve[row.factors["network"]] = saved.numbers(row, "test_error_percent")
    return figures.method_errors(_without_empty(panels))


def num_samples_errors(saved: Saved) -> Figure:
    """Test error against the dropout rate, by S (Noh et al. 2017, figure 2)."""
    panels: Panels = {}
    for row in saved.rows:
        label = f"S = {row.factors['samples']}"
        for extra in ("strategy", "weighting"):
            label += f", {row.factors[extra]}" if extra in row.factors else ""
        curve = panels.setdefault(row.factors["data"], {}).setdefault(label, {})
        curve[row.factors["rate"]] = saved.numbers(row, "test_error_percent")
    return figures.num_samples_errors(_without_empty(panels))


def design_effects(saved: Saved) -> Figure:
    """Main effects and interactions with their standard errors (the factorial)."""
    experiment, metric = saved.experiment, saved.experiment.metrics[0]
    found = effects(experiment.rows, experiment.design, saved.results, metric)
    if not found:
        return beside_paper(saved)
    panels = {
        f"{kind} on {metric}": {
            "ours": {e.name: (e.value, e.standard_error) for e in chosen}
        }
        for kind, chosen in (
            ("main effect", [e for e in found if " x " not in e.name]),
            ("interaction", [e for e in found if " x " in e.name]),
        )
    }
    return figures.estimates(panels, zero=True)


def _without_empty(panels: Panels) -> Panels:
    """Only points that have numbers, curves that have points, and so on."""
    kept: Panels = {}
    for title, curves in panels.items():
        for label, points in curves.items():
            points = {x: values for x, values in points.items() if values}
            if points:
                kept.setdefault(title, {})[label] = points
    return kept


ERROR_FIGURES: dict[str, Callable[[Saved], Figure]] = {
    "bouthillier2015_figure4": method_errors,
    "bouthillier2015_figure6": noise_level_errors,
    "noh2017_figure2": num_samples_errors,
    "factorial": design_effects,
}
"""Experiment -> how its figure is drawn."""

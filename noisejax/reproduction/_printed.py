"""What a paper prints, with the digits that it prints."""

from noisejax.experiments import Experiment, Row


def show_printed(experiment: Experiment, row: Row, metric: str) -> str:
    """The paper's number of a row, or that there is none."""
    printed = row.printed.get(metric)
    if printed is None:
        if row.ours:
            return "not in the paper"
        drawn = metric in experiment.drawn or metric.split("/")[0] in experiment.drawn
        return "figure only" if drawn else "not printed"
    text = str(printed.value)
    if metric in experiment.decimals and not isinstance(printed.value, str):
        text = f"{printed.value:.{experiment.decimals[metric]}f}"
    if printed.deviation is not None:
        text += f" ± {printed.deviation} (SD)"
    return text + (f" ({printed.note})" if printed.note else "")

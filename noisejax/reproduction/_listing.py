"""Finding experiments by name, and describing them."""

from collections.abc import Sequence

from noisejax.experiments import EXPERIMENTS, SCALES, Experiment, Row
from noisejax.reproduction._distinct import distinct_rows


def find_experiment(name: str) -> Experiment:
    """The experiment of a name.

    Raises:
      ValueError: there is none; the names are listed.
    """
    if name not in EXPERIMENTS:
        raise ValueError(
            f"--experiment must be one of {', '.join(EXPERIMENTS)}; got {name!r}"
        )
    return EXPERIMENTS[name]


def find_rows(experiment: Experiment, scale: str, only: Sequence[str]) -> list[Row]:
    """The rows to run: those of the scale, or those asked for by name.

    Raises:
      ValueError: an unknown scale or row; the known ones are listed.
    """
    if scale not in SCALES:
        raise ValueError(f"--scale must be one of {', '.join(SCALES)}; got {scale!r}")
    runnable = {row.name: row for row in experiment.rows if not row.cited}
    unknown = [name for name in only if name not in runnable]
    if unknown:
        named = ", ".join(name or "''" for name in unknown)
        raise ValueError(
            f"{experiment.name} has no row {named}; its rows are "
            f"{', '.join(runnable) or 'none: it trains no network'}"
        )
    if only:
        return [runnable[name] for name in dict.fromkeys(only)]
    if experiment.scales[scale].generated:
        return distinct_rows(experiment, scale)
    return list(experiment.rows_at(scale))


def describe_experiments() -> str:
    """A line per experiment: name, title, place, and what each scale costs."""
    lines = []
    for name, experiment in EXPERIMENTS.items():
        costs = "; ".join(f"{s}: {experiment.scales[s].cost}" for s in SCALES)
        lines.append(f"{name}  {experiment.title} ({experiment.place}). {costs}")
    return "\n".join(lines)

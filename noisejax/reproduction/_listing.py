"""Finding experiments by name, and describing them."""

from collections.abc import Sequence

from noisejax import data
from noisejax.experiments import EXPERIMENTS, SCALES, Experiment, Row

EQUIVALENT = {
    "data.name": lambda name: data.GENERATED_SHAPES[name][0],
    "objective.num_samples": lambda s: s > 1,
    "noise.input_rate": bool,
    "noise.hidden_rate": bool,
    "noise.hidden_rates": lambda rates: tuple(map(bool, rates)),
    "model.widths": len,
}
"""Field -> what of its value a smoke run tells apart."""

IGNORED = ("data.inverted", "data.test_partition", "training.epochs", "training.seed")
"""Fields that change no program."""


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
        raise ValueError(
            f"{experiment.name} has no row {', '.join(unknown)}; its rows are "
            f"{', '.join(runnable) or 'none: it trains no network'}"
        )
    if only:
        return [runnable[name] for name in only]
    if experiment.scales[scale].generated:
        return distinct_rows(experiment, scale)
    return list(experiment.rows_at(scale))


def distinct_rows(experiment: Experiment, scale: str) -> list[Row]:
    """One row of each distinct network: those alike but for numbers are left out.

    Two rows are alike where nearly the same program trains them: rates that are above
    0, how many samples above 1, rates of learning, epochs, seeds and the number of
    classes do not count.
    """
    rows: dict[str, Row] = {}
    for row in experiment.rows_at(scale):
        overrides = experiment.overrides(row, scale)
        signature = {
            path: EQUIVALENT[path](value) if path in EQUIVALENT else value
            for path, value in overrides.items()
            if not path.startswith("optimizer.") and path not in IGNORED
        }
        rows.setdefault(repr(sorted(signature.items())), row)
    return list(rows.values())


def describe_experiments() -> str:
    """A line per experiment: name, title, place, and what each scale costs."""
    lines = []
    for name, experiment in EXPERIMENTS.items():
        costs = "; ".join(f"{s}: {experiment.scales[s].cost}" for s in SCALES)
        lines.append(f"{name}  {experiment.title} ({experiment.place}). {costs}")
    return "\n".join(lines)

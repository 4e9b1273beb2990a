"""From a row to the configuration of its run."""

from collections.abc import Mapping
from typing import Any

from noisejax import training
from noisejax.experiments import Experiment, Row


def row_config(
    experiment: Experiment, row: Row, scale: str, *, num_seeds: int | None = None
) -> training.Config:
    """The configuration of a row at a scale.

    Args:
      experiment: that the row belongs to.
      row: one of its rows.
      scale: "smoke", "short" or "paper".
      num_seeds: in place of the scale's.

    Raises:
      ValueError: the row names a field that there is not.
    """
    config = with_overrides(experiment.overrides(row, scale))
    if num_seeds is not None:
        config.training.num_seeds = num_seeds
    return config


def computed_config(
    experiment: Experiment, row: Row, scale: str
) -> dict[str, dict[str, Any]]:
    """What the numbers of a row without a network depend on, in sections.

    Args:
      experiment: that the row belongs to.
      row: one of its rows.
      scale: "smoke", "short" or "paper".
    """
    measurements = list(experiment.measurements)
    draws = experiment.scales[scale].draws
    return {
        "factors": dict(row.factors),
        "computed": {"measurements": measurements, "draws": draws},
    }


def with_overrides(overrides: Mapping[str, Any]) -> training.Config:
    """The default configuration with some fields changed: "section.field" -> value."""
    values: dict[str, dict[str, Any]] = {}
    for path, value in overrides.items():
        section, _, field = path.partition(".")
        values.setdefault(section, {})[field] = value
    return training.from_dict(values)

"""Which rows a smoke run takes: every network, and every other setting once."""

import dataclasses
from typing import Any

from noisejax import data, training
from noisejax.experiments import Experiment, Row
from noisejax.reproduction._configuration import row_config

OTHERS = (
    *("data.preprocess", "data.augment", "objective.strategy", "objective.weighting"),
    *("optimizer.name", "optimizer.schedule", "training.mode", "training.gradients"),
    *("noise.bits", "noise.scale"),
)
"""Fields that choose other code than the network's."""


@dataclasses.dataclass(frozen=True)
class Seen:
    """Networks and other settings that rows have had so far."""

    networks: set[str] = dataclasses.field(default_factory=set)
    settings: set[str] = dataclasses.field(default_factory=set)


def distinct_rows(
    experiment: Experiment, scale: str, seen: Seen | None = None
) -> list[Row]:
    """Rows that together have every network, and each other setting at least once.

    A row is taken where its network is new, or one of its other settings: which noise
    there is on the input and on hidden layers, one sample or several, and `OTHERS`.
    Numbers, such as rates above 0 and rates of learning, do not count.

    Args:
      experiment: whose rows.
      scale: at which.
      seen: what other experiments have had already; added to. None: nothing.
    """
    seen = Seen() if seen is None else seen
    taken = []
    for row in experiment.rows_at(scale):
        config = row_config(experiment, row, scale)
        network, others = repr(_network(config)), {repr(s) for s in _settings(config)}
        if network not in seen.networks or others - seen.settings:
            taken.append(row)
        seen.networks.add(network)
        seen.settings.update(others)
    return taken


def _network(config: training.Config) -> tuple[Any, ...]:
    """The model but for its widths, the shifts, and the shape of an example."""
    fields = training.to_dict(config)
    model = {**fields["model"], "widths": len(config.model.widths)}
    shape, _ = data.GENERATED_SHAPES[config.data.name]
    is_flat = "pca" in config.data.preprocess
    return model, config.noise.shift, "components" if is_flat else shape


def _settings(config: training.Config) -> list[tuple[str, Any]]:
    fields = training.to_dict(config)
    noise = config.noise
    hidden = any(noise.hidden_rates or (noise.hidden_rate,))
    places = {"input": noise.input_rate, "hidden": hidden}
    made = [(place, noise.scheme if rate else "none") for place, rate in places.items()]
    others = [(path, _get(fields, path)) for path in OTHERS]
    if config.training.mode == "back_projection":
        others.append(("x*", (config.projection.method, config.projection.per_layer)))
    return [*made, ("several samples", config.objective.num_samples > 1), *others]


def _get(fields: dict[str, dict[str, Any]], path: str) -> Any:
    section, name = path.split(".")
    return fields[section][name]

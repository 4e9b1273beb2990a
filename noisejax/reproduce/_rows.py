"""Finds experiments and rows by name, and builds the configurations of rows."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax

from noisejax import data, training
from noisejax.experiments import EXPERIMENTS, SCALES, Experiment, Row

OTHERS = (
    *("data.preprocess", "data.augment", "objective.strategy", "objective.weighting"),
    *("optimizer.name", "optimizer.schedule", "training.mode", "training.gradients"),
    *("noise.bits", "noise.scale"),
)
"""Fields that select code paths other than the network's."""


def find_experiment(name: str) -> Experiment:
    """Return the experiment with the given name.

    Raises:
      ValueError: the name is unknown; the message lists the names.
    """
    if name not in EXPERIMENTS:
        raise ValueError(
            f"--experiment must be one of {', '.join(EXPERIMENTS)}; got {name!r}"
        )
    return EXPERIMENTS[name]


def describe_experiments() -> str:
    """Return one line per experiment with name, title, place, and cost by scale."""
    lines = []
    for name, experiment in EXPERIMENTS.items():
        costs = "; ".join(f"{s}: {experiment.scales[s].cost}" for s in SCALES)
        lines.append(f"{name}  {experiment.title} ({experiment.place}). {costs}")
    return "\n".join(lines)


def find_rows(
    experiment: Experiment, scale: str, only: Sequence[str] = ()
) -> list[Row]:
    """Return the rows with the given names, or all rows of the scale.

    Raises:
      ValueError: the scale or a row is unknown; the message lists the names.
    """
    if scale not in SCALES:
        raise ValueError(f"--scale must be one of {', '.join(SCALES)}; got {scale!r}")
    runnable = {row.name: row for row in experiment.rows if not row.cited}
    unknown = [name for name in only if name not in runnable]
    if unknown:
        raise ValueError(
            f"{experiment.name} has no row "
            f"{', '.join(name or repr(name) for name in unknown)}; its rows are "
            f"{', '.join(runnable) or 'none: it trains no network'}"
        )
    if only:
        return [runnable[name] for name in dict.fromkeys(only)]
    if experiment.scales[scale].generated:
        return distinct_rows(experiment, scale)
    return list(experiment.rows_at(scale))


def row_config(
    experiment: Experiment, row: Row, scale: str, *, num_seeds: int | None = None
) -> training.Config:
    """Return the configuration of a row at a scale.

    Args:
      experiment: experiment that contains the row.
      row: row of the experiment.
      scale: scale of the experiment, "smoke", "short" or "paper".
      num_seeds: number of seeds. The default depends on the scale.

    Raises:
      ValueError: the row names an unknown field.
    """
    values: dict[str, dict[str, Any]] = {}
    for path, value in experiment.overrides(row, scale).items():
        section, _, field = path.partition(".")
        values.setdefault(section, {})[field] = value
    config = training.from_dict(values)
    if num_seeds is not None:
        config.training.num_seeds = num_seeds
    return config


def earlier_settings(
    experiment: Experiment, scale: str, result: Mapping[str, Any]
) -> list[str]:
    """Return the recorded fields that differ from the row's current configuration.

    Args:
      experiment: experiment that contains the row.
      scale: scale of the result.
      result: line of results.jsonl.

    Returns:
      List of "section.field=value"; [] for rows without a training run.
    """
    if "data" not in result["config"]:
        return []
    [row] = [row for row in experiment.rows if row.name == result["row"]]
    present = training.to_dict(row_config(experiment, row, scale))
    present["training"]["num_seeds"] = result["config"]["training"]["num_seeds"]
    present = json.loads(json.dumps(present))
    return [
        f"{section}.{field}={value}"
        for section, fields in result["config"].items()
        for field, value in fields.items()
        if present[section].get(field, value) != value
    ]


def identity_of(
    experiment: Experiment, row: Row, scale: str, config: training.Config | None
) -> dict[str, dict[str, Any]]:
    """Return all settings of a row that affect its numbers, by section and field."""
    if config is not None:
        return training.to_dict(config)
    computed = {
        "measurements": list(experiment.measurements),
        "draws": experiment.scales[scale].draws,
    }
    return {"factors": dict(row.factors), "computed": computed}


def distinct_rows(
    experiment: Experiment, scale: str, seen: set[str] | None = None
) -> list[Row]:
    """Return rows that together cover all settings of an experiment.

    Settings are the network, the noise on the input and on hidden layers, one noise
    sample or several, and the fields `OTHERS`. Numbers, such as learning rates and
    positive dropout rates, are ignored.

    Args:
      experiment: experiment that contains the rows.
      scale: scale of the experiment.
      seen: settings that need not be covered, such as those of other experiments. The
        set is updated.
    """
    seen = set() if seen is None else seen
    taken = []
    for row in experiment.rows_at(scale):
        settings = set(map(repr, _settings(row_config(experiment, row, scale))))
        if settings - seen:
            taken.append(row)
        seen |= settings
    return taken


def _settings(config: training.Config) -> list[tuple[Any, ...]]:
    """Return the network (without its widths), noise, and the fields `OTHERS`."""
    fields, noise = training.to_dict(config), config.noise
    model = {**fields["model"], "widths": len(config.model.widths)}
    shape = "components" if "pca" in config.data.preprocess else _shape(config)[0]
    hidden = any(noise.hidden_rates or (noise.hidden_rate,))
    settings = [
        ("network", model, noise.shift, shape),
        ("input", noise.scheme if noise.input_rate else "none"),
        ("hidden", noise.scheme if hidden else "none"),
        ("several samples", config.objective.num_samples > 1),
    ]
    for path in OTHERS:
        section, _, field = path.partition(".")
        settings.append((path, fields[section][field]))
    if config.training.mode == "back_projection":
        settings.append(("x*", config.projection.method, config.projection.per_layer))
    return settings


def check_full_width(experiment: Experiment) -> dict[str, int]:
    """Build the network of every row at full width, as shapes without values.

    Returns:
      Name of a row -> number of parameters.

    Raises:
      ValueError: a network cannot be built.
    """
    sizes: dict[str, int] = {}
    counts: dict[str, int] = {}
    for row in experiment.rows_at("paper"):
        config = row_config(experiment, row, "paper")
        training.check_config(config)
        shape, num_classes = _shape(config)
        model = training.build_model(config, num_classes)
        params = (model.clone(input_noise=None, hidden_noise=()), shape)
        network = repr((params, config.noise.shift))
        if network not in sizes:
            sizes[network] = _num_parameters(model, shape)
        counts[row.name] = sizes[network]
    return counts


def _shape(config: training.Config) -> tuple[tuple[int, ...], int | tuple[int, int]]:
    """Return the shape of an example and the number of classes."""
    shape, num_classes = data.GENERATED_SHAPES[config.data.name]
    if "pca" in config.data.preprocess:
        shape = (config.data.components,)
    return shape, num_classes


def _num_parameters(model: Any, shape: tuple[int, ...]) -> int:
    params = jax.eval_shape(
        lambda key, x: model.init(key, x, train=False)["params"],
        jax.random.key(0),
        jax.ShapeDtypeStruct((1, *shape), "float32"),
    )
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


def comparable(
    experiment: Experiment, scale: str, results: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Return the results of rows that were run with their current configurations.

    A claim compares rows, and rows of different definitions are not comparable. If no
    row has its current configuration, all results are returned.
    """
    present = [r for r in results if not earlier_settings(experiment, scale, r)]
    return present or list(results)

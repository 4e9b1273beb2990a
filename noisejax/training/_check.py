"""Checks of a configuration, before any data are loaded or anything is traced."""

import itertools
import math
import types
import typing
from typing import Any

from noisejax import data
from noisejax.training._config import Config, all_fields, sections

MAX_SEED = 2**31 - 1
"""Seeds are int32 on the device."""

TUPLES = {int: "(100, 100)", float: "(0.5, 0.5)", str: "('gcn', 'zca')"}
"""Type of the elements -> an example of a tuple."""


def check_config(config: Config) -> None:
    """Check every field by itself, then the combinations of fields.

    Raises:
      TypeError: a value has the wrong type.
      ValueError: a value is not one of the possible ones, or out of range.
    """
    for section, cls in sections().items():
        if not isinstance(getattr(config, section), cls):
            raise TypeError(
                f"{section} must be a {cls.__name__}; got {getattr(config, section)!r}"
            )
    values = {}
    for path, field in all_fields().items():
        section, name = path.split(".")
        values[path] = getattr(getattr(config, section), name)
        _check_type(path, values[path], field.type)
    for path, field in all_fields().items():
        value, rules = values[path], field.metadata
        if rules["choices"] and value not in rules["choices"]:
            expected = f"one of {', '.join(map(str, rules['choices']))};"
        elif rules["least"] is not None and not rules["least"] <= value < math.inf:
            expected = f"{rules['least']} or more,"
        elif rules["positive"] and not 0 < value < math.inf:
            expected = "a positive number,"
        else:
            continue
        raise ValueError(f"{path} must be {expected} got {value!r}")
    for rule in _rules(config):
        _require(*rule)


def _check_type(path: str, value: Any, annotation: Any) -> None:
    if typing.get_origin(annotation) is tuple:
        element = typing.get_args(annotation)[0]
        if isinstance(value, tuple) and all(_is(item, element) for item in value):
            return
        expected = f"a tuple of {element.__name__}, such as {TUPLES[element]}"
    elif _is(value, annotation):
        return
    else:
        expected = f"of type {annotation.__name__}"
    raise TypeError(f"{path} must be {expected}; got {value!r}")


def _is(value: Any, kind: type | types.UnionType) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(message)


def _rules(config: Config) -> typing.Iterator[tuple[bool, str]]:
    """All rules beyond those of single fields: (holds, message)."""
    yield from _data_rules(config)
    yield from _model_rules(config)
    yield from _optimizer_rules(config)
    training = config.training
    last = training.seed + training.num_seeds - 1
    yield (
        training.batch_size % training.microbatches == 0,
        "training.microbatches must divide training.batch_size: got "
        f"{training.microbatches} and {training.batch_size}",
    )
    yield (
        last <= MAX_SEED,
        f"training.seed must leave all seeds at most {MAX_SEED}; the last of "
        f"{training.num_seeds} would be {last}",
    )
    yield from _resample_rules(config)
    yield from _projection_rules(config)


def _data_rules(config: Config) -> typing.Iterator[tuple[bool, str]]:
    steps, validation = config.data.preprocess, config.data.validation
    per_class = config.data.validation_per_class
    yield (
        set(steps) <= set(data.PREPROCESSING),
        f"data.preprocess must be steps out of {', '.join(data.PREPROCESSING)}; got "
        + ", ".join(repr(step) for step in steps if step not in data.PREPROCESSING),
    )
    yield (
        validation < 1 or validation == int(validation),
        "data.validation must be a share in [0, 1) or a whole number of examples, got "
        f"{validation!r}",
    )
    yield (
        all(count >= 0 for count in per_class),
        "data.validation_per_class must be numbers of examples, 0 or more, got "
        f"{per_class!r}",
    )
    needs_validation = config.training.retrain_epochs or config.training.patience
    yield (
        not needs_validation or bool(any(per_class) if per_class else validation),
        "training.retrain_epochs and training.patience choose an epoch by its "
        "validation error: give data.validation a share above 0",
    )


def _model_rules(config: Config) -> typing.Iterator[tuple[bool, str]]:
    model, noise = config.model, config.noise
    yield (
        bool(model.widths) and all(width > 0 for width in model.widths),
        "model.widths must be one or more positive numbers of units, got "
        f"{model.widths!r}",
    )
    yield (
        model.pieces == 1 or model.name == "mlp",
        f"model.pieces={model.pieces} is for model.name=mlp, got {model.name!r}",
    )
    yield (
        not model.batch_norm or model.name != "autoencoder",
        "model.batch_norm is not for model.name=autoencoder; leave it False",
    )
    stddev = noise.scheme == "gaussian_noise"
    bound, kind = (math.inf, "standard deviation") if stddev else (1, "rate")
    # Used or not, a rate out of range is a mistake.
    rates = {"input_rate": (noise.input_rate,), "hidden_rate": (noise.hidden_rate,)}
    for name, values in (rates | {"hidden_rates": noise.hidden_rates}).items():
        for rate in values:
            yield (
                0 <= rate < bound,
                f"noise.{name} must be a {kind} in [0, {bound}) if noise.scheme is "
                f"{noise.scheme}, got {rate!r}",
            )


def _optimizer_rules(config: Config) -> typing.Iterator[tuple[bool, str]]:
    optimizer, epochs = config.optimizer, config.training.epochs
    shares = (0, *optimizer.milestones, 1)
    yield (
        0 <= optimizer.momentum < 1,
        f"optimizer.momentum must lie in [0, 1), got {optimizer.momentum!r}",
    )
    yield (
        all(a < b for a, b in itertools.pairwise(shares)),
        "optimizer.milestones must be rising shares of the epochs between 0 and 1, got "
        f"{optimizer.milestones!r}",
    )
    yield (
        optimizer.warmup_epochs < epochs,
        f"optimizer.warmup_epochs must be below training.epochs={epochs}, got "
        f"{optimizer.warmup_epochs!r}",
    )


def _resample_rules(config: Config) -> typing.Iterator[tuple[bool, str]]:
    """Rules for examples that pick their samples independently of each other."""
    if config.objective.num_samples == 1 or config.objective.strategy != "resample":
        return
    shared = {
        "batch statistics (model.batch_norm)": config.model.batch_norm,
        "batch statistics (model.name=wide_resnet)": config.model.name == "wide_resnet",
        "running averages (noise.shift)": config.noise.shift == "running_average",
        "a noise level per batch (noise.scheme)": (
            config.noise.scheme == "random_dropout_per_batch"
        ),
    }
    for what, is_shared in shared.items():
        yield (
            not is_shared,
            "objective.strategy=resample draws a noise sample per example, which "
            f"{what} make wrong; use fold, vmap or map",
        )


def _projection_rules(config: Config) -> typing.Iterator[tuple[bool, str]]:
    """Rules for noisy activations that the network without noise can reproduce."""
    rates, widths = config.projection.learning_rates, config.model.widths
    yield (
        bool(rates) and all(0 < rate < math.inf for rate in rates),
        f"projection.learning_rates must be positive numbers, got {rates!r}",
    )
    if config.training.mode != "back_projection":
        return
    wrong = {
        "noise.scheme=none": config.noise.scheme == "none",
        "noise.shift": config.noise.shift != "none",
        "model.batch_norm": config.model.batch_norm,
        "model.name=wide_resnet": config.model.name == "wide_resnet",
        "objective.num_samples": config.objective.num_samples != 1,
        "data.augment": config.data.augment,
        "data.stream=stream": config.data.stream == "stream",
        "training.checkpoint_steps": config.training.checkpoint_steps > 0,
    }
    reasons = [name for name, is_wrong in wrong.items() if is_wrong]
    yield (
        not reasons,
        "training.mode=back_projection finds an x* for noise on hidden layers, one "
        "sample per example, in a network without shifts, batch statistics, "
        "augmentation or streaming, and saves whole rounds; change "
        f"{', '.join(reasons)}, or use training.mode=noise",
    )
    has_rates = config.projection.method == "gradient_descent"
    is_dense = config.model.name in ("mlp", "autoencoder")
    yield (
        not (has_rates and is_dense) or len(rates) == len(widths),
        f"projection.learning_rates must be one per hidden layer: got {rates!r} for "
        f"model.widths={widths!r}",
    )

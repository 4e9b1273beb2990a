"""Checks of a configuration, before any data are loaded or anything is traced."""

import dataclasses
import math
import types
import typing
from typing import Any

from noisejax import data
from noisejax.training._check_together import check_together
from noisejax.training._config import Config, sections

CHOICES = {
    "data.stream": ("auto", "resident", "stream"),
    "model.name": (
        "mlp",
        "autoencoder",
        "soft_targets",
        "wide_resnet",
        "cnn",
        "maxout_cifar",
        "maxout_svhn",
        "vgg",
        "four_conv",
    ),
    "model.activation": (
        "relu",
        "tanh",
        "sigmoid",
        "gelu",
        "silu",
        "softplus",
        "linear",
    ),
    "model.kernel_init": ("he_normal", "glorot_uniform", "lecun_normal"),
    "noise.scheme": (
        "none",
        "dropout",
        "random_dropout",
        "random_dropout_per_batch",
        "gaussian_dropout",
        "gaussian_noise",
    ),
    "noise.shift": ("none", "input", "hidden", "both", "running_average"),
    "noise.bits": (32, 8),
    "objective.strategy": ("fold", "vmap", "map", "resample"),
    "objective.weighting": ("importance", "equal"),
    "optimizer.name": ("sgd", "adam", "adamw"),
    "optimizer.schedule": ("constant", "linear", "cosine", "steps"),
    "optimizer.decay": ("kernels", "all"),
    "projection.method": ("stable", "preconditioned", "gradient_descent"),
    "training.mode": ("noise", "back_projection"),
    "training.on_nan": ("stop", "skip"),
    "training.precision": ("float32", "bfloat16"),
}
"""Field -> what it may be."""

AT_LEAST = {
    "training.epochs": 1,
    "training.batch_size": 1,
    "training.num_seeds": 1,
    "training.microbatches": 1,
    "training.retrain_epochs": 0,
    "training.patience": 0,
    "training.seed": 0,
    "objective.num_samples": 1,
    "data.components": 1,
    "data.test_partition": 0,
    "model.depth": 10,
    "model.pieces": 1,
    "projection.num_steps": 1,
    "mesh.data": 1,
    "mesh.samples": 1,
    "optimizer.warmup_epochs": 0,
    "optimizer.weight_decay": 0,
    "optimizer.shift_decay": 0,
    "optimizer.max_norm": 0,
    "data.validation": 0,
}
"""Field -> its least value; infinity is none."""

POSITIVE = (
    *("model.width_factor", "optimizer.learning_rate", "optimizer.step_factor"),
    "optimizer.shift_rate",
)
"""Fields that are positive and finite."""

MAX_SEED = 2**31 - 1
"""Seeds are int32 on the device."""

TUPLES = {int: "(100, 100)", float: "(0.5, 0.5)", str: "('gcn', 'zca')"}
"""Kind of element -> what a tuple of it looks like."""


def check_config(config: Config) -> None:
    """Checks every field by itself, and those that must go together.

    Raises:
      TypeError: a value of the wrong type.
      ValueError: a value that is none of the possible ones, or out of range.
    """
    for section, cls in sections().items():
        for field in dataclasses.fields(cls):
            value = getattr(getattr(config, section), field.name)
            _check_type(f"{section}.{field.name}", value, field.type)
    for path, choices in CHOICES.items():
        if _get(config, path) not in choices:
            raise ValueError(
                f"{path} must be one of {', '.join(map(str, choices))}; got "
                f"{_get(config, path)!r}"
            )
    for path, least in AT_LEAST.items():
        if not least <= _get(config, path) < math.inf:
            raise ValueError(
                f"{path} must be {least} or more, got {_get(config, path)!r}"
            )
    for path in POSITIVE:
        if not 0 < _get(config, path) < math.inf:
            raise ValueError(
                f"{path} must be a positive number, got {_get(config, path)!r}"
            )
    if not 0 <= config.optimizer.momentum < 1:
        raise ValueError(
            f"optimizer.momentum must lie in [0, 1), got {config.optimizer.momentum!r}"
        )
    if not config.model.widths or any(width < 1 for width in config.model.widths):
        raise ValueError(
            "model.widths must be one or more positive numbers of units, got "
            f"{config.model.widths!r}"
        )
    _check_data(config)
    _check_rates(config)
    check_together(config)
    last = config.training.seed + config.training.num_seeds - 1
    if last > MAX_SEED:
        raise ValueError(
            f"training.seed must leave all seeds at most {MAX_SEED}; the last of "
            f"{config.training.num_seeds} would be {last}"
        )


def _check_data(config: Config) -> None:
    for step in config.data.preprocess:
        if step not in data.PREPROCESSING:
            raise ValueError(
                "data.preprocess must be steps out of "
                f"{', '.join(data.PREPROCESSING)}; got {step!r}"
            )
    validation = config.data.validation
    if validation >= 1 and validation != int(validation):
        raise ValueError(
            "data.validation must be a share in [0, 1) or a whole number of examples, "
            f"got {validation!r}"
        )
    per_class = config.data.validation_per_class
    if any(count < 0 for count in per_class):
        raise ValueError(
            "data.validation_per_class must be numbers of examples, 0 or more, got "
            f"{per_class!r}"
        )
    needs_validation = config.training.retrain_epochs or config.training.patience
    if needs_validation and not (any(per_class) if per_class else validation):
        raise ValueError(
            "training.retrain_epochs and training.patience choose an epoch by its "
            "validation error: give data.validation a share above 0"
        )


def _check_rates(config: Config) -> None:
    """Whether or not they are used: a rate out of range is a mistake."""
    rates = config.noise
    stddev = rates.scheme == "gaussian_noise"
    bound, kind = (math.inf, "standard deviation") if stddev else (1, "rate")
    for path in ("input_rate", "hidden_rate", "hidden_rates"):
        value = getattr(rates, path)
        for rate in value if isinstance(value, tuple) else (value,):
            if not 0 <= rate < bound:
                raise ValueError(
                    f"noise.{path} is a {kind} in [0, {bound}) where noise.scheme is "
                    f"{rates.scheme}, got {rate!r}"
                )


def _get(config: Config, path: str) -> Any:
    section, name = path.split(".")
    return getattr(getattr(config, section), name)


def _check_type(path: str, value: Any, annotation: Any) -> None:
    if typing.get_origin(annotation) is tuple:
        element = typing.get_args(annotation)[0]
        if isinstance(value, tuple) and all(_is(item, element) for item in value):
            return
        wanted = f"a tuple of {element.__name__}, such as {TUPLES[element]}"
    elif _is(value, annotation):
        return
    else:
        wanted = f"of type {annotation.__name__}"
    raise TypeError(f"{path} must be {wanted}; got {value!r}")


def _is(value: Any, kind: type | types.UnionType) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)

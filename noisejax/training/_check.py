"""Checks of a configuration, before any data are loaded or anything is traced."""

import dataclasses
import itertools
import math
import types
import typing
from typing import Any

from noisejax import data
from noisejax.training._config import Config, sections

CHOICES = {
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

POSITIVE = ("model.width_factor", "optimizer.learning_rate", "optimizer.step_factor")
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
    _check_schedule(config)
    _check_network(config)
    _check_resample(config)
    _check_projection(config)
    _check_back_projection(config)
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


def _check_schedule(config: Config) -> None:
    optimizer, epochs = config.optimizer, config.training.epochs
    shares = (0, *optimizer.milestones, 1)
    if not all(a < b for a, b in itertools.pairwise(shares)):
        raise ValueError(
            "optimizer.milestones must be rising shares of the epochs between 0 and 1, "
            f"got {optimizer.milestones!r}"
        )
    if optimizer.warmup_epochs and optimizer.warmup_epochs >= epochs:
        raise ValueError(
            f"optimizer.warmup_epochs must be below training.epochs={epochs}, got "
            f"{optimizer.warmup_epochs!r}"
        )


def _check_network(config: Config) -> None:
    """What a network has not is not asked for in vain."""
    model = config.model
    if model.pieces > 1 and model.name != "mlp":
        raise ValueError(
            f"model.pieces={model.pieces} is for model.name=mlp, got {model.name!r}"
        )
    if model.batch_norm and model.name == "autoencoder":
        raise ValueError(
            "model.batch_norm is not for model.name=autoencoder; leave it False"
        )


def _check_resample(config: Config) -> None:
    """Resampling picks a sample per example: nothing may be shared by the batch."""
    objective = config.objective
    if objective.num_samples == 1 or objective.strategy != "resample":
        return
    shared = {
        "batch statistics (model.batch_norm)": config.model.batch_norm,
        "batch statistics (model.name=wide_resnet)": config.model.name == "wide_resnet",
        "running averages (noise.shift)": config.noise.shift == "running_average",
        "a noise level per batch (noise.scheme)": (
            config.noise.scheme == "random_dropout_per_batch"
        ),
    }
    for what, is_there in shared.items():
        if is_there:
            raise ValueError(
                "objective.strategy=resample draws a noise sample per example, which "
                f"{what} make wrong; use fold, vmap or map"
            )


def _check_projection(config: Config) -> None:
    rates = config.projection.learning_rates
    if not rates or not all(0 < rate < math.inf for rate in rates):
        raise ValueError(
            f"projection.learning_rates must be positive numbers, got {rates!r}"
        )


def _check_back_projection(config: Config) -> None:
    """Training on x* is for noisy activations that the silent network can show."""
    if config.training.mode != "back_projection":
        return
    wrong = {
        "noise.scheme=none": config.noise.scheme == "none",
        "noise.shift": config.noise.shift != "none",
        "model.batch_norm": config.model.batch_norm,
        "model.name=wide_resnet": config.model.name == "wide_resnet",
        "objective.num_samples": config.objective.num_samples != 1,
        "data.augment": config.data.augment,
    }
    reasons = [name for name, is_so in wrong.items() if is_so]
    if reasons:
        raise ValueError(
            "training.mode=back_projection finds an x* for noise on hidden layers, "
            "one sample per example, in a network without shifts, batch statistics or "
            f"augmentation; change {', '.join(reasons)}, or use training.mode=noise"
        )
    projection, widths = config.projection, config.model.widths
    rates = projection.learning_rates
    has_rates = projection.method == "gradient_descent"
    is_dense = config.model.name in ("mlp", "autoencoder")
    if has_rates and is_dense and len(rates) != len(widths):
        raise ValueError(
            "projection.learning_rates must be one per hidden layer: got "
            f"{rates!r} for model.widths={widths!r}"
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

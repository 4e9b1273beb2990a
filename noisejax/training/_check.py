"""Checks of a configuration, before any data are loaded or anything is traced."""

import dataclasses
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
"""Field -> its least value."""


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
        if not _get(config, path) >= least:
            raise ValueError(
                f"{path} must be {least} or more, got {_get(config, path)!r}"
            )
    if not 0 < config.optimizer.learning_rate < math.inf:
        raise ValueError(
            "optimizer.learning_rate must be a positive number, got "
            f"{config.optimizer.learning_rate!r}"
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
    if not 0 < config.model.width_factor < math.inf:
        raise ValueError(
            "model.width_factor must be a positive number, got "
            f"{config.model.width_factor!r}"
        )
    if not 0 < config.optimizer.step_factor < math.inf:
        raise ValueError(
            "optimizer.step_factor must be a positive number, got "
            f"{config.optimizer.step_factor!r}"
        )
    for step in config.data.preprocess:
        if step not in data.PREPROCESSING:
            raise ValueError(
                "data.preprocess must be steps out of "
                f"{', '.join(data.PREPROCESSING)}; got {step!r}"
            )
    _check_resample(config)
    _check_back_projection(config)
    needs_validation = config.training.retrain_epochs or config.training.patience
    if needs_validation and not config.data.validation:
        raise ValueError(
            "training.retrain_epochs and training.patience choose an epoch by its "
            "validation error: give data.validation a share above 0"
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
    if not rates or not all(0 < rate < math.inf for rate in rates):
        raise ValueError(
            f"projection.learning_rates must be positive numbers, got {rates!r}"
        )
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
        wanted = f"a tuple of {element.__name__}, such as ({element(1)}, {element(2)})"
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

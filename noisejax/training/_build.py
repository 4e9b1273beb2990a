"""Build networks, noise schemes and activations from a configuration."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import optax
from flax import linen as nn
from jax import numpy as jnp
from jaxtyping import Array

from noisejax import activations, layers, models, noise
from noisejax.training._config import Config, ModelConfig, NoiseConfig
from noisejax.training._task import QUESTION_NETWORKS, Task, task_of

ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "relu": nn.relu,
    "tanh": nn.tanh,
    "sigmoid": nn.sigmoid,
    "gelu": nn.gelu,
    "silu": nn.silu,
    "softplus": nn.softplus,
    "linear": lambda x: x,
}

SHAPES: dict[str, Callable[..., Any]] = {
    "relu": activations.shifted_sigmoid_shape,
    "tanh": activations.exponential_shape,
    "gelu": activations.shifted_sigmoid_shape,
    "silu": activations.shifted_sigmoid_shape,
    "softplus": activations.shifted_sigmoid_shape,
}
"""Shape function of the GAAF of each activation, except for sigmoid."""

CONSTANTS = {
    activations.shifted_sigmoid_shape: ("steepness", "offset"),
    activations.exponential_shape: ("decay",),
}
"""Names of the constants of each shape function."""

KERNEL_INITS: dict[str, Callable[..., Any]] = {
    "he_normal": nn.initializers.he_normal,
    "glorot_uniform": nn.initializers.glorot_uniform,
    "lecun_normal": nn.initializers.lecun_normal,
}

LEVEL_AXES = {"token": "token", "head": "attention"}
"""Kind of noise site whose second axis has separate levels, by `noise.level_per`."""

SCHEMES: dict[str, Callable[[float, NoiseConfig], noise.Scheme]] = {
    "dropout": lambda rate, c: noise.Dropout(rate, c.bits, scale=c.scale),
    "random_dropout": lambda rate, c: noise.RandomDropout(rate, c.bits, scale=c.scale),
    "random_dropout_per_batch": lambda rate, c: noise.RandomDropout(
        rate, c.bits, batch_dims=0, scale=c.scale
    ),
    "gaussian_dropout": lambda rate, c: noise.GaussianDropout(rate),
    "gaussian_noise": lambda rate, c: noise.GaussianNoise(rate),
}


def build_activation(config: ModelConfig) -> Callable[[Array], Array]:
    """Build the activation function, with gradient acceleration if `gaaf` is True."""
    if not config.gaaf:
        return ACTIVATIONS[config.activation]
    if config.activation == "sigmoid":
        return activations.gaaf_sigmoid
    if config.activation not in SHAPES:
        raise ValueError(
            f"model.gaaf needs an activation that saturates: {', '.join(SHAPES)} "
            f"or sigmoid; got model.activation={config.activation!r}"
        )
    shape, constants = SHAPES[config.activation], config.shape_constants
    if constants:
        if len(constants) != len(CONSTANTS[shape]):
            raise ValueError(
                "model.shape_constants must be the "
                f"{' and the '.join(CONSTANTS[shape])} of the shape function of "
                f"{config.activation}; got {constants!r}"
            )
        named = dict(zip(CONSTANTS[shape], constants, strict=True))
        shape = functools.partial(shape, **named)
    return activations.gaaf(ACTIVATIONS[config.activation], shape)


def build_scheme(
    rate: float, config: NoiseConfig, site: str = "example"
) -> noise.Scheme | None:
    """Build the noise scheme of one layer; None if the layer has no noise.

    Args:
      rate: rate or standard deviation of the noise.
      config: noise configuration of the run.
      site: kind of noise site, "token" for [B, T, D], "attention" for
        [B, heads, T, T], or "example".
    """
    if config.scheme == "none" or rate == 0:
        return None
    scheme = SCHEMES[config.scheme](rate, config)
    if LEVEL_AXES.get(config.level_per) == site:
        return dataclasses.replace(scheme, batch_dims=2)
    return scheme


def build_noise_factor(
    config: NoiseConfig, *, epochs: int, steps_per_epoch: int, retrains: bool
) -> layers.Schedule | None:
    """Build the schedule of the factor of all noise levels; None if it is constant.

    f(t) = end + (start - end) c(t), with c decreasing from 1 to 0. Retraining uses the
    factor `end`.
    """
    if config.schedule == "constant":
        return None
    start, end = config.start_factor, config.end_factor
    if retrains:
        return lambda step: jnp.full_like(step, end, jnp.float32)
    steps = (config.schedule_epochs or epochs) * steps_per_epoch
    fall = {
        "linear": optax.linear_schedule(1.0, 0.0, steps),
        "cosine": optax.cosine_decay_schedule(1.0, steps),
    }[config.schedule]
    return lambda step: end + (start - end) * fall(step)


Outputs = int | tuple[int, int]
"""Number of classes, (tissues, outcomes) of soft targets, or (words, answers)."""


NETWORKS: dict[str, type[nn.Module]] = {
    "mlp": models.MLP,
    "autoencoder": models.Autoencoder,
    "soft_targets": models.SoftTargetMLP,
    "wide_resnet": models.WideResNet,
    "vit": models.ViT,
    "fusion": models.Fusion,
    "caption_lstm": models.CaptionLSTM,
    **dict.fromkeys(QUESTION_NETWORKS, models.StackedAttention),
    **dict.fromkeys(models.ARCHITECTURES, models.ConvNet),
}


def build_model(
    config: Config, num_classes: Outputs, *, with_noise: bool = True
) -> nn.Module:
    """Build the network of a run.

    Args:
      config: configuration of the run.
      num_classes: number of outputs, see `Outputs`.
      with_noise: False to build the network without noise. The shifts remain, so the
        parameters are the same.

    Raises:
      ValueError: a rate is out of range, the activation has no GAAF, or the number of
        rates differs from the number of hidden layers.
    """
    fields, network = config.model, NETWORKS[config.model.name]
    shift = config.noise.shift
    average = "running_average" if shift == "running_average" else False
    arguments: dict[str, Any] = dataclasses.asdict(fields) | {
        "name": None,
        "num_outputs": num_classes,
        "width": fields.token_width,
        "kernel_init": KERNEL_INITS[fields.kernel_init](),
        "activation": build_activation(fields),
        "input_shift": average or shift in ("input", "both"),
        "hidden_shift": average or shift in ("hidden", "both"),
    }
    if fields.name in models.ARCHITECTURES:
        architecture = models.ARCHITECTURES[fields.name]
        arguments["architecture"] = architecture.scaled(fields.width_factor)
    if fields.name == "wide_resnet":  # a wide_resnet has fixed initializers
        del arguments["kernel_init"]
    if fields.name == "caption_lstm":
        arguments["num_words"], arguments["width"] = num_classes, fields.widths[0]
    if fields.name in QUESTION_NETWORKS:
        arguments["num_words"], arguments["num_answers"] = num_classes
        arguments["width"] = fields.widths[0]
        arguments["uses_image"] = fields.name != "question_lstm"
    if fields.name == "soft_targets":
        arguments["num_tissues"], arguments["num_outcomes"] = num_classes
    if config.training.precision == "bfloat16":
        arguments["dot_general"] = models.bfloat16_products
        arguments["conv_general_dilated"] = models.bfloat16_convolutions
    known = {field.name for field in dataclasses.fields(network)}
    model = network(**{k: v for k, v in arguments.items() if k in known})
    if not with_noise:
        return model
    count = model.num_hidden_sites
    rates = config.noise.hidden_rates or (config.noise.hidden_rate,) * count
    if len(rates) != count:
        raise ValueError(
            f"noise.hidden_rates must be one rate per noisy hidden layer: {len(rates)} "
            f"rates {rates} for the {count} of this {fields.name}"
        )
    kind = "token" if fields.name == "vit" else "example"
    schemes: dict[str, Any] = {
        "input_noise": build_scheme(config.noise.input_rate, config.noise),
        "hidden_noise": tuple(build_scheme(rate, config.noise, kind) for rate in rates),
    }
    if fields.name in ("caption_lstm", *QUESTION_NETWORKS):
        [schemes["hidden_noise"]] = schemes["hidden_noise"]
    if fields.name == "caption_lstm":
        recurrent = build_scheme(config.noise.recurrent_rate, config.noise)
        schemes["recurrent_noise"] = recurrent
    if fields.name == "vit":
        sites = {"embedding": kind, "attention": "attention", "residual": kind}
        for site, kind in sites.items():
            rate = getattr(config.noise, f"{site}_rate")
            schemes[f"{site}_noise"] = build_scheme(rate, config.noise, kind)
        schemes["path_rate"] = config.noise.path_rate
    return model.clone(**schemes)


def build_task(config: Config, *, is_training: bool = False) -> Task:
    """Build the likelihood and the error of a run; only training smooths labels."""
    objective = config.objective
    stddev = objective.target_stddev if objective.likelihood == "gaussian" else None
    smoothing = objective.label_smoothing if is_training else 0.0
    name = config.model.name
    return task_of(name, target_stddev=stddev, label_smoothing=smoothing)


def steps_per_epoch(num_examples: int, batch_size: int) -> int:
    """Return the number of complete batches in an epoch.

    Raises:
      ValueError: an epoch has no complete batch.
    """
    if batch_size > num_examples:
        raise ValueError(
            f"training.batch_size={batch_size} is larger than the training part, which "
            f"has {num_examples} examples (after data.validation is held out)"
        )
    return num_examples // batch_size


def choose_strategy(config: Config) -> str:
    """Choose the strategy of a step: "vmap" instead of "fold" if that saves work."""
    objective, model = config.objective, config.model
    if objective.num_samples == 1:  # ordinary noisy training with every strategy
        return "fold"
    over_copies = (
        model.batch_norm
        or model.name == "wide_resnet"
        or config.noise.shift == "running_average"
    )
    quiet_input = not config.noise.input_rate and not over_copies
    return (
        "vmap" if objective.strategy == "fold" and quiet_input else objective.strategy
    )

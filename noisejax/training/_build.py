"""Networks, built from a configuration."""

import dataclasses
from collections.abc import Callable
from typing import Any

from flax import linen as nn

from noisejax import activations, models, noise
from noisejax.training._config import Config, ModelConfig, NoiseConfig

ACTIVATIONS: dict[str, Callable] = {
    "relu": nn.relu,
    "tanh": nn.tanh,
    "sigmoid": nn.sigmoid,
    "gelu": nn.gelu,
    "silu": nn.silu,
    "softplus": nn.softplus,
    "linear": lambda x: x,
}

SHAPES: dict[str, Callable] = {
    "relu": activations.shifted_sigmoid_shape,
    "tanh": activations.exponential_shape,
    "gelu": activations.shifted_sigmoid_shape,
    "silu": activations.shifted_sigmoid_shape,
    "softplus": activations.shifted_sigmoid_shape,
}
"""Activation -> shape function of its GAAF (sigmoid has its own GAAF)."""

KERNEL_INITS: dict[str, Callable] = {
    "he_normal": nn.initializers.he_normal,
    "glorot_uniform": nn.initializers.glorot_uniform,
    "lecun_normal": nn.initializers.lecun_normal,
}

SCHEMES: dict[str, Callable[[float, NoiseConfig], noise.Scheme]] = {
    "dropout": lambda rate, c: noise.Dropout(rate, c.bits, scale=c.scale),
    "random_dropout": lambda rate, c: noise.RandomDropout(rate, c.bits, scale=c.scale),
    "random_dropout_per_batch": lambda rate, c: noise.RandomDropout(
        rate, c.bits, batch_dims=0, scale=c.scale
    ),
    "gaussian_dropout": lambda rate, c: noise.GaussianDropout(rate),
    "gaussian_noise": lambda rate, c: noise.GaussianNoise(rate),
}


def build_activation(config: ModelConfig) -> Callable:
    """Build φ, with gradient acceleration if `gaaf` is set."""
    if not config.gaaf:
        return ACTIVATIONS[config.activation]
    if config.activation == "sigmoid":
        return activations.gaaf_sigmoid
    if config.activation not in SHAPES:
        raise ValueError(
            f"model.gaaf needs an activation that saturates: {', '.join(SHAPES)} "
            f"or sigmoid; got model.activation={config.activation!r}"
        )
    name = config.activation
    return activations.gaaf(ACTIVATIONS[name], SHAPES[name])


def build_scheme(rate: float, config: NoiseConfig) -> noise.Scheme | None:
    """Build the scheme of one noisy layer; None if it has no noise."""
    if config.scheme == "none" or rate == 0:
        return None
    return SCHEMES[config.scheme](rate, config)


Outputs = int | tuple[int, int]
"""Number of classes; (tissues, outcomes) for soft targets."""


NETWORKS: dict[str, type[nn.Module]] = {
    "mlp": models.MLP,
    "autoencoder": models.Autoencoder,
    "soft_targets": models.SoftTargetMLP,
    "wide_resnet": models.WideResNet,
    **dict.fromkeys(models.ARCHITECTURES, models.ConvNet),
}


def build_model(
    config: Config, num_classes: Outputs, *, with_noise: bool = True
) -> nn.Module:
    """Build the network of a run.

    Args:
      config: configuration of the run.
      num_classes: number of outputs; (tissues, outcomes) for soft targets.
      with_noise: False to build it without noise; shifts stay, so that the parameters
        are the same.

    Raises:
      ValueError: a rate is out of range, GAAF does not fit the activation, or the
        number of rates is not that of the hidden layers.
    """
    fields, network = config.model, NETWORKS[config.model.name]
    shift = config.noise.shift
    average = "running_average" if shift == "running_average" else False
    arguments: dict[str, Any] = {
        "num_outputs": num_classes,
        "widths": fields.widths,
        "depth": fields.depth,
        "width_factor": fields.width_factor,
        "pieces": fields.pieces,
        "batch_norm": fields.batch_norm,
        "kernel_init": KERNEL_INITS[fields.kernel_init](),
        "activation": build_activation(fields),
        "input_shift": average or shift in ("input", "both"),
        "hidden_shift": average or shift in ("hidden", "both"),
    }
    if fields.name in models.ARCHITECTURES:
        architecture = models.ARCHITECTURES[fields.name]
        arguments["architecture"] = architecture.scaled(fields.width_factor)
    if fields.name == "wide_resnet":  # it has its own initial kernels
        del arguments["kernel_init"]
    if fields.name == "soft_targets":
        arguments["num_tissues"], arguments["num_outcomes"] = num_classes
    if config.training.precision == "bfloat16":
        arguments["dot_general"] = models.bfloat16_products
        arguments["conv_general_dilated"] = models.bfloat16_convolutions
    known = {field.name for field in dataclasses.fields(network)}
    model = network(**{k: v for k, v in arguments.items() if k in known})
    if not with_noise:
        return model
    count = model.num_hidden_places
    rates = config.noise.hidden_rates or (config.noise.hidden_rate,) * count
    if len(rates) != count:
        raise ValueError(
            f"noise.hidden_rates must be one rate per noisy hidden layer: {len(rates)} "
            f"rates {rates} for the {count} of this {fields.name}"
        )
    return model.clone(
        input_noise=build_scheme(config.noise.input_rate, config.noise),
        hidden_noise=tuple(build_scheme(rate, config.noise) for rate in rates),
    )


def expected_samples(model: nn.Module) -> int:
    """The number of samples that a noisy forward pass applies: one per noisy layer."""
    schemes = (model.input_noise, *model.hidden_noise)
    return sum(scheme is not None for scheme in schemes)


def steps_per_epoch(num_examples: int, batch_size: int) -> int:
    """The number of whole batches in an epoch.

    Raises:
      ValueError: it is 0.
    """
    if batch_size > num_examples:
        raise ValueError(
            f"training.batch_size={batch_size} is larger than the training part, which "
            f"has {num_examples} examples (after data.validation is held out)"
        )
    return num_examples // batch_size


def choose_strategy(config: Config) -> str:
    """Strategy of a step: "vmap" for "fold" if it saves the layers before the noise."""
    objective, model = config.objective, config.model
    if objective.num_samples == 1:  # ordinary noisy training, whatever the strategy
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

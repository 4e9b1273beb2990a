"""From a configuration to a network: here configurations end."""

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
"""Activation -> the shape function of its GAAF (sigmoid has its own)."""

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
    """φ, with gradient acceleration if asked for."""
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
    """The scheme of one place in the network; None where it is silent."""
    if config.scheme == "none" or rate == 0:
        return None
    return SCHEMES[config.scheme](rate, config)


Outputs = int | tuple[int, int]
"""Classes; or tissues and outcomes, where targets are distributions."""


def build_model(
    config: Config, num_classes: Outputs, *, silent: bool = False
) -> nn.Module:
    """The network of a run.

    Args:
      config: of the run.
      num_classes: units of the output; of soft targets (tissues, outcomes).
      silent: leave the noise out; shifts stay, so that the parameters are the same.

    Raises:
      ValueError: a rate out of range, an activation that GAAF does not fit, another
        number of rates than of hidden layers.
    """
    shift = config.noise.shift
    average = "running_average" if shift == "running_average" else False
    arguments: dict[str, Any] = {
        "activation": build_activation(config.model),
        "input_shift": average or shift in ("input", "both"),
        "hidden_shift": average or shift in ("hidden", "both"),
    }
    network = NETWORKS[config.model.name]
    silent_model = network(config, num_classes, arguments)
    if silent:
        return silent_model
    places = silent_model.num_hidden_places
    rates = config.noise.hidden_rates or (config.noise.hidden_rate,) * places
    if len(rates) != places:
        raise ValueError(
            f"noise.hidden_rates must be one rate per noisy hidden layer: {len(rates)} "
            f"rates {rates} for the {places} of this {config.model.name}"
        )
    arguments["input_noise"] = build_scheme(config.noise.input_rate, config.noise)
    arguments["hidden_noise"] = tuple(
        build_scheme(rate, config.noise) for rate in rates
    )
    return network(config, num_classes, arguments)


def _mlp(config: Config, num_classes: int, arguments: dict[str, Any]) -> nn.Module:
    return models.MLP(
        config.model.widths,
        num_classes,
        batch_norm=config.model.batch_norm,
        pieces=config.model.pieces,
        **_initial(config),
        **_dense_precision(config),
        **arguments,
    )


def _autoencoder(
    config: Config, num_classes: int, arguments: dict[str, Any]
) -> nn.Module:
    del num_classes
    return models.Autoencoder(
        config.model.widths,
        **_initial(config),
        **_dense_precision(config),
        **arguments,
    )


def _soft_targets(
    config: Config, num_classes: tuple[int, int], arguments: dict[str, Any]
) -> nn.Module:
    return models.SoftTargetMLP(
        *num_classes,
        config.model.widths,
        batch_norm=config.model.batch_norm,
        pieces=config.model.pieces,
        **_initial(config),
        **_dense_precision(config),
        **arguments,
    )


def _conv_net(config: Config, num_classes: int, arguments: dict[str, Any]) -> nn.Module:
    architecture = models.ARCHITECTURES[config.model.name]
    return models.ConvNet(
        architecture.scaled(config.model.width_factor),
        num_classes,
        batch_norm=config.model.batch_norm,
        **_initial(config),
        **_dense_precision(config),
        **_conv_precision(config),
        **arguments,
    )


def _wide_resnet(
    config: Config, num_classes: int, arguments: dict[str, Any]
) -> nn.Module:
    return models.WideResNet(
        num_classes,
        depth=config.model.depth,
        width_factor=config.model.width_factor,
        **_dense_precision(config),
        **_conv_precision(config),
        **arguments,
    )


NETWORKS: dict[str, Callable[[Config, Any, dict[str, Any]], nn.Module]] = {
    "mlp": _mlp,
    "autoencoder": _autoencoder,
    "soft_targets": _soft_targets,
    "wide_resnet": _wide_resnet,
    **dict.fromkeys(models.ARCHITECTURES, _conv_net),
}


def _initial(config: Config) -> dict[str, Any]:
    return {"kernel_init": KERNEL_INITS[config.model.kernel_init]()}


def _dense_precision(config: Config) -> dict[str, Any]:
    low = config.training.precision == "bfloat16"
    return {"dot_general": models.bfloat16_products} if low else {}


def _conv_precision(config: Config) -> dict[str, Any]:
    low = config.training.precision == "bfloat16"
    return {"conv_general_dilated": models.bfloat16_convolutions} if low else {}


def expected_samples(model: nn.Module) -> int:
    """How many samples a noisy forward pass applies: one per noisy place."""
    schemes = (model.input_noise, *model.hidden_noise)
    return sum(scheme is not None for scheme in schemes)


def steps_per_epoch(num_examples: int, batch_size: int) -> int:
    """Whole batches in an epoch.

    Raises:
      ValueError: there is none.
    """
    if batch_size > num_examples:
        raise ValueError(
            f"training.batch_size={batch_size} is larger than the training part, which "
            f"has {num_examples} examples (after data.validation is held out)"
        )
    return num_examples // batch_size

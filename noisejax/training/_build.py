"""From a configuration to a network: here configurations end."""

from collections.abc import Callable

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


def hidden_rates(config: Config) -> tuple[float, ...]:
    """The rate of each hidden layer."""
    return config.noise.hidden_rates or (config.noise.hidden_rate,) * len(
        config.model.widths
    )


def build_model(config: Config, num_classes: int) -> nn.Module:
    """The network of a run.

    Raises:
      ValueError: a rate out of range, an activation that GAAF does not fit.
    """
    shift = config.noise.shift
    average = "running_average" if shift == "running_average" else False
    arguments = {
        "widths": tuple(config.model.widths),
        "activation": build_activation(config.model),
        "input_noise": build_scheme(config.noise.input_rate, config.noise),
        "hidden_noise": tuple(
            build_scheme(rate, config.noise) for rate in hidden_rates(config)
        ),
        "input_shift": average or shift in ("input", "both"),
        "hidden_shift": average or shift in ("hidden", "both"),
        "kernel_init": KERNEL_INITS[config.model.kernel_init](),
    }
    if config.training.precision == "bfloat16":
        arguments["dot_general"] = models.bfloat16_products
    if config.model.name == "autoencoder":
        return models.Autoencoder(**arguments)
    return models.MLP(num_outputs=num_classes, **arguments)


def expected_samples(config: Config) -> int:
    """How many samples a noisy forward pass applies: one per noisy place."""
    rates = (config.noise.input_rate, *hidden_rates(config))
    return sum(build_scheme(rate, config.noise) is not None for rate in rates)


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

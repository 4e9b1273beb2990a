"""Checks of fields that must go together."""

import itertools
import math

from noisejax.training._config import Config


def check_together(config: Config) -> None:
    """Checks what no field says by itself; each by itself is right.

    Raises:
      ValueError: fields that cannot go together.
    """
    _check_schedule(config)
    _check_network(config)
    _check_resample(config)
    _check_projection(config)
    _check_back_projection(config)
    _check_microbatches(config)


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
        "data.stream=stream": config.data.stream == "stream",
    }
    reasons = [name for name, is_so in wrong.items() if is_so]
    if reasons:
        raise ValueError(
            "training.mode=back_projection finds an x* for noise on hidden layers, "
            "one sample per example, in a network without shifts, batch statistics, "
            f"augmentation or streaming; change {', '.join(reasons)}, or use "
            "training.mode=noise"
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


def _check_microbatches(config: Config) -> None:
    batch, parts = config.training.batch_size, config.training.microbatches
    if batch % parts:
        raise ValueError(
            "training.microbatches must divide training.batch_size: got "
            f"{parts} and {batch}"
        )

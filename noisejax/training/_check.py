"""Checks of a configuration, before data are loaded or anything is traced."""

import itertools
import math
from collections.abc import Iterator

from noisejax import data
from noisejax.training._config import Config, all_fields, sections
from noisejax.training._optimizer import is_pattern
from noisejax.training._sections import check_value
from noisejax.training._task import QUESTION_NETWORKS, TASKS

MAX_SEED = 2**31 - 1
"""Seeds are int32 on the device."""

SEQUENCE_NETWORKS = ("caption_lstm", *QUESTION_NETWORKS)
"""Networks whose input contains words."""

TRANSFORMER_RATES = ("embedding_rate", "attention_rate", "residual_rate")
"""Rates at noise sites that only transformers have."""


def check_config(config: Config) -> None:
    """Check every field by itself, then the combinations of fields.

    Raises:
      TypeError: a value has the wrong type.
      ValueError: a value is not one of the choices, or is out of range.
    """
    for section, cls in sections().items():
        if not isinstance(getattr(config, section), cls):
            raise TypeError(
                f"{section} must be a {cls.__name__}; got {getattr(config, section)!r}"
            )
    for path, field in all_fields().items():
        section, name = path.split(".")
        check_value(path, getattr(getattr(config, section), name), field)
    for holds, message in rules(config):
        if not holds:
            raise ValueError(message)


def rules(config: Config) -> Iterator[tuple[bool, str]]:
    """Yield the rules on combinations of fields, as (holds, message)."""
    yield from _data_rules(config)
    yield from _model_rules(config)
    yield from _transformer_rules(config)
    yield from _noise_rules(config)
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
    classifies = config.model.name not in TASKS
    smoothing = config.objective.label_smoothing
    yield (
        smoothing < 1 and (classifies or not smoothing),
        "objective.label_smoothing must lie in [0, 1), and needs a network that "
        f"classifies; got {smoothing} and model.name={config.model.name}",
    )
    regresses = config.objective.likelihood == "gaussian"
    yield (
        not regresses or (classifies and not smoothing),
        "objective.likelihood=gaussian needs a network with one output per target, and "
        f"no label smoothing; got model.name={config.model.name} and "
        f"objective.label_smoothing={smoothing}",
    )
    yield (
        regresses or config.objective.target_stddev == 1,
        f"objective.target_stddev={config.objective.target_stddev} is for "
        "objective.likelihood=gaussian",
    )
    yield (
        is_pattern(training.trainable),
        f"training.trainable={training.trainable!r} is no regular expression; see "
        "Python's module re, for example dense_output|norm",
    )
    yield from _resample_rules(config)
    yield from _projection_rules(config)


def _data_rules(config: Config) -> Iterator[tuple[bool, str]]:
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


def _model_rules(config: Config) -> Iterator[tuple[bool, str]]:
    model = config.model
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
        not model.shape_constants or (model.gaaf and model.activation != "sigmoid"),
        "model.shape_constants are for model.gaaf of another activation than sigmoid; "
        f"got model.gaaf={model.gaaf} and {model.activation}",
    )
    yield (
        all(0 < constant < math.inf for constant in model.shape_constants),
        f"model.shape_constants must be positive, got {model.shape_constants!r}",
    )
    yield (
        not model.batch_norm or model.name not in ("autoencoder", *SEQUENCE_NETWORKS),
        f"model.batch_norm is not for model.name={model.name}; leave it False",
    )
    yield (
        model.name not in SEQUENCE_NETWORKS
        or (len(model.widths) == 1 and config.noise.shift == "none"),
        f"model.name={model.name} has one width and no shifts: model.widths must be "
        f"one number, noise.shift none; got {model.widths!r} and {config.noise.shift}",
    )


def _transformer_rules(config: Config) -> Iterator[tuple[bool, str]]:
    model, noise = config.model, config.noise
    is_vit = model.name == "vit"
    yield (
        not is_vit or model.token_width % model.heads == 0,
        f"model.heads must divide model.token_width, got {model.heads} and "
        f"{model.token_width}",
    )
    yield (
        not is_vit or not model.batch_norm,
        "model.batch_norm is not for model.name=vit, which normalises layers",
    )
    owners = dict.fromkeys((*TRANSFORMER_RATES, "path_rate"), "vit")
    owners["recurrent_rate"] = "caption_lstm"
    for name, owner in owners.items():
        rate = getattr(noise, name)
        yield (
            model.name == owner or rate == 0,
            f"noise.{name}={rate} is for model.name={owner}, got {model.name}",
        )
    yield (
        noise.level_per == "example" or (is_vit and noise.scheme == "random_dropout"),
        f"noise.level_per={noise.level_per} is for noise.scheme=random_dropout and "
        f"model.name=vit, got {noise.scheme} and {model.name}",
    )
    yield (
        noise.level_per != "head" or noise.attention_rate > 0,
        "noise.level_per=head is for noise on attention weights: set "
        "noise.attention_rate above 0",
    )


def _noise_rules(config: Config) -> Iterator[tuple[bool, str]]:
    noise, epochs = config.noise, config.training.epochs
    is_scheduled = noise.schedule != "constant"
    factors = (noise.start_factor, noise.end_factor)
    highest = max(1.0, *factors) if is_scheduled else 1.0
    stddev = noise.scheme == "gaussian_noise"
    bound, kind = (math.inf, "standard deviation") if stddev else (1, "rate")
    # Used or not, a rate out of range is a mistake.
    names = ("input_rate", "hidden_rate", "recurrent_rate", *TRANSFORMER_RATES)
    rates = [(name, getattr(noise, name), bound, kind) for name in names]
    rates += [("hidden_rates", rate, bound, kind) for rate in noise.hidden_rates]
    rates += [("path_rate", noise.path_rate, 1, "rate")]
    for name, rate, below, kind in rates:
        yield (
            0 <= rate < below,
            f"noise.{name} must be a {kind} in [0, {below}) if noise.scheme is "
            f"{noise.scheme}, got {rate!r}",
        )
        yield (
            rate * highest < below,
            f"noise.{name} times the largest factor of noise.schedule must be below "
            f"{below}, got {rate} times {highest}",
        )
    unused = {"start_factor": 1.0, "end_factor": 0.0, "schedule_epochs": 0}
    for name, default in unused.items():
        value = getattr(noise, name)
        yield (
            is_scheduled or value == default,
            f"noise.{name}={value} is for noise.schedule=linear or cosine",
        )
    learned = noise.shift in ("input", "hidden", "both")
    yield (
        noise.shift_start == "zero" or (learned and not config.training.init_from),
        "noise.shift_start=minus_mean is for learned shifts (noise.shift=input, hidden "
        f"or both) of a new network; got noise.shift={noise.shift} and "
        f"training.init_from={config.training.init_from!r}",
    )
    yield (
        noise.schedule_epochs <= epochs,
        "noise.schedule_epochs must end within the training, which has "
        f"training.epochs={epochs}; got {noise.schedule_epochs}",
    )


def _optimizer_rules(config: Config) -> Iterator[tuple[bool, str]]:
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


def _resample_rules(config: Config) -> Iterator[tuple[bool, str]]:
    """Yield the rules for a strategy that draws samples for each example."""
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


def _projection_rules(config: Config) -> Iterator[tuple[bool, str]]:
    """Yield the rules for back-projection."""
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
        f"model.name={config.model.name}": config.model.name
        in ("wide_resnet", "vit", *SEQUENCE_NETWORKS),
        "noise.schedule": config.noise.schedule != "constant",
        "training.trainable": bool(config.training.trainable),
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

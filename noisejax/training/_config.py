"""The fields of a training run: typed, each with its doc. `_check` checks values."""

import dataclasses
from typing import Any


def field(default: Any, doc: str) -> Any:
    """A field of a section, with what it means."""
    return dataclasses.field(default=default, metadata={"doc": doc})


@dataclasses.dataclass
class DataConfig:
    """What to learn from."""

    name: str = field(
        "digits",
        "digits (embedded), mnist, fashion_mnist, cifar10, cifar100, svhn_cropped, "
        "svhn_cropped_extra (train + extra), splicing_stand_in (GENERATED soft "
        "targets), or the path of an .npz file: of x_train, y_train, x_test, y_test, "
        "or, of soft targets, x, y, partition",
    )
    inverted: bool = field(False, "invert the encoding: x becomes 1 - x")
    validation: float = field(
        0.1, "held out for validation: a share in [0, 1), or a number of examples"
    )
    validation_per_class: tuple[int, ...] = field(
        (),
        "held out per class, in place of validation: one number for each part of the "
        "training data, such as (400, 200) of svhn_cropped_extra",
    )
    test_partition: int = field(
        0, "of soft targets: the partition that is tested on, the others are trained on"
    )
    preprocess: tuple[str, ...] = field(
        (),
        "steps, in order: gcn, zca, pca, standardise; fitted on the training examples",
    )
    components: int = field(781, "principal components that the step pca keeps")
    stream: str = field(
        "auto",
        "where the examples are: resident (on every device), stream (on the host, read "
        "ahead by grain), or auto: stream where they take half of a device's memory; "
        "the batches are the same",
    )
    augment: bool = field(
        False, "random flips and 4-pixel crops of training images, on the device"
    )


@dataclasses.dataclass
class ModelConfig:
    """The network."""

    name: str = field(
        "mlp",
        "mlp, autoencoder (a learning rate near 0.001 suits it), soft_targets (an mlp "
        "with a distribution per tissue), wide_resnet, or a convolutional network: "
        "cnn, maxout_cifar, maxout_svhn, vgg, four_conv",
    )
    widths: tuple[int, ...] = field(
        (1000, 1000), "units of the hidden layers of mlp, autoencoder, soft_targets"
    )
    depth: int = field(28, "of a wide_resnet: 6 n + 4")
    width_factor: float = field(
        1.0, "of a wide_resnet; of a convolutional network, times the published widths"
    )
    batch_norm: bool = field(False, "normalise net values over the batch")
    pieces: int = field(1, "linear pieces of an mlp's maxout units; 1: activation")
    activation: str = field(
        "relu", "relu, tanh, sigmoid, gelu, silu, softplus or linear"
    )
    gaaf: bool = field(
        False, "add gradient acceleration to the activation (Hahn, eq. 8)"
    )
    kernel_init: str = field(
        "lecun_normal",
        "lecun_normal, he_normal or glorot_uniform (a wide_resnet has its own)",
    )


@dataclasses.dataclass
class NoiseConfig:
    """The noise on the input and on each hidden layer."""

    scheme: str = field(
        "dropout",
        "none, dropout, random_dropout, random_dropout_per_batch, gaussian_dropout or "
        "gaussian_noise (whose rates are standard deviations)",
    )
    input_rate: float = field(0.2, "rate on the input")
    hidden_rate: float = field(0.5, "rate on the hidden layers")
    hidden_rates: tuple[float, ...] = field(
        (), "rates of the hidden layers one by one, in place of hidden_rate"
    )
    shift: str = field(
        "none",
        "invariant dropout (Ba): none, input, hidden, both, or running_average (the "
        "baseline that subtracts it everywhere)",
    )
    bits: int = field(32, "random bits per unit: 32, or 8")
    scale: bool = field(True, "scale kept units by 1 / (1 - rate) while training")


@dataclasses.dataclass
class ObjectiveConfig:
    """What is maximised (Noh et al. 2017)."""

    num_samples: int = field(1, "noise samples per example, S")
    strategy: str = field("fold", "how S samples are run: fold, vmap, map or resample")
    weighting: str = field("importance", "importance (IWSGD) or equal (its control)")


@dataclasses.dataclass
class OptimizerConfig:
    """How it is maximised."""

    name: str = field("sgd", "sgd, adam or adamw")
    learning_rate: float = field(0.05, "at the start, or after the warm-up")
    schedule: str = field(
        "cosine",
        "of the learning rate over training.epochs: constant, linear, cosine, or steps",
    )
    milestones: tuple[float, ...] = field(
        (0.3, 0.6, 0.8), "shares of the epochs after which the schedule steps falls"
    )
    step_factor: float = field(0.2, "by which it falls")
    warmup_epochs: float = field(0.0, "epochs of linear warm-up")
    momentum: float = field(0.9, "of sgd; b1 of adam and adamw")
    nesterov: bool = field(True, "Nesterov's momentum")
    weight_decay: float = field(
        0.0, "of weights (kernels): added to the gradient; decoupled with adamw"
    )
    decay: str = field(
        "kernels", "what weight_decay acts on: kernels, or all parameters but shifts"
    )
    shift_decay: float = field(
        0.1, "of shifts, added to the gradient of the batch's summed loss (Ba: 0.1)"
    )
    shift_rate: float = field(
        1.0, "learning rate of the shifts, as a multiple of learning_rate"
    )
    max_norm: float = field(
        0.0, "largest L2 norm of a unit's incoming weights; 0: none"
    )


@dataclasses.dataclass
class TrainingConfig:
    """How long, and how it is judged."""

    epochs: int = field(100, "passes over the training part")
    batch_size: int = field(
        100, "examples per step; the last, smaller batch is left out"
    )
    microbatches: int = field(
        1,
        "parts of a batch that run one after another, to save memory: gradients are "
        "averaged, noise is new in each, batch statistics are of each",
    )
    seed: int = field(0, "of the first run; the others follow, one by one")
    num_seeds: int = field(1, "runs at once, in one program")
    mode: str = field("noise", "noise, or back_projection (train on x and x*)")
    retrain_epochs: int = field(
        0, "train the chosen model further on train + validation, for so many epochs"
    )
    patience: int = field(0, "stop after so many epochs without a better one; 0: never")
    on_nan: str = field("stop", "when a loss is not finite: stop, or skip the step")
    precision: str = field("float32", "float32, or bfloat16 products with float32 sums")
    gradients: bool = field(
        False, "write mean |gradient| of every weight matrix, too (Hahn, eq. 5)"
    )
    tensorboard: bool = field(False, "write event files, too (needs tensorboardX)")


@dataclasses.dataclass
class ProjectionConfig:
    """How x* is found where training.mode is back_projection (Bouthillier et al.)."""

    num_steps: int = field(20, "descent steps on the input")
    method: str = field(
        "stable",
        "stable (the step from Lanczos' iteration), preconditioned, or "
        "gradient_descent (with learning_rates)",
    )
    learning_rates: tuple[float, ...] = field(
        (300.0, 30.0), "of gradient_descent, one per hidden layer (the paper's)"
    )
    per_layer: bool = field(
        False, "an x* for each hidden layer, in place of a joint one"
    )
    bounded: bool = field(False, "keep x* within [0, 1]")


@dataclasses.dataclass
class MeshConfig:
    """Over which devices."""

    data: int = field(1, "devices that share a batch")
    samples: int = field(1, "devices that share the noise samples or the seeds")


@dataclasses.dataclass
class Config:
    """Everything that a run depends on, besides the code and the data."""

    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    noise: NoiseConfig = dataclasses.field(default_factory=NoiseConfig)
    objective: ObjectiveConfig = dataclasses.field(default_factory=ObjectiveConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    training: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)
    projection: ProjectionConfig = dataclasses.field(default_factory=ProjectionConfig)
    mesh: MeshConfig = dataclasses.field(default_factory=MeshConfig)


def sections() -> dict[str, type]:
    """The sections of a configuration, by name."""
    return {f.name: f.type for f in dataclasses.fields(Config)}


def describe() -> str:
    """All fields with type, default and meaning, one a line."""
    lines = []
    for section, cls in sections().items():
        lines.append(f"{section}: {cls.__doc__}")
        for f in dataclasses.fields(cls):
            lines.append(f"  {section}.{f.name}={f.default!r}  {f.metadata['doc']}")
    return "\n".join(lines)


def to_dict(config: Config) -> dict[str, dict[str, Any]]:
    """A configuration as plain values, as config.json holds them."""
    return dataclasses.asdict(config)


def from_dict(values: dict[str, dict[str, Any]]) -> Config:
    """The configuration that `to_dict` gave.

    Raises:
      ValueError: no sections of fields, or an unknown section or field.
    """
    config = Config()
    known = sections()
    if not isinstance(values, dict):
        raise ValueError(f"a configuration is sections of fields, got {values!r}")
    for section, entries in values.items():
        if section not in known:
            raise ValueError(
                f"unknown section {section!r}; the sections are {', '.join(known)}"
            )
        if not isinstance(entries, dict):
            raise ValueError(f"the section {section!r} holds fields, got {entries!r}")
        for name, value in entries.items():
            names = [f.name for f in dataclasses.fields(known[section])]
            if name not in names:
                raise ValueError(unknown_field(f"{section}.{name}"))
            if isinstance(value, list):
                value = tuple(value)
            setattr(getattr(config, section), name, value)
    return config


def unknown_field(path: str) -> str:
    """What to say of a field that there is not."""
    section, _, _ = path.partition(".")
    if section in sections():
        names = [f"{section}.{f.name}" for f in dataclasses.fields(sections()[section])]
    else:
        names = [f"{name}.*" for name in sections()]
    return f"there is no field {path!r}; there are {', '.join(names)}"

"""Configuration of a run: sections of typed fields, each with default and meaning."""

import dataclasses
from typing import Any

from noisejax.training._sections import (
    DataConfig,
    Fields,
    ModelConfig,
    NoiseConfig,
    field,
    unknown,
)


@dataclasses.dataclass
class ObjectiveConfig(Fields):
    """Objective of training (Noh et al. 2017)."""

    num_samples: int = field(1, "number of noise samples per example, S", least=1)
    strategy: str = field(
        "fold",
        "strategy for S samples (fold may use vmap if the input has no noise)",
        choices=("fold", "vmap", "map", "resample"),
    )
    weighting: str = field(
        "importance",
        "weighting of the samples (equal is the control experiment of IWSGD)",
        choices=("importance", "equal"),
    )
    likelihood: str = field(
        "categorical",
        "likelihood of the targets; categorical: class labels, gaussian: real-valued "
        "targets (other kinds of networks have their own)",
        choices=("categorical", "gaussian"),
    )
    target_stddev: float = field(
        1.0,
        "standard deviation of the gaussian likelihood, relative to that of the "
        "targets; it scales the log-likelihoods that weight the noise samples",
        positive=True,
    )
    label_smoothing: float = field(
        0.0, "share of a label spread over all classes while training", least=0
    )


@dataclasses.dataclass
class OptimizerConfig(Fields):
    """Optimizer."""

    name: str = field("sgd", "optimizer", choices=("sgd", "adam", "adamw"))
    learning_rate: float = field(
        0.05, "initial learning rate, reached after the warm-up", positive=True
    )
    schedule: str = field(
        "cosine",
        "schedule of the learning rate over training.epochs",
        choices=("constant", "linear", "cosine", "steps"),
    )
    milestones: tuple[float, ...] = field(
        (0.3, 0.6, 0.8), "fractions of the epochs at which the schedule steps falls"
    )
    step_factor: float = field(
        0.2, "factor of the learning rate at each milestone", positive=True
    )
    warmup_epochs: float = field(0.0, "number of epochs of linear warm-up", least=0)
    momentum: float = field(0.9, "momentum of sgd, or b1 of adam and adamw")
    nesterov: bool = field(True, "use Nesterov's momentum")
    weight_decay: float = field(
        0.0,
        "weight decay; added to the gradient, except for adamw, which decouples it",
        least=0,
    )
    decay: str = field(
        "kernels",
        "parameters that weight_decay applies to (all: all except shifts)",
        choices=("kernels", "all"),
    )
    shift_decay: float = field(
        0.1,
        "decay of shifts, added to the gradient of the loss summed over a batch (Ba)",
        least=0,
    )
    shift_rate: float = field(
        1.0,
        "ratio of the shifts' learning rate to learning_rate",
        positive=True,
    )
    max_norm: float = field(
        0.0, "largest L2 norm of a unit's incoming weights; 0: no limit", least=0
    )
    clip_norm: float = field(
        0.0, "largest global L2 norm of the gradients; 0: no limit", least=0
    )


@dataclasses.dataclass
class TrainingConfig(Fields):
    """Length, seeds and checks of the training."""

    epochs: int = field(100, "number of passes over the training examples", least=1)
    batch_size: int = field(
        100, "number of examples per step; an incomplete last batch is skipped", least=1
    )
    microbatches: int = field(
        1,
        "number of parts of a batch that run one after another, to save memory; "
        "gradients are averaged, and each part has its own noise and batch statistics",
        least=1,
    )
    steps_per_call: int = field(
        0,
        "number of steps per compiled call, which scans them if it is above 1; 0: 1 on "
        "a CPU, 32 on accelerators",
        least=0,
    )
    checkpoint_steps: int = field(
        0,
        "steps between checkpoints within an epoch, for preemptible machines; "
        "0: save at the end of each epoch only",
        least=0,
    )
    seed: int = field(0, "first seed", least=0)
    num_seeds: int = field(1, "number of consecutive seeds that are trained", least=1)
    mode: str = field(
        "noise",
        "training mode (back_projection trains on x and x*, without noise)",
        choices=("noise", "back_projection"),
    )
    retrain_epochs: int = field(
        0,
        "number of epochs that train the best model further, on training and "
        "validation examples",
        least=0,
    )
    patience: int = field(
        0, "epochs without improvement before a seed stops; 0: never stop", least=0
    )
    on_nan: str = field(
        "stop", "what to do if a loss is not finite", choices=("stop", "skip")
    )
    precision: str = field(
        "float32",
        "precision of matrix products, which are summed in float32",
        choices=("float32", "bfloat16"),
    )
    gradients: bool = field(
        False, "record the mean |gradient| of every weight matrix (Hahn, eq. 5)"
    )
    init_from: str = field(
        "",
        "directory of a finished run whose parameters initialise the network, except "
        "for an output layer of another shape or for other data.classes",
    )
    trainable: str = field(
        "",
        "regular expression such as dense_output|norm; parameters whose names do not "
        "contain a match are frozen (empty: train all)",
    )
    tensorboard: bool = field(
        False, "write TensorBoard event files, too (needs tensorboardX)"
    )


@dataclasses.dataclass
class ProjectionConfig(Fields):
    """Search for x*, used if training.mode is back_projection (Bouthillier et al.)."""

    num_steps: int = field(20, "number of descent steps on the input", least=1)
    method: str = field(
        "stable",
        "descent method (stable computes the step size by Lanczos iteration; "
        "gradient_descent uses learning_rates)",
        choices=("stable", "preconditioned", "gradient_descent"),
    )
    learning_rates: tuple[float, ...] = field(
        (300.0, 30.0), "learning rate of gradient_descent for each hidden layer"
    )
    per_layer: bool = field(
        False, "find an x* for each hidden layer, instead of one for all layers"
    )
    bounded: bool = field(False, "keep x* within [0, 1]")


@dataclasses.dataclass
class MeshConfig(Fields):
    """Mesh of devices."""

    data: int = field(1, "number of devices that share a batch", least=1)
    samples: int = field(
        1, "number of devices that share the noise samples or the seeds", least=1
    )


@dataclasses.dataclass
class Config(Fields):
    """Configuration of a run. With the code and the data, it determines the result."""

    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    noise: NoiseConfig = dataclasses.field(default_factory=NoiseConfig)
    objective: ObjectiveConfig = dataclasses.field(default_factory=ObjectiveConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    training: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)
    projection: ProjectionConfig = dataclasses.field(default_factory=ProjectionConfig)
    mesh: MeshConfig = dataclasses.field(default_factory=MeshConfig)


def sections() -> dict[str, type]:
    """Return the classes of the sections, by name."""
    return {f.name: f.type for f in dataclasses.fields(Config)}


def all_fields() -> dict[str, dataclasses.Field[Any]]:
    """Return the fields of all sections, by paths such as "model.name"."""
    return {
        f"{section}.{f.name}": f
        for section, cls in sections().items()
        for f in dataclasses.fields(cls)
    }


def describe() -> str:
    """Describe all fields, one per line, with defaults and meanings."""
    lines = []
    for section, cls in sections().items():
        lines.append(f"{section}: {cls.__doc__}")
        for f in dataclasses.fields(cls):
            lines.append(f"  {section}.{f.name}={f.default!r}  {f.metadata['doc']}")
    return "\n".join(lines)


def to_dict(config: Config) -> dict[str, dict[str, Any]]:
    """Convert a configuration to the plain values of config.json."""
    return dataclasses.asdict(config)


def from_dict(values: dict[str, dict[str, Any]]) -> Config:
    """Convert plain values back to a configuration (the inverse of `to_dict`).

    Raises:
      ValueError: the values are not sections of fields, or a name is unknown.
    """
    config = Config()
    if not isinstance(values, dict):
        raise ValueError(f"a configuration is sections of fields, got {values!r}")
    for section, entries in values.items():
        if section not in sections():
            raise ValueError(
                f"unknown section {section!r}; the sections are {', '.join(sections())}"
            )
        if not isinstance(entries, dict):
            raise ValueError(f"the section {section!r} holds fields, got {entries!r}")
        for name, value in entries.items():
            value = tuple(value) if isinstance(value, list) else value
            setattr(getattr(config, section), name, value)
    return config


def unknown_field(path: str) -> str:
    """Return the error message for the path of a field that does not exist."""
    section, _, _ = path.partition(".")
    names = [name for name in all_fields() if name.startswith(f"{section}.")]
    names = names or [f"{name}.*" for name in sections()]
    return unknown(path, names)

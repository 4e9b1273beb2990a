"""Fields of a configuration, and the sections on data, network and noise."""

import dataclasses
import math
import types
import typing
from collections.abc import Sequence
from typing import Any

TUPLES = {int: "(100, 100)", float: "(0.5, 0.5)", str: "('gcn', 'zca')"}
"""Example of a tuple for each type of the elements, shown in error messages."""


def field(
    default: Any,
    doc: str,
    *,
    choices: Sequence[Any] = (),
    least: float | None = None,
    positive: bool = False,
) -> Any:
    """Declare a field.

    Args:
      default: default value.
      doc: description; the choices are appended.
      choices: possible values; (): any.
      least: smallest allowed value; the value must be finite.
      positive: True if the value must be positive and finite.
    """
    doc += f": {', '.join(map(str, choices))}" if choices else ""
    rules = {"doc": doc, "choices": choices, "least": least, "positive": positive}
    return dataclasses.field(default=default, metadata=rules)


class Fields:
    """Base class of the sections; an unknown field cannot be assigned."""

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a field.

        Raises:
          ValueError: the field does not exist; the message lists the fields.
        """
        names = [field.name for field in dataclasses.fields(self)]
        if name not in names:
            section = type(self).__name__.removesuffix("Config").lower()
            path = f"{section}.{name}" if section else name
            known = [f"{section}.{n}" if section else f"{n}.*" for n in names]
            raise ValueError(unknown(path, known))
        super().__setattr__(name, value)


def unknown(path: str, known: Sequence[str]) -> str:
    """Return the error message for a field that does not exist."""
    return f"there is no field {path!r}; there are {', '.join(known)}"


def check_value(path: str, value: Any, declared: dataclasses.Field[Any]) -> None:
    """Check the type and the range of a field's value.

    Raises:
      TypeError: the value has the wrong type.
      ValueError: the value is not one of the choices, or is out of range.
    """
    if typing.get_origin(declared.type) is tuple:
        element = typing.get_args(declared.type)[0]
        has_type = isinstance(value, tuple) and all(_is(v, element) for v in value)
        expected = f"a tuple of {element.__name__}, such as {TUPLES[element]}"
    else:
        has_type = _is(value, declared.type)
        expected = f"of type {declared.type.__name__}"
    if not has_type:
        raise TypeError(f"{path} must be {expected}; got {value!r}")
    limits = declared.metadata
    if limits["choices"] and value not in limits["choices"]:
        expected = f"one of {', '.join(map(str, limits['choices']))};"
    elif limits["least"] is not None and not limits["least"] <= value < math.inf:
        expected = f"{limits['least']} or more,"
    elif limits["positive"] and not 0 < value < math.inf:
        expected = "a positive number,"
    else:
        return
    raise ValueError(f"{path} must be {expected} got {value!r}")


def _is(value: Any, kind: type | types.UnionType) -> bool:
    if kind in (int, float):
        numbers = int if kind is int else int | float
        return isinstance(value, numbers) and not isinstance(value, bool)
    return isinstance(value, kind)


@dataclasses.dataclass
class DataConfig(Fields):
    """Training and test examples."""

    name: str = field(
        "digits",
        "digits (embedded), mnist, fashion_mnist, cifar10, cifar100, svhn_cropped, "
        "svhn_cropped_extra (train + extra), splicing_stand_in (GENERATED soft "
        "targets), two_stream (scores or features of videos), captions (of images), "
        "questions (about images), or the path of an .npz file with x_train, y_train, "
        "x_test, y_test, or, for soft targets, with x, y, partition",
    )
    classes: tuple[int, ...] = field(
        (), "labels of the classes to use, renumbered from 0; (): all classes"
    )
    inverted: bool = field(False, "invert the examples: x becomes 1 - x")
    validation: float = field(
        0.1,
        "fraction (below 1) or number of training examples that are held out",
        least=0,
    )
    validation_per_class: tuple[int, ...] = field(
        (),
        "number of examples held out per class, used instead of validation; one number "
        "per part of the training data, such as (400, 200) for svhn_cropped_extra",
    )
    test_partition: int = field(
        0,
        "partition of soft targets or split of two_stream that is tested on; with 1, "
        "captions are tested on the validation images",
        least=0,
    )
    preprocess: tuple[str, ...] = field(
        (), "preprocessing steps, fitted on training data: gcn, zca, pca, standardise"
    )
    components: int = field(
        781, "number of principal components kept by the step pca", least=1
    )
    stream: str = field(
        "auto",
        "memory that holds the examples: every device (resident), or the host with "
        "prefetching by grain (stream); auto streams if the examples need more than "
        "half of a device's memory; the batches do not depend on it",
        choices=("auto", "resident", "stream"),
    )
    augment: bool = field(
        False, "flip and crop training images randomly by up to 4 pixels, on the device"
    )


@dataclasses.dataclass
class ModelConfig(Fields):
    """Network."""

    name: str = field(
        "mlp",
        "network (use a learning rate near 0.001 for autoencoder; soft_targets is an "
        "mlp that predicts a distribution per tissue; cnn to four_conv are ConvNets)",
        choices=("mlp", "autoencoder", "soft_targets", "wide_resnet", "cnn")
        + ("maxout_cifar", "maxout_svhn", "vgg", "four_conv", "vit", "fusion")
        + ("caption_lstm", "stacked_attention", "question_lstm"),
    )
    widths: tuple[int, ...] = field(
        (1000, 1000),
        "numbers of units of the hidden layers of mlp, autoencoder, soft_targets and "
        "fusion; one number for caption_lstm, stacked_attention and question_lstm",
    )
    depth: int = field(28, "depth of a wide_resnet, 6 n + 4", least=10)
    width_factor: float = field(
        1.0,
        "width factor of a wide_resnet; multiple of the published widths of a "
        "convolutional network",
        positive=True,
    )
    blocks: int = field(4, "number of blocks of a vit", least=1)
    token_width: int = field(64, "number of units of a vit's tokens", least=1)
    heads: int = field(4, "number of attention heads of a vit", least=1)
    patch: int = field(
        4, "side of a vit's patches in pixels (use 2 for digits)", least=1
    )
    pooling: str = field(
        "token",
        "token or mean over tokens that a vit's output is computed from",
        choices=("token", "mean"),
    )
    batch_norm: bool = field(False, "normalise pre-activations over the batch")
    pieces: int = field(
        1, "number of linear pieces of an mlp's maxout units; 1: no maxout", least=1
    )
    activation: str = field(
        "relu",
        "activation of the hidden layers",
        choices=("relu", "tanh", "sigmoid", "gelu", "silu", "softplus", "linear"),
    )
    gaaf: bool = field(
        False, "add gradient acceleration to the activation (Hahn, eq. 8)"
    )
    shape_constants: tuple[float, ...] = field(
        (),
        "constants of gaaf's shape function: (decay,) for tanh, (steepness, offset) "
        "for relu, gelu, silu and softplus; (): (1,) and (1, 3)",
    )
    kernel_init: str = field(
        "lecun_normal",
        "initializer of the kernels (a wide_resnet ignores it)",
        choices=("he_normal", "glorot_uniform", "lecun_normal"),
    )


@dataclasses.dataclass
class NoiseConfig(Fields):
    """Noise on the input and on each hidden layer."""

    scheme: str = field(
        "dropout",
        "noise scheme (for gaussian_noise, each rate is a standard deviation)",
        choices=("none", "dropout", "random_dropout", "random_dropout_per_batch")
        + ("gaussian_dropout", "gaussian_noise"),
    )
    input_rate: float = field(0.2, "noise rate on the input")
    hidden_rate: float = field(0.5, "noise rate on the hidden layers")
    hidden_rates: tuple[float, ...] = field(
        (), "noise rate of each hidden layer, used instead of hidden_rate"
    )
    recurrent_rate: float = field(
        0.0, "noise rate on a caption_lstm's state, with one sample for all words"
    )
    embedding_rate: float = field(0.0, "noise rate on a vit's embedded patches")
    attention_rate: float = field(0.0, "noise rate on a vit's attention weights")
    residual_rate: float = field(
        0.0, "noise rate on the outputs of a vit's attention and dense layers"
    )
    path_rate: float = field(
        0.0,
        "drop-path rate in a vit's last block, for every scheme; the rates increase "
        "linearly with depth",
    )
    level_per: str = field(
        "example",
        "what shares one level of random_dropout: an example, a token of a vit, or an "
        "attention head of a vit",
        choices=("example", "token", "head"),
    )
    schedule: str = field(
        "constant",
        "schedule of a factor that multiplies all rates and standard deviations",
        choices=("constant", "linear", "cosine"),
    )
    start_factor: float = field(1.0, "factor at the first step", least=0)
    end_factor: float = field(0.0, "factor at the end of the schedule", least=0)
    schedule_epochs: int = field(
        0, "epochs until end_factor is reached; 0: training.epochs", least=0
    )
    shift: str = field(
        "none",
        "layers with shifts of invariant dropout (Ba); running_average is the baseline "
        "that subtracts a running average at all layers",
        choices=("none", "input", "hidden", "both", "running_average"),
    )
    shift_start: str = field(
        "zero",
        "initial value of learned shifts (minus_mean: minus the mean activity on the "
        "first 1,000 training examples)",
        choices=("zero", "minus_mean"),
    )
    bits: int = field(32, "random bits per unit", choices=(32, 8))
    scale: bool = field(True, "scale kept units by 1 / (1 - rate) in training")

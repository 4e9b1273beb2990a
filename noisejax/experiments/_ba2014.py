"""Noise, networks and training settings shared by the experiments of Ba et al."""

from noisejax.experiments._experiment import Printed, Row
from noisejax.experiments._scales import Overrides

PAPER = "Ba, Xiong and Frey 2014"

DROPOUT: Overrides = {
    "noise.scheme": "dropout",
    "noise.input_rate": 0.2,
    "noise.hidden_rate": 0.5,
}

SHIFTS: Overrides = {
    "optimizer.momentum": 0.9,
    "optimizer.nesterov": True,
    "optimizer.shift_decay": 0.1,
}
"""Nesterov momentum and decay of the shifts."""

MNIST_MLP: Overrides = {
    "data.name": "mnist",
    "data.validation": 10_000,
    "model.name": "mlp",
    "model.widths": (1000, 1000),
    "model.activation": "relu",
    "training.batch_size": 100,
}
"""The network of table 2."""

MNIST_BASE: Overrides = {
    **MNIST_MLP,
    **DROPOUT,
    **SHIFTS,
    "optimizer.momentum": 0.99,
    "optimizer.learning_rate": 0.005,
    "training.epochs": 300,
}

CNN_BASE: Overrides = {
    **DROPOUT,
    **SHIFTS,
    "model.name": "cnn",
    "model.width_factor": 1.0,
    "model.activation": "relu",
    "model.kernel_init": "glorot_uniform",
    "optimizer.learning_rate": 0.01,
    "optimizer.warmup_epochs": 1.0,
    "training.batch_size": 128,
}
"""The convolutional network of tables 3 and 4."""


def error(value: float, note: str = "") -> dict[str, Printed]:
    """Return a printed test error in percent."""
    return {"test_error_percent": Printed(value, note=note)}


def cited(name: str, label: str, value: float) -> Row:
    """Return the row of a test error that the paper cites from another paper."""
    return Row(name, label, printed=error(value), cited=True)


def cnn(name: str, label: str, overrides: Overrides, value: float | None = None) -> Row:
    """Return a row of the convolutional network.

    Args:
      name: name of the row.
      label: label of the noise.
      overrides: further fields of the configuration.
      value: test error that the paper prints; None for a row of ours.
    """
    label = f"ReLU CNN 128c-p-128c-p-128c-p-1000fc + {label}"
    printed = {} if value is None else error(value)
    return Row(name, label, overrides, printed, ours=value is None)

"""Networks and protocol that Hahn and Choi's MNIST experiments share."""

from collections.abc import Mapping

from noisejax.experiments._experiment import Printed, Row
from noisejax.experiments._scales import Overrides, Scale, smoke

PAPER = "Hahn and Choi 2018"

METHODS: dict[str, tuple[str, Overrides]] = {
    "base": ("Base Model (without dropout)", {"noise.scheme": "none"}),
    "dropout": ("+Dropout", {"noise.scheme": "dropout"}),
    "gaaf": ("+GAAF", {"noise.scheme": "none", "model.gaaf": True}),
}
"""The networks of table 4: name -> (label, overrides)."""

BASE: Overrides = {
    "data.name": "mnist",
    "data.validation": 10_000,
    "model.name": "mlp",
    "model.widths": (512, 256, 256),
    "model.activation": "tanh",
    "model.kernel_init": "glorot_uniform",
    "noise.input_rate": 0.0,
    "noise.hidden_rate": 0.5,
    "optimizer.name": "adam",
    "optimizer.learning_rate": 0.001,
    "optimizer.schedule": "constant",
    "optimizer.momentum": 0.9,
    "training.epochs": 500,
    "training.patience": 50,
    "training.batch_size": 128,
    "training.gradients": True,
}

PROTOCOL = (
    "MNIST, tanh 512-256-256-10; K = 10,000; exponential shape function; batches of "
    "128 where the net variance is measured (section 3).",
    "The dropout rate is given as 'usually 0.5', and dropout as hidden nodes left out.",
)

OURS = (
    "Section 3 is assumed to use the network of section 5.1.",
    "Adam (which the introduction cites; no optimizer is printed), learning rate "
    "0.001, constant; batch 128; Glorot initialisation; shape exp(-|x|).",
    "Dropout rate 0.5 on the hidden layers, none on the input; inverted scaling while "
    "training, where the paper rescales at test time.",
    "10,000 training images are held out; at most 500 epochs, stopped after 50 without "
    "a better validation error; the best epoch by validation is measured.",
)


def method_row(
    method: str, printed: Mapping[str, Printed] | None = None, *, ours: bool = False
) -> Row:
    """Return the row of one of the three networks.

    Args:
      method: key of `METHODS`.
      printed: metric -> the paper's number.
      ours: True if the paper does not report this network here.
    """
    label, overrides = METHODS[method]
    factors = {"method": method}
    return Row(method, label, overrides, printed or {}, factors=factors, ours=ours)


DOUBLED = Row(
    "base_doubled_rate",
    "Base Model, learning rate doubled",
    {"noise.scheme": "none", "optimizer.learning_rate": 0.002},
    factors={"method": "base_doubled_rate"},
    ours=True,
)
"""Control for GAAF, which doubles the gradient where the shape function is near 1."""


def scales(num_seeds: int = 10) -> dict[str, Scale]:
    """Return the scales of the experiments on these networks.

    Args:
      num_seeds: runs per row at the paper's scale.
    """
    return {
        "smoke": smoke(),
        "short": Scale(
            changes=("at most 250 epochs",),
            cost="about 25 minutes per row, one core (estimate)",
            overrides={"training.epochs": 250},
            num_seeds=5,
        ),
        "paper": Scale(
            (), "about 40 minutes per row, two cores (estimate)", num_seeds=num_seeds
        ),
    }

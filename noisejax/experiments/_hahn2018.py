"""Networks and protocol shared by the MNIST experiments of Hahn and Choi."""

from collections.abc import Mapping

from noisejax.experiments._experiment import Printed, Row
from noisejax.experiments._scales import Overrides, Scale, smoke

PAPER = "Hahn and Choi 2018"

METHODS: dict[str, tuple[str, Overrides]] = {
    "base": ("Base Model (without dropout)", {"noise.scheme": "none"}),
    "dropout": ("+Dropout", {"noise.scheme": "dropout"}),
    "gaaf": ("+GAAF", {"noise.scheme": "none", "model.gaaf": True}),
}
"""Name -> (label, overrides) of the networks of table 4."""

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
    "The network is tanh 512-256-256-10 on MNIST, with K = 10,000 and the exponential "
    "shape function. Section 3 measures the net variance on batches of 128.",
    "The dropout rate is 'usually 0.5', and dropout omits hidden nodes.",
)

OURS = (
    "We assume that section 3 uses the network of section 5.1.",
    "The optimizer is Adam at the constant learning rate 0.001. The paper names no "
    "optimizer, but its introduction cites Adam. Batches have 128 examples, "
    "initialisation is Glorot's, and the shape function is exp(-|x|).",
    "The dropout rate is 0.5 on hidden layers and 0 on the input. Masks are scaled "
    "during training (inverted scaling); the paper rescales at test time.",
    "10,000 training images are held out. Training takes at most 500 epochs and stops "
    "after 50 epochs without a lower validation error. The network of the epoch with "
    "the lowest validation error is measured.",
)


def method_row(
    method: str, printed: Mapping[str, Printed] | None = None, *, ours: bool = False
) -> Row:
    """Return the row of one of the three networks.

    Args:
      method: key of `METHODS`.
      printed: metric -> number that the paper prints.
      ours: True if the paper does not report this row.
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
"""Control for GAAF, which doubles the gradient if the shape function is near 1."""


def scales(num_seeds: int = 10) -> dict[str, Scale]:
    """Return the scales of the experiments on these networks.

    Args:
      num_seeds: number of runs per row at the scale "paper".
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

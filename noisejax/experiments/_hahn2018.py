"""What Hahn and Choi's MNIST experiments share: three networks, their protocol."""

from collections.abc import Mapping

from noisejax.experiments._experiment import Overrides, Printed, Row, Scale
from noisejax.experiments._scales import smoke

PAPER = "Hahn and Choi 2018"

METHODS: dict[str, tuple[str, Overrides]] = {
    "base": ("Base Model (without dropout)", {"noise.scheme": "none"}),
    "dropout": ("+Dropout", {"noise.scheme": "dropout"}),
    "gaaf": ("+GAAF", {"noise.scheme": "none", "model.gaaf": True}),
}
"""The networks of table 4: name -> label, and what is changed."""

BASE: Overrides = {
    "data.name": "mnist",
    "data.validation": 10_000,
    "model.name": "mlp",
    "model.widths": (512, 256, 256),
    "model.activation": "tanh",
    "model.kernel_init": "glorot_uniform",
    "noise.input_rate": 0.0,
    "noise.hidden_rate": 0.5,
    "optimizer.learning_rate": 0.01,
    "optimizer.schedule": "constant",
    "optimizer.momentum": 0.9,
    "training.epochs": 500,
    "training.patience": 50,
    "training.batch_size": 128,
    "training.gradients": True,
}

PROTOCOL = (
    "MNIST, tanh 512-256-256-10, batch 128, dropout 0.5 on hidden layers, none on the "
    "input; K = 10,000; exponential shape function.",
)

OURS = (
    "That section 3 has the network of section 5.1 is inferred.",
    "SGD with Nesterov momentum 0.9, learning rate 0.01, constant; Glorot "
    "initialisation; shape exp(-|x|); 10,000 held out; at most 500 epochs, stopped "
    "after 50 without a better one; the best epoch by validation is measured.",
    "Inverted scaling in training in place of the paper's at test time.",
)


def method_row(
    method: str, printed: Mapping[str, Printed] | None = None, *, ours: bool = False
) -> Row:
    """One of the three networks, with what is printed of it.

    Args:
      method: of `METHODS`.
      printed: metric -> the paper's number.
      ours: whether the paper does not have it in this place.
    """
    label, overrides = METHODS[method]
    factors = {"method": method}
    return Row(method, label, overrides, printed or {}, factors=factors, ours=ours)


DOUBLED = Row(
    "base_doubled_rate",
    "Base Model, learning rate doubled",
    {"noise.scheme": "none", "optimizer.learning_rate": 0.02},
    factors={"method": "base_doubled_rate"},
    ours=True,
)
"""The control that GAAF needs: where s is near 1 it doubles the gradient."""


def scales(num_seeds: int = 3) -> dict[str, Scale]:
    """Those of all experiments on these networks.

    Args:
      num_seeds: of the paper's protocol.
    """
    return {
        "smoke": smoke(),
        "short": Scale(
            changes=("at most 60 epochs, stopped after 10 without a better one",),
            cost="about 4 minutes per row, two cores",
            overrides={"training.epochs": 60, "training.patience": 10},
            num_seeds=5,
        ),
        "paper": Scale(
            changes=(),
            cost="about 10 minutes per row, one H200 (estimate)",
            num_seeds=num_seeds,
        ),
    }

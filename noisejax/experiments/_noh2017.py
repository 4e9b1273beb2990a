"""Settings shared by the experiments of Noh et al."""

from collections.abc import Callable
from typing import TypeAlias

from noisejax.experiments._claims import Claim, Contrast
from noisejax.experiments._experiment import Printed, Row
from noisejax.experiments._scales import BFLOAT16, Overrides, Scale, smoke

PAPER = "Noh, You, Mun and Han 2017"

BASE: Overrides = {
    "data.preprocess": ("standardise",),
    "data.augment": True,
    "data.validation": 0.0,
    "model.name": "wide_resnet",
    "model.depth": 28,
    "model.width_factor": 10.0,
    "noise.scheme": "dropout",
    "noise.input_rate": 0.0,
    "noise.hidden_rate": 0.5,
    "objective.strategy": "fold",
    "optimizer.learning_rate": 0.1,
    "optimizer.schedule": "steps",
    "optimizer.milestones": (0.3, 0.6, 0.8),
    "optimizer.step_factor": 0.2,
    "optimizer.momentum": 0.9,
    "optimizer.nesterov": True,
    "optimizer.weight_decay": 5e-4,
    "optimizer.decay": "all",
    "training.epochs": 200,
    "training.batch_size": 128,
}

FEATURES: Overrides = {
    "data.preprocess": ("standardise",),
    "data.validation": 0.0,
    "noise.scheme": "dropout",
    "noise.input_rate": 0.0,
    "objective.strategy": "fold",
    "optimizer.name": "adam",
    "training.batch_size": 100,
}
"""Settings of tables 2 to 4, whose networks receive fixed features."""

Method: TypeAlias = tuple[str, Overrides, tuple[float, ...], int]
"""Label, overrides, printed numbers and factor on the epochs of a row."""

PROTOCOL = (
    "The network is a wide residual network of depth 28 and width 10, with dropout "
    "between the two convolutions of every block. Inputs are standardised per channel "
    "and augmented by flips and by crops after 4 pixels of reflection padding.",
    "Training follows the authors of the network: SGD with Nesterov momentum 0.9, "
    "weight decay 5e-4, batches of 128 and 200 epochs. The learning rate is 0.1, "
    "multiplied by 0.2 at epochs 60, 120 and 160.",
    "Results are means and standard deviations of the test error over three seeds.",
)

OURS = (
    "Networks are trained on all 50,000 images, and the last epoch is tested.",
    "S copies of each image are folded into the batch, as in the authors' code. All "
    "copies share one augmentation, and batch statistics are over all copies.",
    "At scale 'paper', the operands of matrix products are rounded to bfloat16, and "
    "sums are in float32.",
)

SMOKE = smoke(1 / 40, {"model.depth": 10})


def short(rows: tuple[str, ...], cost: str) -> Scale:
    """Return the scale "short": small networks, few epochs.

    Args:
      rows: names of the rows that are run.
      cost: cost of all rows.
    """
    return Scale(
        changes=(
            "depth 10, width 1",
            "5 epochs, with milestones in proportion",
            "the learning rate of the paper",
        ),
        cost=cost,
        overrides={"model.depth": 10, "training.epochs": 5},
        width_factor=1 / 10,
        num_seeds=3,
        rows=rows,
    )


def paper(cost: str) -> Scale:
    """Return the scale "paper", with matrix products in bfloat16.

    Args:
      cost: cost of all rows.
    """
    return Scale(changes=(), cost=cost, overrides=BFLOAT16, num_seeds=3)


def samples(num_samples: int, weighting: str = "importance") -> Overrides:
    """Return the configuration fields of IWSGD."""
    return {"objective.num_samples": num_samples, "objective.weighting": weighting}


def controls(random_rate: float) -> dict[str, Method]:
    """Return the methods of tables 2 to 4 that are not in the paper.

    Args:
      random_rate: level of random dropout.
    """
    random = {"noise.scheme": "random_dropout", "noise.hidden_rate": random_rate}
    return {
        "s_5_equal": ("S = 5, equal weights", samples(5, "equal"), (), 1),
        "s_1_x5": ("S = 1, five times the epochs", {}, (), 5),
        "random": ("random dropout, S = 1", random, (), 1),
        "no_noise": ("no noise", {"noise.scheme": "none"}, (), 1),
    }


def method_row(name: str, method: Method, metrics: tuple[str, ...]) -> Row:
    """Return the row of a method of tables 2 and 3.

    Args:
      name: name of the method.
      method: label, overrides, printed numbers and factor on the epochs.
      metrics: metrics of the printed numbers.
    """
    label, overrides, numbers, epochs_factor = method
    return Row(
        name,
        label,
        overrides,
        dict(zip(metrics, map(Printed, numbers), strict=False)),
        factors={"method": name},
        epochs_factor=epochs_factor,
        ours=not numbers,
    )


def questions(what: str, higher: Callable[[str, str], Contrast]) -> tuple[Claim, ...]:
    """Return the claims about the controls of tables 2 to 4.

    Args:
      what: measured quality, such as "the accuracy".
      higher: function of two methods; returns the contrast "the first is higher".
    """
    return (
        Claim(
            "Importance weights are better than equal weights (our question).",
            (higher("s_5", "s_5_equal"),),
        ),
        Claim(
            "Five samples are better than five times the epochs (our question).",
            (higher("s_5", "s_1_x5"),),
        ),
        Claim(f"Dropout improves {what} (our question).", (higher("s_1", "no_noise"),)),
    )

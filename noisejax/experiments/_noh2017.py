"""Networks and training recipe that Noh et al.'s experiments on CIFAR share."""

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

PROTOCOL = (
    "Wide residual network of depth 28 and width 10, dropout between the two "
    "convolutions of every block; flips and 4-pixel reflected crops; means and "
    "deviations per channel.",
    "The network's authors' recipe: SGD with Nesterov momentum 0.9, weight decay 5e-4, "
    "batch 128, learning rate 0.1 times 0.2 at epochs 60, 120 and 160 of 200.",
    "Three seeds; means and standard deviations of the test error.",
)

OURS = (
    "All 50,000 images are trained on and the last epoch is tested.",
    "S copies are folded into the batch, as in the authors' code: one augmented image "
    "for all copies, batch statistics over all of them.",
    "Sums of products in float32, operands rounded to bfloat16, at 'paper'.",
)

SMOKE = smoke(1 / 40, {"model.depth": 10})


def short(rows: tuple[str, ...], cost: str) -> Scale:
    """Return the scale of small networks and few epochs.

    Args:
      rows: names of the rows that are run.
      cost: cost of all rows.
    """
    return Scale(
        changes=(
            "depth 10, width 1",
            "5 epochs, milestones in proportion",
            "the learning rate is the paper's",
        ),
        cost=cost,
        overrides={"model.depth": 10, "training.epochs": 5},
        width_factor=1 / 10,
        num_seeds=3,
        rows=rows,
    )


def paper(cost: str) -> Scale:
    """Return the paper's scale, with products in bfloat16.

    Args:
      cost: cost of all rows.
    """
    return Scale(changes=(), cost=cost, overrides=BFLOAT16, num_seeds=3)

"""Ba et al. 2014, table 1: inputs at which an activation is 0."""

from noisejax.experiments import _ba2014 as ba2014
from noisejax.experiments._claims import Claim, level
from noisejax.experiments._experiment import Experiment, Printed, Row
from noisejax.experiments._scales import instant


def _row(name: str, label: str, zero_at: str) -> Row:
    return Row(name, label, printed={"zero_at": Printed(zero_at)})


EXPERIMENT = Experiment(
    name="ba2014_table1",
    title="Inputs at which each activation is 0, the value of a dropped unit",
    paper=ba2014.PAPER,
    place="table 1",
    kind="computed",
    rows=(
        _row("relu", "ReLU", "w·x < 0"),
        _row("sigmoid", "Sigmoid", "w·x = -∞"),
        _row("tanh", "Tanh", "w·x = 0"),
        _row("maxout", "Maxout", "max(w_i·x) = 0"),
    ),
    scales={"smoke": instant(), "short": instant(), "paper": instant()},
    metrics=("zero_at", "zero_at/share"),
    measurements=("activation_zeros",),
    protocol=("The table lists the pre-activations for which each activation is 0.",),
    ours=(
        "We evaluate each activation on a grid of pre-activations in [-20, 20] with "
        "steps of 0.001 (maxout: two pieces, steps of 0.1). Activations below 1e-6 in "
        "magnitude are reported next to exact zeros.",
    ),
    claims=(
        Claim(
            "Different activations produce zeros from vastly different inputs.",
            (
                level("relu", "zero_at/share", low=0.4),
                level("sigmoid", "zero_at/share", high=0.0001),
                level("tanh", "zero_at/share", high=0.0001),
            ),
        ),
    ),
)

"""Hahn and Choi 2018, table 2: gradient information through training."""

from noisejax.experiments import _hahn2018 as shared
from noisejax.experiments._claims import Claim, Contrast, difference
from noisejax.experiments._experiment import Experiment, Printed

LAYERS = ("layer_3", "layer_2", "layer_1")

GRADIENTS = {
    "base": (9.35e-05, 1.40e-04, 1.07e-04),
    "dropout": (5.83e-04, 6.52e-04, 5.93e-04),
    "gaaf": (1.15e-03, 6.43e-04, 1.78e-04),
}
"""Mean |dE/dW| in the order of `LAYERS`; for GAAF from the text of section 5.1."""


def _printed(method: str) -> dict[str, Printed]:
    note = "the paper does not say which layer" if method == "gaaf" else ""
    return {
        f"gradient_information/{layer}": Printed(value, note=note)
        for layer, value in zip(LAYERS, GRADIENTS[method], strict=True)
    }


INVERTED = "gradient_inverted_scaling"


def _against_base(method: str, metric: str, **options: float) -> tuple[Contrast, ...]:
    """Return the differences between a method and the base model, per layer."""
    return tuple(
        difference(method, "base", f"{metric}/{layer}", **options) for layer in LAYERS
    )


def _five_times(metric: str) -> tuple[Contrast, ...]:
    """Return contrasts that test if dropout multiplies gradients by 3 to 8."""
    return (
        *_against_base("dropout", metric, times=3.0, low=0.0),
        *_against_base("dropout", metric, times=8.0, high=0.0),
    )


EXPERIMENT = Experiment(
    name="hahn2018_table2",
    title="Gradient information through training: without, with dropout, with GAAF",
    paper=shared.PAPER,
    place="table 2 and section 5.1",
    kind="measured",
    rows=(
        *(shared.method_row(method, _printed(method)) for method in shared.METHODS),
        shared.DOUBLED,
    ),
    scales=shared.scales(),
    metrics=tuple(
        f"{metric}/{layer}"
        for metric in (
            "gradient_information",
            "gradient_inverted_scaling",
            "gradient_per_example",
        )
        for layer in LAYERS
    ),
    measurements=("gradient_information",),
    base=shared.BASE,
    protocol=(
        *shared.PROTOCOL,
        "The table shows the mean absolute gradient of each weight matrix (eq. 5), "
        "averaged over the whole training.",
    ),
    ours=(
        *shared.OURS,
        "The matrix of layer k is the one into hidden layer k. The mean absolute "
        "gradient of a minibatch is averaged over all steps. We also report the mean "
        "absolute gradient of single examples, over 512 training examples at the best "
        "epoch.",
        "Inverted scaling multiplies the gradient of a weight whose input has dropout "
        "by 1 / (1 - rate). 'gradient_information' removes this factor in layers 2 and "
        "3, because the paper scales at test time. 'gradient_inverted_scaling' "
        "includes it, because common frameworks scale in this way. Claims are tested "
        "in both ways.",
        "We added a control without GAAF at twice the learning rate.",
    ),
    inconsistencies=(
        "The text says that gradients are 'around five times larger' with dropout; "
        "table 2 gives 6.2, 4.7 and 5.5.",
        "The three numbers for GAAF are printed without their layers. One of them, "
        "1.78e-4, is at most a third of any number for dropout, not 'as large as by "
        "dropout'.",
        "In eq. 4, d is 1 with 'probability p' and a unit is dropped if d is 0, so p "
        "is the probability of keeping. In section 2.2 units are omitted with "
        "probability p and rescaled by 1 - p.",
        "Eq. 5 divides by 'the number of nodes' but means the number of examples.",
        "The averages are over trainings of different length (82, 169 and 114 epochs "
        "in table 4).",
    ),
    claims=(
        Claim(
            "Dropout increases gradients.",
            _against_base("dropout", "gradient_information", low=0.0),
        ),
        Claim(
            "Dropout increases gradients under inverted scaling.",
            _against_base("dropout", INVERTED, low=0.0),
        ),
        Claim(
            "Dropout makes gradients about five times as large (our test: three to "
            "eight times).",
            _five_times("gradient_information"),
        ),
        Claim(
            "Dropout makes gradients about five times as large, under inverted scaling "
            "(our test: three to eight times).",
            _five_times(INVERTED),
        ),
        Claim(
            "GAAF increases gradients.",
            _against_base("gaaf", "gradient_information", low=0.0),
        ),
        Claim(
            "GAAF increases gradients more than doubling the learning rate does (our "
            "question).",
            tuple(
                difference(
                    "gaaf",
                    "base_doubled_rate",
                    f"gradient_information/{layer}",
                    low=0.0,
                )
                for layer in LAYERS
            ),
        ),
    ),
)

"""Hahn and Choi 2018, table 2: gradient information through training."""

import math

from noisejax.experiments import _hahn2018 as shared
from noisejax.experiments._experiment import Claim, Contrast, Experiment, Printed

LAYERS = ("layer_3", "layer_2", "layer_1")

GRADIENTS = {
    "base": (9.35e-05, 1.40e-04, 1.07e-04),
    "dropout": (5.83e-04, 6.52e-04, 5.93e-04),
    "gaaf": (1.15e-03, 6.43e-04, 1.78e-04),
}
"""Mean |dE/dW|, in the order of `LAYERS`; GAAF's from the text of section 5.1."""


def _printed(method: str) -> dict[str, Printed]:
    note = "order of the layers not printed" if method == "gaaf" else ""
    return {
        f"gradient_information/{layer}": Printed(value, note=note)
        for layer, value in zip(LAYERS, GRADIENTS[method], strict=True)
    }


def _ratio(
    method: str,
    layer: str,
    times: float,
    *,
    low: float = -math.inf,
    high: float = math.inf,
) -> Contrast:
    """A method's gradients less so many times those of the base model."""
    metric = f"gradient_information/{layer}"
    return Contrast(((1.0, method, metric), (-times, "base", metric)), low, high)


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
        for metric in ("gradient_information", "gradient_per_example")
        for layer in LAYERS
    ),
    measurements=("gradient_information",),
    base=shared.BASE,
    protocol=(
        *shared.PROTOCOL,
        "The mean absolute gradient of each weight matrix (eq. 5), averaged over the "
        "whole training.",
    ),
    ours=(
        *shared.OURS,
        "Layer k's matrix is the one into hidden layer k; the minibatch gradient's "
        "mean |.| is averaged over all steps; beside it that of single examples, "
        "at the best epoch, over 512 training examples.",
        "Under inverted scaling a weight whose input is dropped has 1 / (1 - rate) of "
        "the gradient that the paper's has: layers 2 and 3 with dropout are multiplied "
        "by 1 - rate = 0.5 before they are compared.",
        "A control: no GAAF, the learning rate doubled.",
    ),
    inconsistencies=(
        "'Around five times larger' with dropout: table 2 gives 6.2, 4.7 and 5.5.",
        "GAAF's three numbers come without layers; 1.78e-4, wherever it belongs, is a "
        "third of dropout's, not 'as large as by dropout'.",
        "Eq. 5 divides by 'the number of nodes': examples are meant.",
        "Trainings of unequal length are averaged (82, 169 and 114 epochs in table 4).",
    ),
    claims=(
        Claim(
            "Dropout increases the gradients that flow.",
            tuple(_ratio("dropout", layer, 1.0, low=0.0) for layer in LAYERS),
        ),
        Claim(
            "About five times (ours: three to eight times).",
            (
                *(_ratio("dropout", layer, 3.0, low=0.0) for layer in LAYERS),
                *(_ratio("dropout", layer, 8.0, high=0.0) for layer in LAYERS),
            ),
        ),
        Claim(
            "GAAF increases them, too.",
            tuple(_ratio("gaaf", layer, 1.0, low=0.0) for layer in LAYERS),
        ),
    ),
)

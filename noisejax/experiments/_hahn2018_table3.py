"""Hahn and Choi 2018, table 3: net variance under dropout."""

from noisejax.experiments import _hahn2018 as shared
from noisejax.experiments._claims import Claim, level
from noisejax.experiments._experiment import Experiment, Printed

EXPERIMENT = Experiment(
    name="hahn2018_table3",
    title="Variance of pre-activations over 20 draws of the masks",
    paper=shared.PAPER,
    place="table 3",
    kind="measured",
    rows=(
        shared.method_row(
            "dropout",
            {
                "net_variance/last_layer": Printed(1.97),
                "net_variance/layer_3": Printed(1.07),
                "net_variance/layer_2": Printed(1.07),
            },
        ),
    ),
    scales=shared.scales(),
    metrics=tuple(
        f"{metric}/{layer}"
        for metric in (
            "net_variance",
            "net_variance_conditional",
            "net_variance_passed_on",
        )
        for layer in ("last_layer", "layer_3", "layer_2", "layer_1")
    ),
    measurements=("net_variances",),
    base=shared.BASE,
    protocol=(
        *shared.PROTOCOL,
        "One batch of 128 with 20 draws of the masks, when the model almost converged; "
        "the variance of each unit's pre-activation, averaged over a layer.",
    ),
    ours=(
        *shared.OURS,
        "A batch of test examples at the best epoch, where the paper measures during "
        "training; ddof 1; averaged over examples and units; layer 1 must be "
        "0, as the input has no noise; the conditional part (eq. 6) is shown beside.",
        "Net values do not depend on how masks are scaled (the weights differ), so "
        "that nothing is converted.",
    ),
    inconsistencies=("Two layers print the same 1.07; no spread is printed.",),
    claims=(
        Claim(
            "Dropout gives pre-activations a significant variance (our "
            "test: above 0.5).",
            tuple(
                level("dropout", f"net_variance/{layer}", low=0.5)
                for layer in ("last_layer", "layer_3", "layer_2")
            ),
        ),
    ),
)

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
        "The table shows the variance of the pre-activation of each unit, averaged "
        "over a layer. It is taken over 20 draws of the masks on one batch of 128, "
        "when the model has almost converged.",
    ),
    ours=(
        *shared.OURS,
        "We measure on a batch of test examples at the best epoch; the paper measures "
        "during training. Variances have ddof 1 and are averaged over examples and "
        "units. The variance of layer 1 is 0, because the input has no noise. We also "
        "report the conditional part (eq. 6).",
        "Pre-activations do not depend on how masks are scaled (only the weights do), "
        "so no conversion is needed.",
    ),
    inconsistencies=(
        "The same number, 1.07, is printed for two layers. No spread is printed.",
    ),
    claims=(
        Claim(
            "Dropout gives pre-activations a significant variance (our test: above "
            "0.5).",
            tuple(
                level("dropout", f"net_variance/{layer}", low=0.5)
                for layer in ("last_layer", "layer_3", "layer_2")
            ),
        ),
    ),
)

"""Hahn and Choi 2018, figure 2: noise gives saturated units a slope."""

from noisejax.experiments import _hahn2018 as shared
from noisejax.experiments._claims import Claim, level
from noisejax.experiments._experiment import Experiment

EXPERIMENT = Experiment(
    name="hahn2018_figure2",
    title="Slopes of saturated units with and without noise",
    paper=shared.PAPER,
    place="figure 2",
    kind="measured",
    rows=(shared.method_row("base"), shared.method_row("dropout")),
    scales=shared.scales(),
    metrics=("slope_gain/layer_2", "slope_gain/layer_3"),
    measurements=("slopes_under_noise",),
    base=shared.BASE,
    figure="mean slope with noise against the slope without, per layer",
    protocol=(
        *shared.PROTOCOL,
        "The figure is a drawing of the mechanism; nothing is measured.",
    ),
    ours=(
        *shared.OURS,
        "We measure the mechanism: the mean of phi'(z + noise) over 20 draws of all "
        "masks, against phi'(z), on a batch of 128 test images. The network that was "
        "trained without dropout is measured with dropout at rate 0.5.",
    ),
    claims=(
        Claim(
            "Noise gives saturated units a gradient that they lack without it.",
            tuple(
                level("dropout", f"slope_gain/{layer}", low=1.0)
                for layer in ("layer_2", "layer_3")
            ),
        ),
    ),
)

"""Bouthillier et al. 2015, figure 3: single units shut off."""

from noisejax.experiments import _bouthillier2015 as shared
from noisejax.experiments._claims import Claim, difference
from noisejax.experiments._experiment import Experiment
from noisejax.experiments._scales import Scale, smoke

EXPERIMENT = Experiment(
    name="bouthillier2015_figure3",
    title="Inputs back-projected with one of the five most active units shut off",
    paper=shared.PAPER,
    place="figure 3",
    kind="measured",
    rows=(
        shared.data_row("mnist", "MNIST", {}),
        shared.data_row("mnist", "MNIST", {}, scaled=True),
    ),
    scales={
        "smoke": smoke(),
        "short": shared.AUTOENCODER_SHORT,
        "paper": Scale((), "about 5 minutes, one H200 (estimate)"),
    },
    metrics=(
        "residual/before",
        "residual/after",
        "residual/diverged",
        "others_changed/x_star",
        "others_changed/filter_subtracted",
    ),
    measurements=("units_shut_off",),
    base=shared.AUTOENCODER_BASE,
    figure="an input; the filters of its five most active units; x* with each of these "
    "units off",
    protocol=(
        *shared.AUTOENCODER_PROTOCOL,
        "The five most active hidden units of an input are shut off, one at a time.",
    ),
    ours=(
        *shared.AUTOENCODER_OURS,
        "The autoencoder is trained with unscaled masks (eq. 3). The masks that shut "
        "off a unit have scale 1, so that the other units have their noise-free "
        "activations.",
        "Our figure shows one input; the paper shows several. Numbers are medians over "
        "100 test inputs.",
        "To remove the feature, we subtract the filter of the unit until its "
        "pre-activation is 0.",
    ),
    claims=(
        Claim(
            "Back-projection destroys the feature of a unit instead of removing it "
            "from the input, so that other units on the same region keep their "
            "activation (our test: the other units change less at x* than after "
            "subtracting the filter).",
            (
                difference(
                    *("mnist", "mnist", "others_changed/x_star"),
                    "others_changed/filter_subtracted",
                    high=0.0,
                ),
            ),
        ),
    ),
)

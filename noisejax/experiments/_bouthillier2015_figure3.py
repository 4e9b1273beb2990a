"""Bouthillier et al. 2015, figure 3: single units shut off."""

from noisejax.experiments import _bouthillier2015 as shared
from noisejax.experiments._claims import Claim, Contrast
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
    figure="the input; each of its five most active units' filters; each one's x*",
    protocol=(
        *shared.AUTOENCODER_PROTOCOL,
        "The five most active hidden units of an input are shut off, each alone.",
    ),
    ours=(
        *shared.AUTOENCODER_OURS,
        "The autoencoder is trained with unscaled masks (eq. 3). Hand-made masks of "
        "scale 1: the other units keep their clean activations.",
        "One input is drawn, where the paper draws several; the numbers are medians "
        "over 100 test inputs.",
        "The feature is removed by subtracting the unit's filter until its "
        "pre-activation is 0.",
    ),
    claims=(
        Claim(
            "A unit's feature is not removed from the input but destroyed, so that "
            "other units on the same region keep their activation (our test: at x* the "
            "other units change less than after subtracting the filter).",
            (
                Contrast(
                    (
                        (1.0, "mnist", "others_changed/x_star"),
                        (-1.0, "mnist", "others_changed/filter_subtracted"),
                    ),
                    high=0.0,
                ),
            ),
        ),
    ),
)

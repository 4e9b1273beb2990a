"""Ba et al. 2014, figure 2: shifts against mean activities."""

from noisejax.experiments import _ba2014 as ba2014
from noisejax.experiments._claims import Claim, level
from noisejax.experiments._experiment import Experiment, Row
from noisejax.experiments._scales import Scale, smoke

EXPERIMENT = Experiment(
    name="ba2014_figure2",
    title="Learned shifts against mean activities, MNIST, ReLU 1000-1000",
    paper=ba2014.PAPER,
    place="figure 2",
    kind="measured",
    rows=(
        Row("original", "MNIST"),
        Row("inverted", "inverted MNIST", {"data.inverted": True}, ours=True),
        Row(
            "original_without_decay",
            "MNIST, no decay of the shifts",
            {"optimizer.shift_decay": 0.0},
            ours=True,
        ),
    ),
    scales={
        "smoke": smoke(),
        "short": Scale(
            changes=("20 epochs",),
            cost="about 16 minutes, two cores",
            overrides={"training.epochs": 20},
            num_seeds=3,
        ),
        "paper": Scale((), "about 20 minutes, one H200 (estimate)", num_seeds=5),
    },
    drawn=("shift_correlation", "shift_slope"),
    metrics=(
        "shift_correlation/input",
        "shift_correlation/layer_1",
        "shift_correlation/layer_2",
        "shift_slope/input",
        "shift_slope/layer_1",
        "shift_slope/layer_2",
        "test_error_percent",
    ),
    measurements=("shift_against_activity",),
    base={**ba2014.MNIST_BASE, "noise.shift": "both"},
    figure="left: mean inputs against their shifts; right: mean hidden activities",
    protocol=(
        "The networks are those of table 2. Activities are averages over the training "
        "set.",
    ),
    ours=(
        "The settings are those of table 2. The paper does not say which network or "
        "hidden layer its figure shows; our figure shows all layers.",
    ),
    inconsistencies=(
        "Section 4 once says that the best shift is the average of the activities. "
        "Figure 2 and the next sentence say that it is MINUS the average.",
        "The text calls the negative correlation 'strong' but prints no coefficient.",
    ),
    claims=(
        Claim(
            "Shifts have a strong negative correlation with mean activities (our test: "
            "below -0.5).",
            tuple(
                level("original", f"shift_correlation/{layer}", high=-0.5)
                for layer in ("input", "layer_1", "layer_2")
            ),
        ),
        Claim(
            "Shifts are close to minus the mean activities (our test: the slope lies "
            "between -1.25 and -0.75).",
            tuple(
                level("original", f"shift_slope/{layer}", low=-1.25, high=-0.75)
                for layer in ("input", "layer_1", "layer_2")
            ),
        ),
    ),
)

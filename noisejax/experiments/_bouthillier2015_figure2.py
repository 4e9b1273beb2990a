"""Bouthillier et al. 2015, figure 2: dropout projected back into the input."""

from noisejax.experiments import _bouthillier2015 as shared
from noisejax.experiments._claims import Claim, difference
from noisejax.experiments._experiment import Experiment
from noisejax.experiments._scales import Scale, smoke

EXPERIMENT = Experiment(
    name="bouthillier2015_figure2",
    title="Dropout projected back into the input",
    paper=shared.PAPER,
    place="figure 2",
    kind="measured",
    rows=(
        shared.data_row("mnist", "(a) MNIST", {}),
        shared.data_row("cifar10", "(b) CIFAR", {}),
        shared.data_row("mnist", "(a) MNIST", {}, scaled=True),
        shared.data_row("cifar10", "(b) CIFAR", {}, scaled=True),
    ),
    scales={
        "smoke": smoke(overrides=shared.MLP_SMOKE),
        "short": shared.AUTOENCODER_SHORT,
        "paper": Scale((), "about 15 minutes, one H200 (estimate)"),
    },
    metrics=shared.SAMPLE_METRICS,
    measurements=("back_projected_samples",),
    base=shared.AUTOENCODER_BASE,
    figure="each row: an input, then one back-projection per mask (after inverse PCA "
    "on CIFAR-10)",
    protocol=shared.AUTOENCODER_PROTOCOL,
    ours=(
        *shared.AUTOENCODER_OURS,
        "Masks are not scaled in training or in the targets, as in eqs. 3 to 5. We "
        "added rows with scaled masks, the default of noisejax.",
        "The class of x* is the class of its nearest training input. There are 100 "
        "test inputs with 8 masks each.",
    ),
    inconsistencies=(
        "Section 5.1 and the caption of figure 5 refer to figure 5 but mean figure 2.",
    ),
    claims=(
        Claim(
            "Back-projected samples are close to natural inputs of the same class (our "
            "test: the nearest training input has the class of x at most 5 points less "
            "often for x* than for x).",
            tuple(
                difference(
                    *(data, data, "nearest_class_kept/x_star", "nearest_class_kept/x"),
                    low=-0.05,
                )
                for data in ("mnist", "cifar10")
            ),
        ),
        Claim(
            "An input exists whose features are nearly the noisy ones (our test: the "
            "relative residual is at most half as large at x* as at x).",
            tuple(
                difference(
                    *(data, data, "residual/after", "residual/before"),
                    times=0.5,
                    high=0.0,
                )
                for data in ("mnist", "cifar10")
            ),
        ),
    ),
)

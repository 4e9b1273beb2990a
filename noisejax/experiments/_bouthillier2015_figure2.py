"""Bouthillier et al. 2015, figure 2: dropout projected back into the input."""

from noisejax.experiments import _bouthillier2015 as shared
from noisejax.experiments._claims import Claim, Contrast
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
    figure="a row per input: itself, then a back-projection per mask; inverse PCA",
    protocol=shared.AUTOENCODER_PROTOCOL,
    ours=(
        *shared.AUTOENCODER_OURS,
        "Masks are not scaled, as in eqs. 3 to 5, in training and in the targets. Rows "
        "with scaled masks, the library's default, are ours.",
        "The class of x* is that of its nearest training input; 100 test inputs, 8 "
        "masks each.",
    ),
    inconsistencies=(
        "Section 5.1 refers to figure 5 where figure 2 is meant, and so does figure "
        "5's own caption.",
    ),
    claims=(
        Claim(
            "Back-projected samples are close to natural inputs of the same class "
            "(our test: the class of the nearest training input is kept at "
            "most 5 points "
            "less often than for x itself).",
            tuple(
                Contrast(
                    (
                        (1.0, data, "nearest_class_kept/x_star"),
                        (-1.0, data, "nearest_class_kept/x"),
                    ),
                    low=-0.05,
                )
                for data in ("mnist", "cifar10")
            ),
        ),
        Claim(
            "Some input gives nearly the same features as the noise (our "
            "test: half the "
            "relative residual at most).",
            tuple(
                Contrast(
                    ((1.0, data, "residual/after"), (-0.5, data, "residual/before")),
                    high=0.0,
                )
                for data in ("mnist", "cifar10")
            ),
        ),
    ),
)

"""Bouthillier et al. 2015, figure 5: random dropout projected back into the input."""

from noisejax.experiments import _bouthillier2015 as shared
from noisejax.experiments._claims import Claim, level
from noisejax.experiments._experiment import Experiment
from noisejax.experiments._scales import Scale, smoke

RANDOM = {"noise.scheme": "random_dropout", "noise.scale": True}
"""Eq. 10 scales the masks."""

EXPERIMENT = Experiment(
    name="bouthillier2015_figure5",
    title="Random dropout projected back into the input",
    paper=shared.PAPER,
    place="figure 5",
    kind="measured",
    rows=(
        shared.data_row("mnist", "(a) MNIST", RANDOM),
        shared.data_row("cifar10", "(b) CIFAR", RANDOM),
    ),
    scales={
        "smoke": smoke(overrides=shared.MLP_SMOKE),
        "short": shared.AUTOENCODER_SHORT,
        "paper": Scale((), "about 15 minutes, one H200 (estimate)"),
    },
    metrics=shared.SAMPLE_METRICS,
    measurements=("back_projected_samples",),
    base=shared.AUTOENCODER_BASE,
    figure="as figure 2, each sample with a noise level of its own, in their order",
    protocol=(
        *shared.AUTOENCODER_PROTOCOL,
        "Each sample has a noise level and a mask of its own.",
    ),
    ours=(
        *shared.AUTOENCODER_OURS,
        "Trained and shown with levels in [0, 0.4]: the range is not printed, nor "
        "whether the autoencoder of figure 2 was used.",
    ),
    inconsistencies=(
        "The caption compares with 'figure 5', itself; figure 2 is meant.",
    ),
    claims=(
        Claim(
            "Random dropout's samples lie at different distances from the input, "
            "dropout's all at the same (our test: distances vary by more "
            "than a fifth).",
            tuple(
                level(data, "distance_spread", low=0.2) for data in ("mnist", "cifar10")
            ),
        ),
    ),
)

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
    figure="as figure 2, but each sample has its own noise level; samples are ordered "
    "by level",
    protocol=(
        *shared.AUTOENCODER_PROTOCOL,
        "Each sample has its own noise level and mask.",
    ),
    ours=(
        *shared.AUTOENCODER_OURS,
        "Training and figure use levels in [0, 0.4]. The paper prints neither the "
        "range nor whether it used the autoencoder of figure 2.",
    ),
    inconsistencies=(
        "The caption of figure 5 compares with 'figure 5' but means figure 2.",
    ),
    claims=(
        Claim(
            "The samples of random dropout have different distances from the input; "
            "those of dropout all have the same distance (our test: distances vary by "
            "more than a fifth under random dropout).",
            tuple(
                level(data, "distance_spread", low=0.2) for data in ("mnist", "cifar10")
            ),
        ),
    ),
)

"""Bouthillier et al. 2015, figure 1: the density of the dropped share."""

from noisejax.experiments import _bouthillier2015 as shared
from noisejax.experiments._experiment import Experiment, Row
from noisejax.experiments._scales import instant


def _row(scheme: str, units: int) -> Row:
    label = {"dropout": "dropout", "random_dropout": "random dropout"}[scheme]
    return Row(
        name=f"{scheme}_{units}",
        label=f"{label}, p = 0.5, {units} units",
        factors={"scheme": scheme, "rate": 0.5, "units": units},
    )


EXPERIMENT = Experiment(
    name="bouthillier2015_figure1",
    title="The share of units that is dropped: dropout and random dropout",
    paper=shared.PAPER,
    place="figure 1",
    kind="computed",
    rows=tuple(
        _row(scheme, units)
        for units in (100, 1000)
        for scheme in ("dropout", "random_dropout")
    ),
    scales={
        "smoke": instant(("1,000 draws",)),
        "short": instant(("100,000 draws",)),
        "paper": instant(("100,000 draws",)),
    },
    metrics=("dropped_share",),
    measurements=("dropped_share_density",),
    figure="probability of each dropped share, exact and drawn, p = 0.5",
    protocol=("Probability density of the proportion of units dropped with p = 0.5.",),
    ours=(
        "100 and 1000 units: their number is not printed. The axis ends at 8.0 %, the "
        "mode's probability under dropout with 100 units.",
    ),
    inconsistencies=(
        "The caption calls the density of random dropout constant 'under pN': with "
        "finitely many units some of it lies above (3.5 % at 100 units).",
    ),
    claims=(
        "Under dropout the share is peaked around p, under random dropout uniform "
        "below it.",
    ),
)

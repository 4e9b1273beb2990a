"""Bouthillier et al. 2015, figure 1: density of the dropped share."""

from noisejax.experiments import _bouthillier2015 as shared
from noisejax.experiments._claims import Claim, level
from noisejax.experiments._experiment import Experiment, Row
from noisejax.experiments._scales import instant

UNITS = (100, 1000)


def _row(scheme: str, units: int) -> Row:
    label = {"dropout": "dropout", "random_dropout": "random dropout"}[scheme]
    return Row(
        name=f"{scheme}_{units}",
        label=f"{label}, p = 0.5, {units} units",
        factors={"scheme": scheme, "rate": 0.5, "units": units},
    )


EXPERIMENT = Experiment(
    name="bouthillier2015_figure1",
    title="Share of dropped units under dropout and random dropout",
    paper=shared.PAPER,
    place="figure 1",
    kind="computed",
    rows=tuple(
        _row(scheme, units)
        for units in UNITS
        for scheme in ("dropout", "random_dropout")
    ),
    scales={
        "smoke": instant(("1,000 draws",), draws=1_000),
        "short": instant(("100,000 draws",), draws=100_000),
        "paper": instant(("100,000 draws",), draws=100_000),
    },
    drawn=("dropped_share",),
    metrics=(
        "dropped_share/near_rate",
        "dropped_share/above_rate",
        "dropped_share/unevenness",
        "dropped_share/draws_off",
    ),
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
        Claim(
            "Under dropout the share is peaked around p.",
            tuple(
                level(f"dropout_{n}", "dropped_share/near_rate", low=0.5) for n in UNITS
            ),
        ),
        Claim(
            "Under random dropout the share is uniform below p.",
            tuple(
                level(f"random_dropout_{n}", "dropped_share/unevenness", high=0.05)
                for n in UNITS
            ),
        ),
    ),
)

"""Bouthillier et al. 2015, figure 1: density of the share of dropped units."""

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
    protocol=(
        "The figure shows the probability density of the proportion of dropped units "
        "for p = 0.5.",
    ),
    ours=(
        "We use 100 and 1000 units, because the paper does not print the number. The "
        "vertical axis ends at 8.0 %, the probability of the mode under dropout with "
        "100 units.",
    ),
    inconsistencies=(
        "The caption says that the density of random dropout is constant 'under pN'. "
        "With finitely many units, a part of the probability is above p (3.5 % for 100 "
        "units).",
    ),
    claims=(
        Claim(
            "Under dropout, the density of the dropped share has a peak at p.",
            tuple(
                level(f"dropout_{n}", "dropped_share/near_rate", low=0.5) for n in UNITS
            ),
        ),
        Claim(
            "Under random dropout, the density of the dropped share is uniform below "
            "p.",
            tuple(
                level(f"random_dropout_{n}", "dropped_share/unevenness", high=0.05)
                for n in UNITS
            ),
        ),
    ),
)

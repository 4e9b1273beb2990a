"""Hahn and Choi 2018, figure 1 and table 1: correlations between units."""

from noisejax.experiments import _hahn2018 as shared
from noisejax.experiments._claims import Claim, difference
from noisejax.experiments._experiment import Experiment, Printed

BOUNDS = (0.9, 0.8, 0.7, 0.6, 0.5)

COUNTS = {
    "base": {
        "layer_3": (1, 123, 676, 1989, 4393),
        "layer_2": (0, 6, 71, 373, 1305),
        "layer_1": (0, 5, 91, 826, 3939),
    },
    "dropout": {
        "layer_3": (174, 618, 1625, 3388, 6037),
        "layer_2": (35, 287, 1016, 2541, 5077),
        "layer_1": (16, 181, 769, 2510, 6734),
    },
}
"""Printed number of pairs with |correlation| above each of the `BOUNDS`."""


def _printed(method: str) -> dict[str, Printed]:
    return {
        f"pairs_above/{layer}/{bound}": Printed(count)
        for layer, counts in COUNTS.get(method, {}).items()
        for bound, count in zip(BOUNDS, counts, strict=True)
    }


EXPERIMENT = Experiment(
    name="hahn2018_figure1",
    title="Correlations between units with and without dropout (and table 1)",
    paper=shared.PAPER,
    place="figure 1 and table 1",
    kind="measured",
    rows=tuple(
        shared.method_row(method, _printed(method), ours=method not in COUNTS)
        for method in shared.METHODS
    ),
    scales=shared.scales(),
    metrics=tuple(
        f"pairs_above/{layer}/{bound}"
        for layer in ("layer_3", "layer_2", "layer_1")
        for bound in BOUNDS
    ),
    measurements=("correlation_counts",),
    base=shared.BASE,
    figure="densities of Pearson's coefficient per layer, with and without dropout",
    protocol=(
        *shared.PROTOCOL,
        "Pearson's correlation is computed for all pairs of units of a layer, on the "
        "MNIST test set after training. The table counts the pairs with |r| above 0.9, "
        "0.8, 0.7, 0.6 and 0.5.",
    ),
    ours=(
        *shared.OURS,
        "Units that are constant on the test set are excluded, and their number is "
        "reported.",
        "We added a row with GAAF.",
    ),
    inconsistencies=(
        "Neither the number of pairs nor a spread is printed. If the network is that "
        "of section 5.1, there are 130,816 pairs of 512 units and 32,640 pairs of 256 "
        "units.",
    ),
    claims=(
        Claim(
            "Dropout increases the number of highly correlated pairs (our test: above "
            "0.7 and above 0.5).",
            tuple(
                difference("dropout", "base", f"pairs_above/{layer}/{bound}", low=0.0)
                for layer in ("layer_3", "layer_2", "layer_1")
                for bound in (0.7, 0.5)
            ),
        ),
    ),
)

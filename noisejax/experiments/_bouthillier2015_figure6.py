"""Bouthillier et al. 2015, figure 6: noise levels, fixed and random."""

from typing import Any

from noisejax.experiments import _bouthillier2015 as shared
from noisejax.experiments._claims import Claim, better
from noisejax.experiments._experiment import Experiment, Row
from noisejax.experiments._scales import SEEDS_UNKNOWN, Scale, smoke

NETWORKS = ((2500, 625), (2500, 1250), (2500, 2500))

LEVELS = {
    "input": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
    "hidden": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
    "random": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
    "random_per_batch": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
}
"""Noise levels of each panel. The paper's third column is "random"."""

LABELS = {
    "input": "hidden 0.5, input {}",
    "hidden": "input 0.2, hidden {}",
    "random": "random [0, {}] on input and hidden layers",
    "random_per_batch": "random [0, {}], one level per layer and batch",
}


def _noise(panel: str, level: float) -> dict[str, Any]:
    if panel == "input":
        rates = (level, 0.5)
    elif panel == "hidden":
        rates = (0.2, level)
    else:
        rates = (level, level)
    schemes = {
        "random": "random_dropout",
        "random_per_batch": "random_dropout_per_batch",
    }
    return {
        "noise.scheme": schemes.get(panel, "dropout"),
        "noise.input_rate": rates[0],
        "noise.hidden_rate": rates[1],
    }


def _row(data: str, widths: tuple[int, ...], panel: str, level: float) -> Row:
    network = shared.widths_name(widths)
    return Row(
        name=f"{data}_{network}_{panel}_{level}",
        label=f"{data}, {network}, {LABELS[panel].format(level)}",
        overrides={
            **shared.MLP_DATA[data],
            "model.widths": widths,
            **_noise(panel, level),
        },
        factors={"data": data, "network": network, "panel": panel, "level": level},
        ours=panel == "random_per_batch",
    )


def _panel(data: str, widths: tuple[int, ...], panel: str) -> tuple[str, ...]:
    """Return the names of a panel's rows."""
    network = shared.widths_name(widths)
    return tuple(f"{data}_{network}_{panel}_{level}" for level in LEVELS[panel])


EXPERIMENT = Experiment(
    name="bouthillier2015_figure6",
    title="Test error against the noise level: dropout and random dropout",
    paper=shared.PAPER,
    place="figure 6",
    kind="trained",
    rows=tuple(
        _row(data, widths, panel, level)
        for data in shared.MLP_DATA
        for widths in NETWORKS
        for panel, levels in LEVELS.items()
        for level in levels
    ),
    scales={
        "smoke": smoke(overrides=shared.MLP_SMOKE),
        "short": Scale(
            changes=(
                "MNIST and 2500-625 only, at two fifths of the width; four levels per "
                "panel",
                "20 epochs and 6 further ones; mean of the last 3",
            ),
            cost="about 40 minutes, two cores",
            overrides={"training.epochs": 20, "training.retrain_epochs": 6},
            width_factor=2 / 5,
            num_seeds=3,
            rows=tuple(
                f"mnist_2500-625_{panel}_{level}"
                for panel in LEVELS
                for level in (0.0, 0.2, 0.5, 0.7)
            ),
        ),
        "paper": Scale(
            SEEDS_UNKNOWN, "about 200 hours, one H200 (estimate)", num_seeds=3
        ),
    },
    drawn=("test_error_percent",),
    metrics=("test_error_percent", "validation_error_percent"),
    base=shared.MLP_BASE,
    figure="rows: CIFAR-10 and MNIST; columns: input, hidden and random noise; error "
    "bars",
    protocol=(
        *shared.MLP_PROTOCOL,
        "The panels are dropout with hidden rate 0.5 and input rates 0.0 to 0.7, "
        "dropout with input rate 0.2 and hidden rates 0.0 to 0.7, and random dropout "
        "[0, x] on input and hidden layers with x from 0.0 to 0.8. Steps are 0.1.",
    ),
    ours=(
        *shared.MLP_OURS,
        "The noise level is drawn per layer and example. We added rows with one level "
        "per layer and batch, because the text allows both readings.",
    ),
    inconsistencies=(
        "The errors are shown in the figure only; no values are printed.",
        "In the text the level has an index for the layer only; figure 5 has one level "
        "per sample.",
    ),
    claims=(
        Claim(
            "Random dropout improves on dropout (our test: the best level of random "
            "dropout against the best level of each dropout panel, each chosen by "
            "validation error).",
            tuple(
                better(_panel(data, widths, "random"), _panel(data, widths, panel))
                for data in shared.MLP_DATA
                for widths in NETWORKS
                for panel in ("input", "hidden")
            ),
        ),
    ),
)

"""Our experiment: how to avoid dead units under dropout on inverted MNIST."""

from noisejax.experiments import _ba2014 as ba2014
from noisejax.experiments._claims import ERROR, Claim, better, difference
from noisejax.experiments._experiment import Experiment, Row
from noisejax.experiments._scales import Overrides, Scale, smoke

METHODS: dict[str, Overrides] = {
    "none": {"noise.scheme": "none"},
    "dropout": {"noise.shift": "none"},
    "invariant": {"noise.shift": "both"},
}

WARMUP_EPOCHS = (0.0, 3.0)
MAX_NORMS = (0.0, 3.0)
SHIFT_RATES = (1.0, 10.0)


def _row(method: str, warmup: float, norm: float, shift_rate: float) -> Row:
    label = f"{method}, warm-up {warmup:g} epochs, max-norm {norm:g}"
    name = f"{method}_warmup_{warmup:g}_norm_{norm:g}"
    if method == "invariant":
        label += f", shift rate ×{shift_rate:g}"
        name += f"_shift_{shift_rate:g}"
    return Row(
        name=name,
        label=label,
        overrides={
            **METHODS[method],
            "optimizer.warmup_epochs": warmup,
            "optimizer.max_norm": norm,
            "optimizer.shift_rate": shift_rate,
        },
        factors={
            "method": method,
            "warmup": warmup,
            "max_norm": norm,
            "shift_rate": shift_rate,
        },
        ours=True,
    )


ROWS = tuple(
    _row(method, warmup, norm, shift_rate)
    for method in METHODS
    for warmup in WARMUP_EPOCHS
    for norm in MAX_NORMS
    for shift_rate in (SHIFT_RATES if method == "invariant" else (1.0,))
)


def _rows(method: str) -> tuple[str, ...]:
    """Return the names of the rows of a method."""
    return tuple(row.name for row in ROWS if row.factors["method"] == method)


EXPERIMENT = Experiment(
    name="inverted_mnist",
    title="Inverted MNIST: warm-up, max-norm and the learning rate of the shifts",
    paper="none: our own, a pilot for Ba et al. 2014, table 2",
    place="none",
    kind="measured",
    rows=ROWS,
    scales={
        "smoke": smoke(),
        "short": Scale(
            changes=("ReLU 300-300; 12 epochs",),
            cost="about 20 minutes, two cores (estimate)",
            overrides={"training.epochs": 12},
            width_factor=0.3,
            num_seeds=3,
        ),
        "paper": Scale(
            ("ReLU 1000-1000; 100 epochs",),
            "about 10 hours, two cores (estimate)",
            num_seeds=3,
        ),
    },
    metrics=(
        ERROR,
        "validation_error_percent",
        "dead_share/layer_1",
        "dead_share/layer_2",
    ),
    measurements=("dead_units",),
    base={
        **ba2014.MNIST_MLP,
        **ba2014.DROPOUT,
        **ba2014.SHIFTS,
        "data.inverted": True,
        "optimizer.learning_rate": 0.02,
        "training.epochs": 100,
    },
    protocol=(
        "The network and the data are those of Ba et al., table 2, in the inverted "
        "encoding.",
    ),
    ours=(
        "All settings are ours. Each method is represented by its row with the lowest "
        "validation error.",
        "Max-norm 0 means no limit.",
    ),
    claims=(
        Claim(
            "Invariant dropout is better than dropout, each at its best settings.",
            (better(_rows("invariant"), _rows("dropout")),),
        ),
        Claim(
            "Dropout is worse than no dropout, each at its best settings.",
            (difference(_rows("dropout"), _rows("none"), ERROR, low=0.0),),
        ),
        Claim(
            "Warm-up and max-norm reduce the number of dead units under dropout.",
            (
                difference(
                    "dropout_warmup_3_norm_3",
                    "dropout_warmup_0_norm_0",
                    "dead_share/layer_1",
                    high=0.0,
                ),
            ),
        ),
        Claim(
            "A ten times larger learning rate of the shifts lowers the error.",
            (
                better(
                    "invariant_warmup_3_norm_3_shift_10",
                    "invariant_warmup_3_norm_3_shift_1",
                ),
            ),
        ),
    ),
)

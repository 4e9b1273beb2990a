"""Our own: settings under which dropout on inverted MNIST keeps its units alive."""

from noisejax.experiments._experiment import (
    Claim,
    Experiment,
    Overrides,
    Row,
    Scale,
    difference,
)
from noisejax.experiments._scales import smoke

ERROR = "test_error_percent"

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
        label += f", shifts at {shift_rate:g} times the learning rate"
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
    """Return the names of a method's rows."""
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
            changes=("ReLU 1000-1000; 100 epochs",),
            cost="about 10 hours, two cores (estimate)",
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
        "data.name": "mnist",
        "data.inverted": True,
        "data.validation": 10_000,
        "model.name": "mlp",
        "model.widths": (1000, 1000),
        "model.activation": "relu",
        "noise.scheme": "dropout",
        "noise.input_rate": 0.2,
        "noise.hidden_rate": 0.5,
        "optimizer.momentum": 0.9,
        "optimizer.nesterov": True,
        "optimizer.learning_rate": 0.02,
        "optimizer.shift_decay": 0.1,
        "training.epochs": 100,
        "training.batch_size": 100,
    },
    protocol=("The network and the data of Ba et al., table 2, inverted encoding.",),
    ours=(
        "Everything. A method is judged by the row with the lowest validation error.",
        "Max-norm 0 is no limit.",
    ),
    claims=(
        Claim(
            "Invariant dropout is better than dropout, each at its best settings.",
            (difference(_rows("invariant"), _rows("dropout"), ERROR, high=0.0),),
        ),
        Claim(
            "Dropout is worse than no dropout, each at its best settings.",
            (difference(_rows("dropout"), _rows("none"), ERROR, low=0.0),),
        ),
        Claim(
            "Warm-up and max-norm leave fewer dead units under dropout.",
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
            "Ten times the learning rate for the shifts lowers the error.",
            (
                difference(
                    "invariant_warmup_3_norm_3_shift_10",
                    "invariant_warmup_3_norm_3_shift_1",
                    ERROR,
                    high=0.0,
                ),
            ),
        ),
    ),
)

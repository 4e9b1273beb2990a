"""Our experiment: several noise samples per example, on one network."""

from noisejax.experiments import _ba2014 as ba2014
from noisejax.experiments import _noh2017 as noh2017
from noisejax.experiments._claims import ERROR, Claim, Contrast, better, difference
from noisejax.experiments._experiment import Experiment, Row
from noisejax.experiments._scales import Overrides, Scale, digits, smoke


def _row(name: str, label: str, overrides: Overrides, *, epochs_factor: int = 1) -> Row:
    return Row(
        name,
        label,
        overrides,
        factors={"method": name},
        epochs_factor=epochs_factor,
        ours=True,
    )


EXPERIMENT = Experiment(
    name="iwsgd",
    title="Several noise samples per example: importance weights, equal weights, more "
    "epochs",
    paper="none: our own, on the method of Noh et al. 2017",
    place="none",
    kind="measured",
    rows=(
        _row("s_1", "S = 1", {}),
        _row("s_4", "S = 4, importance weights", noh2017.samples(4, "importance")),
        _row("s_4_equal", "S = 4, equal weights", noh2017.samples(4, "equal")),
        _row("s_8", "S = 8, importance weights", noh2017.samples(8, "importance")),
        _row("s_8_equal", "S = 8, equal weights", noh2017.samples(8, "equal")),
        _row("s_1_x4", "S = 1, four times the epochs", {}, epochs_factor=4),
    ),
    scales={
        "smoke": smoke(),
        "short": digits("about 10 minutes, two cores (estimate)", num_seeds=10),
        "paper": Scale(
            ("on MNIST; 60 epochs",), "about 4 hours, two cores (estimate)", num_seeds=5
        ),
    },
    metrics=(
        ERROR,
        "train_accuracy_percent",
        "prediction_error_percent/noise_free",
        "prediction_error_percent/monte_carlo",
        "calibration_error_percent/noise_free",
        "calibration_error_percent/monte_carlo",
        "bound/S=1",
        "bound/S=16",
        "effective_samples/8",
    ),
    measurements=("noise_samples",),
    base={
        **ba2014.MNIST_MLP,
        **ba2014.DROPOUT,
        "objective.strategy": "fold",
        "optimizer.learning_rate": 0.05,
        "optimizer.momentum": 0.9,
        "training.epochs": 60,
    },
    protocol=(
        "All rows share the network, data split, optimizer and seeds, so that "
        "differences are taken within a seed.",
    ),
    ours=(
        "All settings are ours. The Monte-Carlo prediction and the bound use 16 "
        "samples.",
    ),
    claims=(
        Claim(
            "Several samples with importance weights lower the error at the same "
            "number of epochs.",
            tuple(better(row, "s_1") for row in ("s_4", "s_8")),
        ),
        Claim(
            "Importance weights give a lower error than equal weights.",
            tuple(better(row, f"{row}_equal") for row in ("s_4", "s_8")),
        ),
        Claim(
            "Four times the iterations make the result worse.",
            (difference("s_1_x4", "s_1", ERROR, low=0.0),),
        ),
        Claim(
            "Four samples give a lower error than four times the iterations.",
            (better("s_4", "s_1_x4"),),
        ),
        Claim(
            "The bound L(16) exceeds L(1) on test examples, and more so after training "
            "with importance weights than with equal weights.",
            (
                difference("s_8", "s_8", "bound/S=16", "bound/S=1", low=0.0),
                Contrast(
                    (
                        (1.0, "s_8", "bound/S=16"),
                        (-1.0, "s_8", "bound/S=1"),
                        (-1.0, "s_8_equal", "bound/S=16"),
                        (1.0, "s_8_equal", "bound/S=1"),
                    ),
                    low=0.0,
                ),
            ),
        ),
    ),
)

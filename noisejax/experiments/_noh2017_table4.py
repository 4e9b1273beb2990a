"""Noh et al. 2017, table 4: IWSGD on the fusion head of a two-stream network."""

from noisejax.experiments import _noh2017 as shared
from noisejax.experiments._claims import Claim, Contrast
from noisejax.experiments._experiment import Experiment, Printed, Row
from noisejax.experiments._scales import Scale, smoke

ACCURACY = "test_accuracy_percent"
SUM = "sum_accuracy_percent"
SPLITS = (0, 1, 2)


METHODS: dict[str, shared.Method] = {
    "s_1": ("TwoStreamFusion (reproduced)", {}, (92.49,), 1),
    "s_5": ("with IWSGD (S = 5)", shared.samples(5), (92.73,), 1),
    "s_10": ("with IWSGD (S = 10)", shared.samples(10), (92.69,), 1),
    "s_15": ("with IWSGD (S = 15)", shared.samples(15), (92.72,), 1),
    **shared.controls(0.7968),
}
"""Methods; the printed number is the mean over the splits."""

SIDES = {
    "s_1": "S = 1",
    "s_5": "S = 5",
    "s_10": "S = 10",
    "s_15": "S = 15",
    "s_5_equal": "S = 5 with equal weights",
    "s_1_x5": "five times the epochs",
    "random": "random dropout",
    "no_noise": "no noise",
}
"""Name of a method -> its words in verdicts."""


def _row(method: str, split: int) -> Row:
    label, overrides, printed, epochs_factor = METHODS[method]
    return Row(
        f"{method}_split_{split}",
        f"split {split + 1}, {label}",
        {**overrides, "data.test_partition": split},
        {ACCURACY: Printed(*printed)} if printed else {},
        factors={"method": method, "split": split},
        epochs_factor=epochs_factor,
        ours=not printed,
    )


def _gain(
    method: str, other: str, *, other_metric: str = ACCURACY, **bounds: float
) -> Contrast:
    """Return the difference in accuracy of two methods, averaged over the splits."""
    share = 1 / len(SPLITS)
    terms = [
        (sign * share, f"{name}_split_{split}", metric)
        for sign, name, metric in ((1, method, ACCURACY), (-1, other, other_metric))
        for split in SPLITS
    ]
    sides = [SIDES[name] for name in (method, other)]
    if other_metric != ACCURACY:
        sides[1] = "the plain sum"
    return Contrast(tuple(terms), sides=tuple(sides), **bounds)


EXPERIMENT = Experiment(
    name="noh2017_table4",
    title="IWSGD on a fusion head over two fixed streams (UCF-101)",
    paper=shared.PAPER,
    place="table 4",
    kind="measured",
    rows=tuple(_row(method, split) for method in METHODS for split in SPLITS),
    scales={
        "smoke": smoke(),
        "short": Scale(
            (
                "class scores of the two streams instead of convolutional features",
                "the 3,783 test videos of the official split 1, divided into three "
                "splits by groups of videos",
            ),
            "about 10 minutes, one core (estimate)",
            num_seeds=5,
        ),
        "paper": Scale(
            (
                "features and groups of the given files instead of the three official "
                "splits",
            ),
            "about 1 hour, one H200 (estimate)",
            num_seeds=5,
        ),
    },
    metrics=(ACCURACY, "class_accuracy_percent", SUM),
    decimals={ACCURACY: 2},
    measurements=("two_streams",),
    base={
        **shared.FEATURES,
        "data.name": "two_stream",
        "data.validation": 0.1,
        "model.name": "fusion",
        "model.widths": (512,),
        "noise.hidden_rate": 0.5,
        "optimizer.learning_rate": 0.001,
        "training.epochs": 40,
    },
    protocol=(
        "The network is the fusion network of Feichtenhofer et al. on UCF-101; only "
        "its head is fine-tuned.",
        "The paper prints means over three splits. This table repeats them in the row "
        "of each split.",
    ),
    ours=(
        "The head is an MLP of 512 units with dropout 0.5 on the standardised outputs "
        "of both streams. The optimizer is Adam for 40 epochs, with a learning rate "
        "that starts at 0.001 and follows a cosine. The paper prints neither the rate "
        "nor the schedule.",
        "The level of random dropout gives the variance of dropout at rate 0.5.",
        "The plain sum of the scores of both streams needs no head and no training.",
    ),
    inconsistencies=(
        "The text says that 'the overall tendency with increase of the number of "
        "samples is not consistent' (92.73, 92.69, 92.72), but prints no spread.",
    ),
    claims=(
        Claim(
            "IWSGD with S = 5, 10 and 15 improves the accuracy (mean over the splits).",
            tuple(_gain(row, "s_1", low=0.0) for row in ("s_5", "s_10", "s_15")),
        ),
        Claim(
            "More than 5 samples give no further improvement (our test: within 0.5 "
            "points).",
            (_gain("s_15", "s_5", low=-0.5, high=0.5),),
        ),
        *shared.questions(
            "the accuracy of the fusion head",
            lambda method, other: _gain(method, other, low=0.0),
        ),
        Claim(
            "Random dropout is better than dropout of the same variance (our "
            "question).",
            (_gain("random", "s_1", low=0.0),),
        ),
        Claim(
            "The head is more accurate than the plain sum of the scores of both "
            "streams (our question).",
            (_gain("s_1", "s_1", other_metric=SUM, low=0.0),),
        ),
    ),
)

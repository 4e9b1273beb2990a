"""Our experiment: noise while fine-tuning a transformer on other classes."""

from noisejax.experiments._claims import ERROR, Claim, better
from noisejax.experiments._experiment import Experiment, Row
from noisejax.experiments._scales import Overrides, Scale, smoke
from noisejax.experiments._vit_factorial import NO_NOISE, SCHEMES, SMALL, VIT

SOURCE = "source"
"""Name of the row from which the other rows start."""

OTHER_CLASSES: Overrides = {
    "data.classes": (5, 6, 7, 8, 9),
    "data.validation": 617,
    "training.batch_size": 20,
    "optimizer.learning_rate": 0.001,
}


def _row(name: str, label: str, overrides: Overrides, *, start: str = SOURCE) -> Row:
    return Row(
        name,
        label,
        {
            **OTHER_CLASSES,
            "training.init_from": f"rows/{start}" if start else "",
            **overrides,
        },
        factors={"method": name},
        ours=True,
    )


SAMPLES: Overrides = {**SCHEMES["dropout"], "objective.num_samples": 4}
LAST_LAYER: Overrides = {
    **NO_NOISE,
    "training.trainable": "dense_output",
    "optimizer.learning_rate": 0.02,
}

EXPERIMENT = Experiment(
    name="fine_tuning",
    title="Noise while fine-tuning: from the digits 0 to 4 to 100 images of 5 to 9",
    paper="none: our own",
    place="none",
    kind="trained",
    rows=(
        Row(
            SOURCE,
            "source: dropout, digits 0 to 4",
            {**SCHEMES["dropout"], "data.classes": (0, 1, 2, 3, 4)},
            factors={"method": SOURCE},
            ours=True,
        ),
        _row("none", "no noise", NO_NOISE),
        _row("dropout", "dropout", SCHEMES["dropout"]),
        _row("random", "random dropout", SCHEMES["random"]),
        _row("iwsgd", "dropout, S = 4, importance weights", SAMPLES),
        _row("last_layer", "output layer alone, no noise", LAST_LAYER),
        _row("scratch", "dropout, from scratch", SCHEMES["dropout"], start=""),
    ),
    scales={
        "smoke": smoke(overrides=SMALL),
        "short": Scale(
            ("on the embedded digits; 60 epochs",),
            "about 10 minutes, one core (estimate)",
            num_seeds=5,
        ),
        "paper": Scale(
            ("on the embedded digits; 60 epochs",),
            "about 20 minutes, one core (estimate)",
            num_seeds=20,
        ),
    },
    metrics=(ERROR,),
    base=VIT,
    protocol=(
        "The source is trained on five classes. Every other row is trained on 100 "
        "images of the other five classes and tested on all their test images.",
        "Seed i starts from seed i of the source, so that differences are taken within "
        "a seed.",
    ),
    ours=(
        "All settings are ours. Noise sites and rates are those of vit_factorial.",
        "The learning rate is 0.001, or 0.02 if only the output layer is trained.",
    ),
    claims=(
        Claim(
            "Noise during fine-tuning lowers the error (our question).",
            tuple(better(row, "none") for row in ("dropout", "random", "iwsgd")),
        ),
        Claim(
            "Several samples with importance weights lower the error of fine-tuning "
            "(our question).",
            (better("iwsgd", "dropout"),),
        ),
        Claim(
            "Fine-tuning all layers gives a lower error than training the output layer "
            "only, and than training from scratch (our question).",
            (better("dropout", "last_layer"), better("dropout", "scratch")),
        ),
    ),
)

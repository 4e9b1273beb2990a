"""Ba et al. 2014, table 6: maxout networks."""

from noisejax.experiments import _ba2014 as ba2014
from noisejax.experiments._claims import Claim, better
from noisejax.experiments._experiment import Experiment, Row
from noisejax.experiments._scales import (
    BFLOAT16,
    SEEDS_UNKNOWN,
    Overrides,
    Scale,
    smoke,
)

CIFAR = {
    "data.name": "cifar10",
    "data.preprocess": ("gcn", "zca"),
    "model.name": "maxout_cifar",
}
SVHN = {
    "data.name": "svhn_cropped_extra",
    "data.preprocess": ("gcn",),
    "model.name": "maxout_svhn",
    "data.validation_per_class": (400, 200),
}


def _row(name: str, label: str, overrides: Overrides, error: float) -> Row:
    shift = "both" if name.endswith("invariant") else "none"
    return Row(
        name,
        label,
        {**overrides, "noise.shift": shift},
        ba2014.error(error),
        factors={"data": overrides["data.name"], "shift": shift},
    )


CIFAR_LABEL = "CIFAR-10 Maxout CNN 96c-p-192c-p-192c-p-500fc"
SVHN_LABEL = "SVHN Maxout CNN 64c-p-128c-p-128c-p-400fc"

EXPERIMENT = Experiment(
    name="ba2014_table6",
    title="Invariant dropout with maxout on CIFAR-10 and SVHN",
    paper=ba2014.PAPER,
    place="table 6",
    kind="trained",
    rows=(
        _row("cifar10_dropout", f"{CIFAR_LABEL} + dropout", CIFAR, 11.7),
        _row("cifar10_invariant", f"{CIFAR_LABEL} + invariant dropout", CIFAR, 11.5),
        _row("svhn_dropout", f"{SVHN_LABEL} + dropout", SVHN, 2.47),
        _row("svhn_invariant", f"{SVHN_LABEL} + invariant dropout", SVHN, 2.33),
    ),
    scales={
        "smoke": smoke(1 / 32, {"data.validation_per_class": ()}),
        "short": Scale(
            changes=(
                "CIFAR-10 only",
                "a sixteenth of the feature maps and units",
                "10 epochs",
            ),
            cost="about 2 hours, two cores (estimate: 100 s an epoch)",
            overrides={"training.epochs": 10},
            width_factor=1 / 16,
            num_seeds=3,
            rows=("cifar10_dropout", "cifar10_invariant"),
        ),
        "paper": Scale(
            SEEDS_UNKNOWN, "about 8 hours, one H200 (estimate)", BFLOAT16, num_seeds=3
        ),
    },
    metrics=("test_error_percent",),
    base={
        **ba2014.DROPOUT,
        **ba2014.SHIFTS,
        "data.validation": 0.1,
        "model.width_factor": 1.0,
        "model.kernel_init": "lecun_normal",
        "optimizer.learning_rate": 0.01,
        "optimizer.max_norm": 1.9,
        "training.epochs": 200,
        "training.batch_size": 128,
    },
    protocol=(
        "The networks are the maxout networks of Goodfellow et al. 2013, in their "
        "software, with shifts.",
        "There is no augmentation.",
    ),
    ours=(
        "Kernel sizes, pooling and pieces (two per feature map, five per dense unit) "
        "are those of Goodfellow et al.'s published setting. Padding preserves the "
        "size of the image.",
        "All layers have max-norm 1.9. The optimizer has Nesterov momentum 0.9 and a "
        "learning rate that starts at 0.01 and follows a cosine. Training takes 200 "
        "epochs with batches of 128 and LeCun initialisation. Preprocessing is that of "
        "tables 3 and 4.",
    ),
    inconsistencies=("The differences are 0.2 and 0.14 %, and no spread is printed.",),
    claims=(
        Claim(
            "Invariant dropout improves maxout networks (11.5 against 11.7; 2.33 "
            "against 2.47).",
            tuple(
                better(f"{data}_invariant", f"{data}_dropout")
                for data in ("cifar10", "svhn")
            ),
        ),
        Claim(
            "The CNN of table 3 has less than half of the maxout network's parameters.",
            settled="Held (counted): 2.9 against 11.9 million.",
        ),
    ),
)

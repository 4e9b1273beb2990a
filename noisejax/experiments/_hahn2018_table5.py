"""Hahn and Choi 2018, table 5: CIFAR and SVHN, with and without batch normalisation."""

from noisejax.experiments import _hahn2018 as shared
from noisejax.experiments._claims import Claim, difference, similar
from noisejax.experiments._experiment import Experiment, Printed, Row
from noisejax.experiments._scales import BFLOAT16, SEEDS_UNKNOWN, Scale, smoke

DATA = {
    "cifar100": {"data.name": "cifar100", "model.name": "vgg"},
    "cifar10": {"data.name": "cifar10", "model.name": "vgg"},
    "svhn": {"data.name": "svhn_cropped", "model.name": "four_conv"},
}

METHODS = {
    "base": ("Base Model", {}),
    "bn": ("+Batch Norm (BN)", {"model.batch_norm": True}),
    "gaaf": ("+GAAF", {"model.gaaf": True}),
    "bn_gaaf": ("+BN +GAAF", {"model.batch_norm": True, "model.gaaf": True}),
    "base_doubled_rate": (
        "Base Model, learning rate doubled",
        {"optimizer.learning_rate": 0.02},
    ),
}

ACCURACIES = {
    "base": {"cifar100": 59.63, "cifar10": 89.55, "svhn": 92.03},
    "bn": {"cifar100": 67.48, "cifar10": 91.1, "svhn": 93.80},
    "gaaf": {"cifar100": 61.29, "cifar10": 90.16, "svhn": 92.19},
    "bn_gaaf": {"cifar100": 69.36, "cifar10": 91.92, "svhn": 94.16},
}
"""Printed test accuracy in percent."""

TRAIN_ACCURACIES = {"cifar100": 98.2, "cifar10": 99.6, "svhn": 99.9}
"""Printed training accuracy in percent, base model and GAAF (section 5.2)."""


def _row(data: str, method: str) -> Row:
    label, overrides = METHODS[method]
    printed = {}
    if method in ACCURACIES:
        printed["test_accuracy_percent"] = Printed(ACCURACIES[method][data])
    if method in ("base", "gaaf"):
        printed["train_accuracy_percent"] = Printed(TRAIN_ACCURACIES[data])
    return Row(
        name=f"{data}_{method}",
        label=f"{data}, {label}",
        overrides={**DATA[data], **overrides},
        printed=printed,
        factors={"data": data, "method": method},
        ours=method not in ACCURACIES,
    )


EXPERIMENT = Experiment(
    name="hahn2018_table5",
    title="GAAF and batch normalisation on CIFAR-100, CIFAR-10 and SVHN",
    paper=shared.PAPER,
    place="table 5",
    kind="trained",
    rows=(
        *(_row(data, method) for data in DATA for method in ACCURACIES),
        *(_row(data, "base_doubled_rate") for data in DATA),
    ),
    scales={
        "smoke": smoke(1 / 32),
        "short": Scale(
            changes=(
                "CIFAR-10 only",
                "an eighth of the feature maps and units",
                "12 epochs",
            ),
            cost="about 2.5 hours, two cores (estimate: 50 s an epoch)",
            overrides={"training.epochs": 12},
            width_factor=1 / 8,
            num_seeds=3,
            rows=tuple(f"cifar10_{method}" for method in METHODS),
        ),
        "paper": Scale(
            SEEDS_UNKNOWN, "about 5 hours, one H200 (estimate)", BFLOAT16, num_seeds=3
        ),
    },
    metrics=("test_accuracy_percent", "train_accuracy_percent"),
    decimals={"test_accuracy_percent": 2},
    base={
        "data.preprocess": ("standardise",),
        "data.validation": 0.1,
        "model.width_factor": 1.0,
        "model.activation": "relu",
        "model.kernel_init": "he_normal",
        "noise.scheme": "none",
        "optimizer.learning_rate": 0.01,
        "optimizer.momentum": 0.9,
        "training.epochs": 120,
        "training.batch_size": 128,
    },
    protocol=(
        "On CIFAR the network is VGG16 without its last three convolutions and with "
        "narrower dense layers.",
        "On SVHN (73k training and 26k test images) the network has four convolutions, "
        "max-pooling after every second one, and three dense layers.",
        "Activations are ReLU; the shape function of GAAF is a shifted sigmoid.",
    ),
    ours=(
        "Dense layers have 512 units. The convolutions for SVHN have 64, 64, 128 and "
        "128 maps and 3x3 kernels. There is no dropout and no augmentation, because "
        "the paper mentions neither. Inputs are standardised per channel.",
        "The optimizer is SGD with Nesterov momentum 0.9 and a learning rate that "
        "starts at 0.01 and follows a cosine. Training takes 120 epochs with batches "
        "of 128 and He initialisation. A tenth of the training images is held out, and "
        "the epoch with the lowest validation error is tested.",
        "The shape function is sigmoid(x + 3). We added a control without GAAF at "
        "twice the learning rate.",
        "At scale 'paper', the operands of matrix products are rounded to bfloat16, "
        "and sums are in float32.",
    ),
    inconsistencies=(
        "Neither a spread nor the number of runs is printed. The gain on SVHN is only "
        "0.16 %.",
        "One training accuracy is printed for the base model and the GAAF model "
        "together.",
    ),
    claims=(
        Claim(
            "GAAF improves the base model and the model with batch normalisation.",
            tuple(
                difference(
                    f"{data}_{method}",
                    f"{data}_{other}",
                    "test_accuracy_percent",
                    low=0.0,
                )
                for data in DATA
                for method, other in (("gaaf", "base"), ("bn_gaaf", "bn"))
            ),
        ),
        Claim(
            "Training accuracies are almost the same with and without GAAF (our test: "
            "within 0.5 %).",
            tuple(
                similar(f"{data}_gaaf", f"{data}_base", "train_accuracy_percent", 0.5)
                for data in DATA
            ),
        ),
    ),
)

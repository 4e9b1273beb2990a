"""Data, networks and protocols that Bouthillier et al.'s experiments share."""

from collections.abc import Mapping

from noisejax.experiments._experiment import Row
from noisejax.experiments._scales import Overrides, Scale, Value

PAPER = "Bouthillier, Konda, Vincent and Memisevic 2015"

MLP_DATA: dict[str, Overrides] = {
    "mnist": {"data.name": "mnist", "optimizer.learning_rate": 0.05},
    "cifar10": {
        "data.name": "cifar10",
        "data.preprocess": ("pca",),
        "data.components": 781,
        "optimizer.learning_rate": 0.005,
    },
}
"""Data and learning rate (our choice) of the classifiers."""

MLP_BASE: Overrides = {
    "data.validation": 10_000,
    "model.name": "mlp",
    "model.activation": "relu",
    "model.kernel_init": "glorot_uniform",
    "optimizer.momentum": 0.9,
    "training.epochs": 501,
    "training.retrain_epochs": 150,
    "training.batch_size": 100,
}

MLP_PROTOCOL = (
    "Two hidden layers of ReLU, softmax; MNIST 50,000 / 10,000, CIFAR-10 by PCA on 781 "
    "components without whitening.",
    "501 epochs, the best by validation is trained further, not from scratch, for 150 "
    "epochs on training and validation part; mean test error of the last 75.",
)

MLP_OURS = (
    "SGD with Nesterov momentum 0.9, learning rate 0.05 (MNIST) or 0.005 (CIFAR-10), "
    "cosine in each of the two phases; batch 100; Glorot initialisation.",
    "10,000 of CIFAR-10's 50,000 are held out, too; PCA is fitted on all 50,000.",
)

MLP_SMOKE: Overrides = {"data.components": 15}

AUTOENCODER_DATA: dict[str, Overrides] = {
    "mnist": {
        "data.name": "mnist",
        "optimizer.learning_rate": 0.001,
        "optimizer.momentum": 0.7,
    },
    "cifar10": {
        "data.name": "cifar10",
        "data.preprocess": ("pca",),
        "data.components": 781,
        "optimizer.learning_rate": 0.0001,
        "optimizer.momentum": 0.5,
    },
}
"""Data, printed learning rate and momentum of the autoencoders."""

AUTOENCODER_BASE: Overrides = {
    "data.validation": 0.0,
    "model.name": "autoencoder",
    "model.widths": (1000,),
    "model.activation": "relu",
    "noise.scheme": "dropout",
    "noise.input_rate": 0.0,
    "noise.hidden_rate": 0.4,
    "optimizer.schedule": "constant",
    "optimizer.nesterov": False,
    "training.epochs": 300,
    "training.batch_size": 100,
    "projection.num_steps": 10,
    "projection.method": "gradient_descent",
    "projection.learning_rates": (100.0,),
}

AUTOENCODER_PROTOCOL = (
    "An autoencoder with a Bernoulli mask (0.4 dropped) on the hidden layer, none on "
    "the input; 300 epochs, batch 100; learning rate 0.001 and momentum 0.7 on MNIST, "
    "0.0001 and 0.5 on CIFAR-10, which is reduced to 781 features by PCA.",
    "Back-projection: 10 'epochs' at learning rate 100.",
)

AUTOENCODER_OURS = (
    "1000 hidden ReLU units, linear output with weights of its own, LeCun's "
    "initialisation; half the squared error, summed over inputs, averaged over the "
    "batch; no Nesterov; the last epoch is shown.",
    "PCA is fitted on all training images.",
    "The ten 'epochs' of section 5.1 are ten steps on the squared error averaged over "
    "units, summed over the batch.",
)

AUTOENCODER_SHORT = Scale(
    ("20 epochs",), "about 10 minutes, two cores (estimate)", {"training.epochs": 20}
)

SAMPLE_METRICS = (
    *("residual/before", "residual/after", "residual/diverged", "distance_spread"),
    *("nearest_class_kept/x", "nearest_class_kept/x_star"),
)
"""Metrics of back-projected samples."""


def data_row(
    data: str, label: str, overrides: Mapping[str, Value], *, scaled: bool = False
) -> Row:
    """Return the row of an autoencoder, named after its data.

    Args:
      data: key of `AUTOENCODER_DATA`.
      label: label in the table.
      overrides: further fields of the configuration.
      scaled: True for masks scaled by 1 / (1 - rate), which are ours.
    """
    return Row(
        f"{data}_scaled" if scaled else data,
        f"{label}, masks scaled" if scaled else label,
        {**AUTOENCODER_DATA[data], "noise.scale": scaled, **overrides},
        factors={"data": data, "scaled": scaled},
        ours=scaled,
    )


def widths_name(widths: tuple[int, ...]) -> str:
    """Return the paper's name of a network, such as "2500-625"."""
    return "-".join(map(str, widths))

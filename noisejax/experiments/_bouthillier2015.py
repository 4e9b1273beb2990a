"""Data, networks and protocols shared by the experiments of Bouthillier et al."""

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
"""Data set -> settings of the classifiers; the learning rates are our choice."""

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
    "The networks have two hidden ReLU layers and a softmax output. MNIST has 50,000 "
    "training and 10,000 validation images; CIFAR-10 is reduced to 781 PCA components "
    "without whitening.",
    "Training takes 501 epochs. The network of the epoch with the lowest validation "
    "error is then trained for 150 further epochs on the training and validation "
    "images. The result is the mean test error of the last 75 epochs.",
)

MLP_OURS = (
    "The optimizer is SGD with Nesterov momentum 0.9. In each of the two phases the "
    "learning rate starts at 0.05 (MNIST) or 0.005 (CIFAR-10) and follows a cosine. "
    "Batches have 100 examples; initialisation is Glorot's.",
    "10,000 of the 50,000 training images of CIFAR-10 are held out. PCA is fitted on "
    "all 50,000.",
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
"""Data set -> settings of the autoencoders, as the paper prints them."""

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
    "The autoencoder has a Bernoulli mask (0.4 dropped) on the hidden layer and no "
    "noise on the input. Training takes 300 epochs with batches of 100. Learning rate "
    "and momentum are 0.001 and 0.7 on MNIST, 0.0001 and 0.5 on CIFAR-10, which is "
    "reduced to 781 PCA features.",
    "Back-projection takes 10 'epochs' at learning rate 100.",
)

AUTOENCODER_OURS = (
    "The autoencoder has 1000 hidden ReLU units and a linear output whose weights are "
    "not tied to the encoder's, with LeCun initialisation. The loss is half the "
    "squared error, summed over the inputs and averaged over the batch. Momentum is "
    "not Nesterov's. Results are of the last epoch.",
    "PCA is fitted on all training images.",
    "We read the ten 'epochs' of section 5.1 as ten steps on the squared error, "
    "averaged over units and summed over the batch.",
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
    """Return the row of an autoencoder, with the name of its data set.

    Args:
      data: key of `AUTOENCODER_DATA`.
      label: label in the table.
      overrides: further fields of the configuration.
      scaled: True to scale masks by 1 / (1 - rate), which the paper does not.
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

"""Examples as a run sees them: inverted and preprocessed before the first epoch."""

import dataclasses

import numpy as np

from noisejax import data
from noisejax.training._config import Config

FLAT_NETWORKS = ("mlp", "autoencoder")
"""Networks that flatten whatever they get."""


def check_images(config: Config, dataset: data.Dataset) -> None:
    """Raises a ValueError where images are needed and the examples are none."""
    is_flat = len(dataset.shape) != 3 or "pca" in config.data.preprocess
    if config.model.name not in FLAT_NETWORKS and is_flat:
        raise ValueError(
            f"model.name={config.model.name} needs images [N, height, width, channels];"
            f" the examples of {dataset.name} are {_describe(config, dataset)}"
        )
    if config.data.augment and is_flat:
        raise ValueError(
            "data.augment flips and crops images [N, height, width, channels]; the "
            f"examples of {dataset.name} are {_describe(config, dataset)}"
        )


def _describe(config: Config, dataset: data.Dataset) -> str:
    if "pca" in config.data.preprocess:
        return "principal components (data.preprocess)"
    return f"of shape {dataset.shape}"


def prepare_examples(
    config: Config, dataset: data.Dataset
) -> tuple[data.Dataset, bool]:
    """Preprocesses on the host what the configuration says.

    The steps are fitted on all training examples, those held out for validation
    included (labels play no part), so that runs of several seeds share their data.

    Returns:
      The data set, and whether its examples are still to be inverted on the device.
    """
    if not config.data.preprocess:
        return dataset, config.data.inverted
    if config.data.inverted:
        dataset = _invert(dataset)
    done = data.preprocess(
        dataset, config.data.preprocess, num_components=config.data.components
    )
    return done.dataset, False


def _invert(dataset: data.Dataset) -> data.Dataset:
    top = 255 if dataset.train_x.dtype == np.uint8 else np.float32(1)
    return dataclasses.replace(
        dataset, train_x=top - dataset.train_x, test_x=top - dataset.test_x
    )

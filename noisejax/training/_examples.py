"""Examples as a run sees them: inverted and preprocessed before the first epoch."""

import dataclasses
import os
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Int

from noisejax import data
from noisejax.training._config import Config

PADDING = 4
"""Pixels by which `data.augment` moves an image at most."""

FLAT_NETWORKS = ("mlp", "autoencoder", "soft_targets")
"""Networks that flatten whatever they get."""


def load_examples(
    config: Config, data_dir: str | os.PathLike | None = None
) -> data.Dataset | data.SoftTargets:
    """The data set that a configuration names, as `data.load_dataset` finds it."""
    partition = config.data.test_partition
    return data.load_dataset(config.data.name, data_dir, test_partition=partition)


def check_examples(config: Config, dataset: data.Dataset | data.SoftTargets) -> None:
    """Raises a ValueError where the examples are none that the network can take."""
    is_soft = isinstance(dataset, data.SoftTargets)
    if is_soft != (config.model.name == "soft_targets"):
        raise ValueError(
            "model.name=soft_targets goes with data of soft targets, and they with it "
            "(data.name=splicing_stand_in, or an .npz file of x, y, partition); got "
            f"model.name={config.model.name} and {dataset.name}"
        )
    is_flat = len(dataset.shape) != 3 or "pca" in config.data.preprocess
    if config.model.name not in FLAT_NETWORKS and is_flat:
        raise ValueError(
            f"model.name={config.model.name} needs images [N, height, width, channels];"
            f" the examples of {dataset.name} are {_describe(config, dataset)}"
        )
    if config.data.augment and not is_flat and min(dataset.shape[:2]) <= PADDING:
        raise ValueError(
            f"data.augment crops images reflected by {PADDING} pixels on each side: "
            f"they must be larger; the examples of {dataset.name} are "
            f"{_describe(config, dataset)}"
        )
    if config.data.augment and is_flat:
        raise ValueError(
            "data.augment flips and crops images [N, height, width, channels]; the "
            f"examples of {dataset.name} are {_describe(config, dataset)}"
        )


def split_examples(
    config: Config, dataset: data.Dataset | data.SoftTargets, seeds: Sequence[int]
) -> list[tuple[Int[np.ndarray, " train"], Int[np.ndarray, " held_out"]]]:
    """The examples that each seed trains on, and those that it is validated on.

    Raises:
      ValueError: nothing would be left, or the data have not that many.
    """
    n, per_class = len(dataset.train_x), config.data.validation_per_class
    if not per_class:
        validation = config.data.validation
        split = [data.split_indices(n, validation, seed=int(seed)) for seed in seeds]
        needed = config.training.retrain_epochs or config.training.patience
        if needed and not len(split[0][1]):
            raise ValueError(
                "training.retrain_epochs and training.patience choose an epoch by its "
                f"validation error: data.validation={validation} of {n} examples is "
                "none"
            )
        return split
    if isinstance(dataset, data.SoftTargets):
        raise ValueError(
            "data.validation_per_class needs classes; soft targets have none: use "
            "data.validation"
        )
    part_sizes = dataset.part_sizes or (n,)
    if len(part_sizes) != len(per_class):
        raise ValueError(
            f"data.validation_per_class must be one number for each of the "
            f"{len(part_sizes)} parts of the training data of {dataset.name}, got "
            f"{per_class}"
        )
    return [
        data.split_per_class(
            dataset.train_y, part_sizes=part_sizes, per_class=per_class, seed=int(seed)
        )
        for seed in seeds
    ]


def _describe(config: Config, dataset: data.Dataset) -> str:
    if "pca" in config.data.preprocess:
        return "principal components (data.preprocess)"
    return f"of shape {dataset.shape}"


@dataclasses.dataclass(frozen=True)
class Prepared:
    """Examples as a run sees them.

    Attributes:
      dataset: preprocessed.
      inverted: whether its examples are still to be inverted on the device.
      pictures: what the network sees, [N, ...] -> images of the data set, in [0, 1]
        where they were pixels; None where a step of the preprocessing has no way back.
    """

    dataset: data.Dataset
    inverted: bool
    pictures: Callable[[np.ndarray], np.ndarray] | None


def prepare_examples(config: Config, dataset: data.Dataset) -> Prepared:
    """Preprocesses on the host what the configuration says.

    The steps are fitted on all training examples, those held out for validation
    included (labels play no part), so that runs of several seeds share their data.
    """
    inverted, shape = config.data.inverted, dataset.shape
    if not config.data.preprocess:

        def as_they_are(x):
            x = np.asarray(x).reshape(-1, *shape)
            return 1 - x if inverted else x

        return Prepared(dataset, inverted, as_they_are)
    if inverted:
        dataset = _invert(dataset)
    done = data.preprocess(
        dataset, config.data.preprocess, num_components=config.data.components
    )
    undo = done.inverse
    if undo is None:
        return Prepared(done.dataset, False, None)

    def as_they_were(x):
        images = np.asarray(undo(np.asarray(x))).reshape(-1, *shape)
        return 1 - images if inverted else images

    return Prepared(done.dataset, False, as_they_were)


def _invert(dataset: data.Dataset) -> data.Dataset:
    top = 255 if dataset.train_x.dtype == np.uint8 else np.float32(1)
    return dataclasses.replace(
        dataset, train_x=top - dataset.train_x, test_x=top - dataset.test_x
    )

"""Load, check, split and preprocess the examples of a run, on the host."""

import dataclasses
import os
import zlib
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from absl import logging
from jaxtyping import Array, Float, Int, UInt8

from noisejax import data
from noisejax.training._config import Config
from noisejax.training._files import RunFolder
from noisejax.training._task import QUESTION_NETWORKS

PADDING = 4
"""Largest translation by `data.augment`, in pixels."""

FLAT_NETWORKS = ("mlp", "autoencoder", "soft_targets", "fusion", "caption_lstm")
FLAT_NETWORKS += QUESTION_NETWORKS
"""Networks that accept inputs other than images."""


def load_examples(
    config: Config, data_dir: str | os.PathLike[str] | None = None
) -> data.AnyDataset:
    """Load the data set of a configuration."""
    partition = config.data.test_partition
    dataset = data.load_dataset(config.data.name, data_dir, test_partition=partition)
    return choose_examples(config, dataset)


def choose_examples(config: Config, dataset: data.AnyDataset) -> data.AnyDataset:
    """Select the classes of a configuration.

    Raises:
      ValueError: a class does not exist, or the targets are soft.
    """
    if not config.data.classes:
        return dataset
    if not isinstance(dataset, data.Dataset):
        raise ValueError(
            f"data.classes selects class labels, which {dataset.name} does not have; "
            "leave it empty"
        )
    return data.select_classes(dataset, config.data.classes)


def check_examples(config: Config, dataset: data.AnyDataset) -> None:
    """Check that the network accepts the examples.

    Raises:
      ValueError: the network does not accept the examples.
    """
    is_real = isinstance(dataset, data.RealTargets)
    if is_real and config.objective.likelihood != "gaussian":
        raise ValueError(
            f"{dataset.name} has real-valued targets: for regression set "
            "objective.likelihood=gaussian; if they are class labels, store them as "
            "integers, y.astype(int)"
        )
    if config.objective.likelihood == "gaussian" and not is_real:
        raise ValueError(
            "objective.likelihood=gaussian needs real-valued targets (an .npz file "
            f"whose y_train and y_test are floating); got {dataset.name}"
        )
    is_soft = isinstance(dataset, data.SoftTargets)
    if is_soft != (config.model.name == "soft_targets"):
        raise ValueError(
            "model.name=soft_targets and data with soft targets (splicing_stand_in, or "
            "an .npz file with x, y, partition) must be used together; got "
            f"model.name={config.model.name} and {dataset.name}"
        )
    is_captions = isinstance(dataset, data.Captions)
    if is_captions != (config.model.name == "caption_lstm"):
        raise ValueError(
            "model.name=caption_lstm and data.name=captions must be used together; "
            f"got model.name={config.model.name} and {dataset.name}"
        )
    if isinstance(dataset, data.Questions) != (config.model.name in QUESTION_NETWORKS):
        raise ValueError(
            f"model.name={' or '.join(QUESTION_NETWORKS)} and data.name=questions must "
            f"be used together; got model.name={config.model.name} and {dataset.name}"
        )
    if is_captions and config.data.validation:
        raise ValueError(
            "data.validation must be 0 for captions, which have validation images "
            f"(test on these by data.test_partition=1); got {config.data.validation}"
        )
    is_flat = len(dataset.shape) != 3 or "pca" in config.data.preprocess
    if config.model.name not in FLAT_NETWORKS and is_flat:
        raise ValueError(
            f"model.name={config.model.name} needs images [N, height, width, channels];"
            f" the examples of {dataset.name} are {_describe(config, dataset)}"
        )
    patch = config.model.patch
    if config.model.name == "vit" and any(n % patch for n in dataset.shape[:2]):
        raise ValueError(
            f"model.patch={patch} must divide the sides of the images; the examples of "
            f"{dataset.name} are {_describe(config, dataset)}"
        )
    if config.model.name == "fusion" and dataset.shape[0] != 2:
        raise ValueError(
            "model.name=fusion needs outputs of two streams (data.name=two_stream);"
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
    config: Config, dataset: data.AnyDataset, seeds: Sequence[int]
) -> list[tuple[Int[np.ndarray, " train"], Int[np.ndarray, " held_out"]]]:
    """Split the training part into training and validation examples, for each seed.

    Raises:
      ValueError: a part is empty, or a class has too few examples.
    """
    n, per_class = len(dataset.train_x), config.data.validation_per_class
    if not per_class:
        validation = config.data.validation
        split = [data.split_indices(n, validation, seed=int(seed)) for seed in seeds]
        needed = config.training.retrain_epochs or config.training.patience
        if needed and not len(split[0][1]):
            raise ValueError(
                "training.retrain_epochs and training.patience choose an epoch by its "
                "validation error, which needs validation examples; got "
                f"data.validation={validation} of {n} examples"
            )
        return split
    if not isinstance(dataset, data.Dataset):
        raise ValueError(
            "data.validation_per_class needs class labels, which "
            f"{dataset.name} does not have; use data.validation"
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


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Examples:
    """Arrays on the device, or NumPy arrays if the examples are streamed.

    Attributes:
      x: examples, [N, *shape].
      y: labels [N], or other targets [N, ...].
    """

    x: UInt8[Array, "..."] | Float[Array, "..."]
    y: Int[Array, "examples ..."] | Float[Array, "examples ..."]


class MissingData:
    """Placeholder for data that are not available; any access raises an error."""

    def __init__(self, reason: str):
        """Store the reason why the data are missing."""
        self._reason = reason

    def __getattr__(self, name: str) -> Any:
        """Raise a FileNotFoundError."""
        if name.startswith("__"):
            raise AttributeError(name)
        message = f"the data of the run are not available: {self._reason}"
        raise FileNotFoundError(message)


@dataclasses.dataclass(frozen=True)
class Prepared:
    """Data set of a run after preprocessing, and conversions of further examples.

    Attributes:
      dataset: preprocessed data set.
      fitted: fitted preprocessing steps.
      shape: shape of a raw example.
      inverts: True if the run inverts examples, on the host or on the device.
    """

    dataset: data.AnyDataset | MissingData
    fitted: data.Preprocessing
    shape: tuple[int, ...]
    inverts: bool

    @property
    def inverted(self) -> bool:
        """True if the device inverts the examples, after `convert`."""
        return self.inverts and not self.fitted.steps

    def convert(self, x: np.ndarray) -> np.ndarray:
        """Preprocess raw examples [N, ...]."""
        if not self.fitted.steps:
            return np.asarray(x)
        return self.fitted.transform(_invert(x) if self.inverts else np.asarray(x))

    def pictures(self, x: np.ndarray) -> np.ndarray:
        """Convert network inputs [N, ...] to images in [0, 1]; needs an inverse."""
        images = np.asarray(self.fitted.inverse(np.asarray(x))).reshape(-1, *self.shape)
        return 1 - images if self.inverts else images


def fit_examples(config: Config, dataset: data.Dataset) -> data.Preprocessing:
    """Fit the preprocessing of a run on the training and validation examples.

    Validation examples are included so that all seeds share the preprocessed data.
    Labels are not used.
    """
    x = dataset.train_x
    if config.data.preprocess and config.data.inverted:
        x = _invert(x)
    components = config.data.components
    return data.fit_preprocessing(x, config.data.preprocess, num_components=components)


def load_fitted(folder: RunFolder, config: Config) -> data.Preprocessing | None:
    """Load the fitted preprocessing of a run; None if it is missing or damaged."""
    if not config.data.preprocess:
        return data.Preprocessing(())
    if not folder.preprocessing_path.exists():
        return None
    try:
        fitted = data.load_preprocessing(folder.preprocessing_path)
        if fitted.names != tuple(config.data.preprocess):
            raise ValueError(f"{folder.preprocessing_path} holds {fitted.names}")
    except ValueError as error:
        logging.warning("ignored %s: %s", folder.preprocessing_path, error)
        return None
    return fitted


def prepare_examples(
    config: Config,
    fitted: data.Preprocessing,
    dataset: data.AnyDataset | MissingData,
    shape: tuple[int, ...],
) -> Prepared:
    """Apply the fitted preprocessing; `shape` is the shape of a raw example."""
    prepared = Prepared(dataset, fitted, shape, config.data.inverted)
    if isinstance(dataset, MissingData) or not fitted.steps:
        return prepared
    train_x, test_x = map(prepared.convert, (dataset.train_x, dataset.test_x))
    dataset = dataclasses.replace(dataset, train_x=train_x, test_x=test_x)
    return dataclasses.replace(prepared, dataset=dataset)


def _invert(x: np.ndarray) -> np.ndarray:
    return (255 if x.dtype == np.uint8 else np.float32(1)) - x


def describe_dataset(dataset: data.AnyDataset) -> dict[str, Any]:
    """Describe a data set: shapes, and the dtype and checksum of each array."""
    described: dict[str, Any] = {
        "outputs": dataset.num_classes,
        "shape": list(dataset.shape),
    }
    for field in dataclasses.fields(dataset):
        array = getattr(dataset, field.name)
        if isinstance(array, np.ndarray):
            checksum = zlib.crc32(np.ascontiguousarray(array))
            kind = f"{array.dtype}{list(array.shape)}"
            described[field.name] = f"{kind} crc32 {checksum:08x}"
    if isinstance(dataset, data.RealTargets):
        described["target_mean"] = dataset.mean.tolist()
        described["target_scale"] = dataset.scale
    return described

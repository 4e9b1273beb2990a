"""Classification data sets as arrays in memory."""

import dataclasses
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A classification data set as arrays.

    Attributes:
      name: name of the data set.
      train_x: training examples, [N, *shape]: uint8 (pixels, 0 to 255) or float32.
      train_y: training labels, int32 [N], in [0, num_classes).
      test_x: test examples, [M, *shape], of the same dtype.
      test_y: test labels, int32 [M].
      num_classes: number of classes.
      part_sizes: number of training examples of each part, if the training data are a
        concatenation of parts.
    """

    name: str
    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    num_classes: int
    part_sizes: tuple[int, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an example."""
        return self.train_x.shape[1:]


def select_classes(dataset: Dataset, classes: Sequence[int]) -> Dataset:
    """Select the examples of some classes, and relabel the classes from 0 in order.

    Args:
      dataset: data set.
      classes: labels of the classes to keep, at least two.

    Returns:
      The data set of these classes.

    Raises:
      ValueError: a class does not exist, occurs twice or has no examples, or the
        training data have several parts.

    Example:
      >>> from noisejax import data
      >>> digits = data.select_classes(data.load_dataset("digits"), (5, 6, 7))
      >>> digits.num_classes, int(digits.train_y.max())
      (3, 2)
    """
    labels = np.full(dataset.num_classes, -1, np.int32)
    known = [c for c in classes if 0 <= c < dataset.num_classes]
    labels[known] = np.arange(len(known))
    parts = {}
    for part in ("train", "test"):
        y = labels[getattr(dataset, f"{part}_y")]
        parts[f"{part}_x"] = getattr(dataset, f"{part}_x")[y >= 0]
        parts[f"{part}_y"] = y[y >= 0]
    present = [set(np.unique(parts[f"{part}_y"])) for part in ("train", "test")]
    wanted = set(range(len(classes)))
    if len(wanted) < 2 or len(set(known)) < len(wanted) or present != [wanted] * 2:
        raise ValueError(
            f"data.classes must be two or more different labels below "
            f"{dataset.num_classes} with examples in {dataset.name}; got "
            f"{tuple(classes)}"
        )
    if len(dataset.part_sizes) > 1:
        raise ValueError(
            f"data.classes cannot select from {dataset.name}, whose training data have "
            "several parts; use all classes"
        )
    return dataclasses.replace(
        dataset, **parts, num_classes=len(classes), part_sizes=()
    )


def check_dataset(dataset: Dataset, source: str) -> Dataset:
    """Check the arrays of a data set, and return it.

    Args:
      dataset: data set to check.
      source: origin of the data, for error messages.

    Raises:
      ValueError: an array is empty or has the wrong shape or dtype, a label is out of
        range, or a value is not finite.
    """
    check_examples(source, dataset.train_x, dataset.test_x)
    for part in ("train", "test"):
        x, y = getattr(dataset, f"{part}_x"), getattr(dataset, f"{part}_y")
        if y.shape != x.shape[:1]:
            raise ValueError(
                f"{source}: {part} has {len(x)} examples, labels of shape {y.shape}; "
                f"one integer label per example is needed, ({len(x)},)"
            )
        if y.min() < 0 or y.max() >= dataset.num_classes:
            row = int(np.argwhere((y < 0) | (y >= dataset.num_classes))[0, 0])
            raise ValueError(
                f"{source}: {part} label {row} is {y[row]}; labels must lie in "
                f"[0, {dataset.num_classes})"
            )
    return dataset


def check_examples(source: str, train_x: np.ndarray, test_x: np.ndarray) -> None:
    """Check the inputs of a data set.

    Args:
      source: origin of the data, for the message.
      train_x: training examples.
      test_x: test examples.

    Raises:
      ValueError: an array is empty or of a wrong shape or dtype, or a value is not
        finite.
    """
    for part, x in (("train", train_x), ("test", test_x)):
        if x.ndim < 2:
            raise ValueError(
                f"{source}: {part} examples must be [N, ...], one row per example, got "
                f"shape {x.shape}"
            )
        if not x.size:
            raise ValueError(f"{source}: {part} holds no examples, shape {x.shape}")
        if x.dtype != np.uint8 and x.dtype != np.float32:
            raise ValueError(
                f"{source}: {part} examples must be uint8 or floating, got {x.dtype}"
            )
        if x.dtype == np.float32 and not np.isfinite(x).all():
            row = int(np.argwhere(~np.isfinite(x))[0, 0])
            raise ValueError(
                f"{source}: {part} example {row} holds NaN or infinity; clean the data"
            )
    if train_x.shape[1:] != test_x.shape[1:]:
        raise ValueError(
            f"{source}: train examples are of shape {train_x.shape[1:]}, test "
            f"examples of shape {test_x.shape[1:]}; they must agree"
        )

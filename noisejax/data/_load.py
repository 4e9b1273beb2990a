"""Loading of data sets by name."""

import os
import pathlib
from typing import TypeAlias

from noisejax.data._captions import CAPTIONS, Captions, find_captions
from noisejax.data._dataset import Dataset
from noisejax.data._digits import load_digits
from noisejax.data._local import local_path
from noisejax.data._npz import has_array, load_npz
from noisejax.data._questions import QUESTIONS, Questions, load_questions
from noisejax.data._real_targets import RealTargets
from noisejax.data._soft_targets import (
    SoftTargets,
    generate_splicing,
    load_soft_targets,
)
from noisejax.data._tfds import SOURCES, load_tfds
from noisejax.data._two_stream import (
    NAME,
    find_two_stream,
    load_two_stream,
)

AnyDataset: TypeAlias = Dataset | RealTargets | SoftTargets | Captions | Questions
"""A data set of any kind."""


def dataset_names() -> list[str]:
    """Return the names that `load_dataset` accepts besides paths of .npz files."""
    return ["digits", *SOURCES, "splicing_stand_in", NAME, CAPTIONS, QUESTIONS]


def load_dataset(
    name: str,
    data_dir: str | os.PathLike[str] | None = None,
    *,
    test_partition: int = 0,
) -> AnyDataset:
    """Load a data set.

    Args:
      name: one of `dataset_names()`, or the path of an .npz file in the format of
        `load_npz`, `load_soft_targets` or `load_two_stream`. "digits" is included in
        scikit-learn, and "splicing_stand_in" is generated. "two_stream", "captions" and
        "questions" are files in the data directory; see the functions `load_*`. The
        other names are TFDS data sets.
      data_dir: data directory, by default `~/tensorflow_datasets`.
      test_partition: partition of soft targets or split of two streams for testing. For
        captions, 0 is the test images and 1 the validation images.

    Returns:
      The data set.

    Raises:
      FileNotFoundError: the data are missing. The message says how to prepare them.
      ValueError: the name is unknown, or the data are damaged.

    Example:
      >>> from noisejax import data
      >>> data.load_dataset("digits").train_x.shape
      (1437, 8, 8, 1)
    """
    local_path(name, "data.name")
    if name == "digits":
        return load_digits()
    if name == "splicing_stand_in":
        return generate_splicing(test_partition=test_partition)
    if name == NAME:
        return load_two_stream(find_two_stream(data_dir), split=test_partition)
    if name == CAPTIONS:
        return find_captions(data_dir, test_partition=test_partition)
    if name == QUESTIONS and test_partition:
        raise ValueError(
            f"data.test_partition must be 0 for data.name={QUESTIONS}, whose test part "
            f"is the validation part; got {test_partition}"
        )
    if name == QUESTIONS:
        return load_questions(pathlib.Path(data_dir or ".").expanduser())
    if name.endswith(".npz"):
        if has_array(name, "motion"):
            return load_two_stream(name, split=test_partition)
        if has_array(name, "partition"):
            return load_soft_targets(name, test_partition=test_partition)
        return load_npz(name)
    if name not in SOURCES:
        raise ValueError(
            f"data.name must be one of {', '.join(dataset_names())}, or the path of an "
            f".npz file; got {name!r}"
        )
    return load_tfds(name, data_dir)

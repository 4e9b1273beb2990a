"""Outputs of two frozen networks on videos (Noh et al. 2017, table 4)."""

import pathlib

import numpy as np

from noisejax.data._dataset import Dataset, check_dataset
from noisejax.data._npz import read_arrays

NAME = "two_stream"
"""Name of the data set."""

KEYS = ("spatial", "motion", "label", "group")

NUM_SPLITS = 3


def find_two_stream(data_dir: str | pathlib.Path | None) -> pathlib.Path:
    """Find the one file *two_stream.npz in a directory or below it.

    Raises:
      FileNotFoundError: there is no such file, or more than one.
    """
    folder = pathlib.Path(data_dir or ".").expanduser()
    found = sorted(folder.rglob("*two_stream.npz")) if folder.is_dir() else []
    if len(found) != 1:
        raise FileNotFoundError(
            f"data.name={NAME} needs one file *two_stream.npz with the arrays "
            f"{', '.join(KEYS)} in --data_dir; found {len(found)} in {folder}"
        )
    return found[0]


def load_two_stream(path: str | pathlib.Path, *, split: int = 0) -> Dataset:
    """Load the outputs of two frozen networks, the streams, and split them by groups.

    The file has four arrays:

    - `spatial` and `motion`, the outputs of the two streams. They have the same shape:
      [N, D] for scores or features, or [N, T, H, W, C] for feature maps;
    - `label` [N], integer class labels from 0;
    - `group` [N], integers. Videos with the same group, such as the same scene, are in
      the same part.

    The groups are sorted in decreasing order and divided into three parts of almost
    equal size. Split k uses part k for testing and the other parts for training.

    Args:
      path: path of the file.
      split: number of the split, 0, 1 or 2.

    Returns:
      The data set. An example is [2, ...], with the spatial stream first.

    Raises:
      FileNotFoundError: the file does not exist.
      ValueError: the file is damaged, an array is missing or has the wrong shape or
        dtype, there are fewer than three groups, or the split does not exist.
    """
    path = pathlib.Path(path)
    if not 0 <= split < NUM_SPLITS:
        raise ValueError(
            f"data.test_partition must be 0, 1 or 2 for {path}; got {split}"
        )
    arrays = read_arrays(path, KEYS, needed=KEYS)
    spatial, motion, label, group = (arrays[key] for key in KEYS)
    if spatial.shape != motion.shape or spatial.ndim not in (2, 5):
        raise ValueError(
            f"{path}: spatial and motion must have one shape, [N, D] or "
            f"[N, T, H, W, C]; got {spatial.shape} and {motion.shape}"
        )
    for name, values in (("label", label), ("group", group)):
        if not np.issubdtype(values.dtype, np.integer) or values.shape != (
            len(spatial),
        ):
            raise ValueError(
                f"{path}: {name} must be {len(spatial)} integers, one per video; got "
                f"{values.dtype}{list(values.shape)}"
            )
    groups = np.unique(group)[::-1]
    if len(groups) < NUM_SPLITS:
        raise ValueError(f"{path}: group must have three values or more, got {groups}")
    is_test = np.isin(group, np.array_split(groups, NUM_SPLITS)[split])
    x = np.stack([spatial, motion], axis=1).astype(np.float32)
    y = label.astype(np.int32)
    dataset = Dataset(
        path.stem, x[~is_test], y[~is_test], x[is_test], y[is_test], int(y.max()) + 1
    )
    return check_dataset(dataset, str(path))

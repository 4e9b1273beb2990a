"""Outputs of two fixed streams, split by groups (Noh et al. 2017, table 4)."""

import pathlib
import zipfile

import numpy as np

from noisejax.data._dataset import Dataset, check_dataset
from noisejax.data._npz import read_arrays

NAME = "two_stream"
"""Data set that is looked for in the data directory."""

KEYS = ("spatial", "motion", "label", "group")

NUM_SPLITS = 3


def find_two_stream(data_dir: str | pathlib.Path | None) -> pathlib.Path:
    """Find the one file *two_stream.npz in a directory or below it.

    Raises:
      FileNotFoundError: there is none, or more than one.
    """
    folder = pathlib.Path(data_dir or ".").expanduser()
    found = sorted(folder.rglob("*two_stream.npz")) if folder.is_dir() else []
    if len(found) != 1:
        raise FileNotFoundError(
            f"data.name={NAME} needs one file *two_stream.npz with the arrays "
            f"{', '.join(KEYS)} in --data_dir; found {len(found)} in {folder}"
        )
    return found[0]


def holds_two_streams(path: str | pathlib.Path) -> bool:
    """Return True if an .npz file has an array `motion`."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as file:
        return "motion.npy" in file.namelist()


def load_two_stream(path: str | pathlib.Path, *, split: int = 0) -> Dataset:
    """Load outputs of two streams, and split the videos by groups.

    The file holds `spatial` and `motion`, floating [N, ...] of one shape: scores,
    features [N, D], or feature maps [N, T, H, W, C]; `label` [N], integers from 0 on;
    and `group` [N], integers: videos of a group (the same people or scene) stay
    together. The groups, in falling order, are cut into three parts of almost equal
    size. Split k tests on part k and trains on the others.

    Args:
      path: path of the file.
      split: 0, 1 or 2.

    Returns:
      The data set; an example is [2, ...], the spatial stream first.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: the file is damaged, an array is missing or of the wrong kind, there
        are fewer than three groups, or no such split.
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

"""Data sets from .npz files of the user."""

import dataclasses
import pathlib
import warnings
import zipfile
from collections.abc import Sequence

import numpy as np

from noisejax.data._dataset import Dataset, check_dataset
from noisejax.data._real_targets import RealTargets, make_real_targets

KEYS = ("x_train", "y_train", "x_test", "y_test")


def load_npz(path: str | pathlib.Path) -> Dataset | RealTargets:
    """Load a data set from an .npz file.

    `np.savez(path, x_train=..., ...)` writes such a file. It has four arrays:

    - `x_train` [N, ...] and `x_test` [M, ...] of examples. Pixels in uint8 are scaled
      to [0, 1], and floating examples are not scaled;
    - `y_train` and `y_test` of targets, which are integer class labels [N] from 0, or
      floating real-valued targets [N] or [N, K].

    Args:
      path: path of the file.

    Returns:
      The data set, which is a `RealTargets` if both targets are floating. Otherwise the
      number of classes is the largest label plus 1.

    Raises:
      FileNotFoundError: the file does not exist.
      ValueError: the file is damaged, or an array has the wrong shape or dtype.
    """
    path = pathlib.Path(path)
    arrays = read_arrays(path, KEYS, needed=KEYS)
    x_train, y_train, x_test, y_test = (arrays[key] for key in KEYS)
    x_train, x_test = _as_examples(x_train), _as_examples(x_test)
    if _are_real(y_train) and _are_real(y_test):
        made = make_real_targets(str(path), x_train, y_train, x_test, y_test)
        return dataclasses.replace(made, name=path.stem)
    for name, y in (("y_train", y_train), ("y_test", y_test)):
        if not np.issubdtype(y.dtype, np.integer):
            raise ValueError(
                f"{path}: {name} must hold integer labels [N], counted from 0; got "
                f"{y.dtype} {list(y.shape)}{_advice(y)}"
            )
    smallest = min(
        y.min(initial=0 if not y.size else y.max()) for y in (y_train, y_test)
    )
    if smallest > 0:
        warnings.warn(
            f"{path}: the smallest label is {smallest}, so that no example has the "
            f"classes below it; subtract {smallest} if they are no classes",
            stacklevel=2,
        )
    num_classes = int(max(y.max(initial=0) for y in (y_train, y_test))) + 1
    if x_train.ndim and 0 < x_train.size < num_classes:
        raise ValueError(
            f"{path}: the largest label is {num_classes - 1}, which makes more classes "
            "than there are numbers in x_train; labels count from 0"
        )
    dataset = Dataset(
        path.stem,
        x_train,
        y_train.astype(np.int32),
        x_test,
        y_test.astype(np.int32),
        num_classes,
    )
    return check_dataset(dataset, str(path))


def read_arrays(
    path: pathlib.Path, keys: Sequence[str], *, needed: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """Read named arrays of an .npz file, without unpickling.

    Args:
      path: path of the file.
      keys: names of the arrays to read, if they exist.
      needed: names of the arrays that must exist.

    Raises:
      FileNotFoundError: the file does not exist.
      ValueError: the file is damaged, or an array is missing.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such file; an .npz file with {', '.join(keys)} is needed"
        )
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            names = file.files
            arrays = {key: file[key] for key in keys if key in names}
    except Exception as error:  # a damaged file can raise any error
        raise ValueError(
            f"{path} is not an .npz file of plain arrays, or it is damaged: {error}; "
            f"np.savez writes one, of {', '.join(keys)}"
        ) from error
    missing = [key for key in needed if key not in arrays]
    if missing:
        raise ValueError(
            f"{path} must hold the arrays {', '.join(needed)}; missing: "
            f"{', '.join(missing)}; found: {', '.join(names) or 'none'}"
        )
    return arrays


def has_array(path: str | pathlib.Path, name: str) -> bool:
    """Return True if `path` is an .npz file with an array of this name."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as file:
        return f"{name}.npy" in file.namelist()


def _advice(y: np.ndarray) -> str:
    """Return advice for targets that are not integer labels."""
    if y.dtype.kind in "US":
        return "; number them by names, y = np.unique(y, return_inverse=True)"
    if y.ndim == 2:
        return "; if they are one-hot, pass y.argmax(axis=1)"
    return "; real-valued targets must be floating in both parts"


def _are_real(y: np.ndarray) -> bool:
    """True for floating targets that are not one-hot labels."""
    if not np.issubdtype(y.dtype, np.floating):
        return False
    is_one_hot = y.ndim == 2 and y.shape[1] > 1 and np.isin(y, (0, 1)).all()
    return not (is_one_hot and (y.sum(axis=1) == 1).all())


def _as_examples(x: np.ndarray) -> np.ndarray:
    if not np.issubdtype(x.dtype, np.floating):
        return x
    with np.errstate(over="ignore"):  # `check_dataset` rejects infinities
        return x.astype(np.float32)

"""The user's own data, from an .npz file."""

import pathlib
import zipfile

import numpy as np

from noisejax.data._dataset import Dataset, check_dataset

KEYS = ("x_train", "y_train", "x_test", "y_test")


def load_npz(path: str | pathlib.Path) -> Dataset:
    """Loads a data set from an .npz file.

    The file holds four arrays, as `np.savez(path, x_train=..., ...)` writes them:
    `x_train` [N, ...] and `x_test` [M, ...], uint8 (pixels, scaled to [0, 1]) or
    floating (taken as they are); `y_train` [N] and `y_test` [M], integer class labels
    from 0 on.

    Args:
      path: of the file.

    Returns:
      The data set; it has as many classes as its largest label says.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: the file is damaged, or its arrays are not as described.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; data.name may be an .npz file")
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [key for key in KEYS if key not in file]
            if missing:
                raise ValueError(
                    f"{path} must hold the arrays {', '.join(KEYS)}; missing: "
                    f"{', '.join(missing)}; found: {', '.join(file.files) or 'none'}"
                )
            x_train, y_train, x_test, y_test = (file[key] for key in KEYS)
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise ValueError(
            f"{path} is no .npz file, or it is damaged: {error}"
        ) from error
    for name, y in (("y_train", y_train), ("y_test", y_test)):
        if not np.issubdtype(y.dtype, np.integer):
            raise ValueError(f"{path}: {name} must hold integer labels, got {y.dtype}")
    labels = np.concatenate([y_train.ravel(), y_test.ravel()])
    dataset = Dataset(
        path.stem,
        _as_examples(x_train),
        y_train.astype(np.int32),
        _as_examples(x_test),
        y_test.astype(np.int32),
        int(labels.max(initial=0)) + 1,
    )
    return check_dataset(dataset, str(path))


def _as_examples(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float32) if np.issubdtype(x.dtype, np.floating) else x

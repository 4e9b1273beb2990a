"""Preparation of TFDS data sets, which needs TensorFlow."""

import importlib.util
import os
import pathlib

from noisejax.data._tfds import SOURCES, find_prepared

NEEDS = ("tensorflow", "importlib_resources")
"""Required modules, which `pip install 'noisejax[prepare]'` installs."""


def preparable_names() -> list[str]:
    """Return the names of the data sets that can be prepared."""
    return sorted({name.removesuffix("_extra") for name in SOURCES})


def prepare_dataset(
    name: str, data_dir: str | os.PathLike[str] | None = None
) -> tuple[pathlib.Path, bool]:
    """Download a data set and store it as array_record files, if it is missing.

    Args:
      name: name of the data set, one of `preparable_names()`.
      data_dir: TFDS data directory, by default `~/tensorflow_datasets`.

    Returns:
      The folder of the data set, and True if it was already prepared.

    Raises:
      ValueError: the name is unknown, or the existing data set is damaged or in another
        file format.
      ImportError: TensorFlow is not installed.
      OSError: the download failed.
    """
    if name not in preparable_names():
        raise ValueError(
            f"the data sets that can be prepared are {', '.join(preparable_names())}; "
            f"got {name!r} (digits needs no preparation)"
        )
    try:
        return find_prepared(name, data_dir), True
    except FileNotFoundError:
        pass
    missing = [module for module in NEEDS if importlib.util.find_spec(module) is None]
    if missing:
        raise ImportError(
            f"preparing {name} needs {' and '.join(missing)}: pip install "
            "'noisejax[prepare]'; reading prepared data does not need them"
        )
    import tensorflow_datasets as tfds  # slow to import

    root = pathlib.Path(data_dir or "~/tensorflow_datasets").expanduser()
    try:
        builder = tfds.builder(name, data_dir=root, file_format="array_record")
        builder.download_and_prepare(file_format="array_record")
    except Exception as error:  # a download can raise any error
        raise OSError(f"{name} could not be prepared in {root}: {error}") from error
    return find_prepared(name, data_dir), False

"""Preparing a data set of TFDS: the one step that needs TensorFlow."""

import importlib.util
import os
import pathlib

from noisejax.data._tfds import SOURCES, find_prepared

NEEDS = ("tensorflow", "importlib_resources")
"""What `pip install 'noisejax[prepare]'` brings."""


def preparable_names() -> list[str]:
    """The data sets that can be prepared."""
    return sorted({name.removesuffix("_extra") for name in SOURCES})


def prepare_dataset(
    name: str, data_dir: str | os.PathLike | None = None
) -> tuple[pathlib.Path, bool]:
    """Downloads a data set and writes it as array_record files, once.

    Args:
      name: one of `preparable_names()`.
      data_dir: a TFDS data directory; None: `~/tensorflow_datasets`.

    Returns:
      Its folder, and whether it was there already.

    Raises:
      ValueError: an unknown name, or it is there in another file format, or damaged.
      ImportError: TensorFlow is not installed.
      OSError: the download failed.
    """
    if name not in preparable_names():
        raise ValueError(
            f"the data sets that can be prepared are {', '.join(preparable_names())}; "
            f"got {name!r} (digits is embedded)"
        )
    try:
        return find_prepared(name, data_dir), True
    except FileNotFoundError:
        pass
    missing = [module for module in NEEDS if importlib.util.find_spec(module) is None]
    if missing:
        raise ImportError(
            f"preparing {name} needs {' and '.join(missing)}: pip install "
            "'noisejax[prepare]'; what is prepared is then read without them"
        )
    import tensorflow_datasets as tfds  # heavy: only where it is needed

    root = pathlib.Path(data_dir or "~/tensorflow_datasets").expanduser()
    try:
        builder = tfds.builder(name, data_dir=root, file_format="array_record")
        builder.download_and_prepare(file_format="array_record")
    except Exception as error:  # whatever a download makes TFDS raise
        raise OSError(f"{name} could not be prepared in {root}: {error}") from error
    return find_prepared(name, data_dir), False

"""Loading of TensorFlow Datasets (TFDS) without TensorFlow."""

import dataclasses
import json
import os
import pathlib
from typing import Any

import numpy as np
from absl import logging

from noisejax.data._dataset import Dataset, check_dataset
from noisejax.data._local import local_path

CHUNK = 1000


@dataclasses.dataclass(frozen=True)
class Source:
    """Number of classes and splits of a TFDS data set."""

    num_classes: int
    train: tuple[str, ...] = ("train",)
    test: str = "test"


SOURCES = {
    "mnist": Source(10),
    "fashion_mnist": Source(10),
    "cifar10": Source(10),
    "cifar100": Source(100),
    "svhn_cropped": Source(10),
    "svhn_cropped_extra": Source(10, train=("train", "extra")),
}
"""Sources by name. "svhn_cropped_extra" also has the extra training images."""


def load_tfds(name: str, data_dir: str | os.PathLike[str] | None) -> Dataset:
    """Load a prepared TFDS data set, and cache the decoded images.

    Args:
      name: name of the data set, one of `SOURCES`.
      data_dir: TFDS data directory, by default `~/tensorflow_datasets`.

    Returns:
      The data set, with uint8 pixels.

    Raises:
      FileNotFoundError: the data set is not prepared.
      ValueError: the data set is damaged or has another file format.
    """
    source = SOURCES[name]
    builder_name = name.removesuffix("_extra")
    folder = find_prepared(builder_name, data_dir)
    parts = [_load_split(folder, split) for split in source.train]
    train_x = np.concatenate([x for x, _ in parts])
    train_y = np.concatenate([y for _, y in parts])
    test_x, test_y = _load_split(folder, source.test)
    sizes = tuple(len(y) for _, y in parts)
    dataset = Dataset(name, train_x, train_y, test_x, test_y, source.num_classes, sizes)
    return check_dataset(dataset, str(folder))


def find_prepared(name: str, data_dir: str | os.PathLike[str] | None) -> pathlib.Path:
    """Return the folder of the newest prepared version of a data set.

    Raises:
      FileNotFoundError: no version is prepared.
      ValueError: the newest version is not stored as array_record files.
    """
    root = local_path(data_dir or "~/tensorflow_datasets", "data_dir")
    prepare = (
        f"prepare it with: pip install 'noisejax[prepare]' && python -m "
        f"noisejax.prepare_data --dataset={name} --data_dir={root}"
    )
    infos = sorted(
        (root / name).glob("*/dataset_info.json"), key=lambda p: _version(p.parent.name)
    )
    if not infos:
        raise FileNotFoundError(
            f"{root / name} holds no prepared dataset {name!r} (no dataset_info.json); "
            f"{prepare}, or point --data_dir at a TFDS data directory that has it"
        )
    info = _read_json(infos[-1])
    file_format = info.get("fileFormat", "tfrecord")
    if file_format != "array_record":
        raise ValueError(
            f"{infos[-1].parent} is prepared as {file_format}, which needs TensorFlow "
            f"to be read; noisejax reads array_record: {prepare}_array_record"
        )
    return infos[-1].parent


def _version(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.split(".") if part.isdigit())


def _read_json(path: pathlib.Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{path} cannot be read ({error}); prepare the data set again"
        ) from error


def _load_split(folder: pathlib.Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    cached = _cache_path(folder, split)
    if cached.exists():
        try:
            with cached.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                return file["x"], file["y"]
        except Exception as error:  # a damaged file can raise any error
            logging.warning(
                "%s is damaged and will be written again: %s", cached, error
            )
    x, y = _read_split(folder, split)
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        partial = cached.with_suffix(f".{os.getpid()}.npz")
        try:
            np.savez(partial, x=x, y=y)
            partial.replace(cached)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        logging.warning("decoded images are not cached in %s: %s", cached.parent, error)
    return x, y


def _cache_path(folder: pathlib.Path, split: str) -> pathlib.Path:
    """Return the path of the cached arrays of a split, which depends on its files."""
    import hashlib

    root = os.environ.get("NOISEJAX_CACHE") or pathlib.Path(
        os.environ.get("XDG_CACHE_HOME") or "~/.cache", "noisejax"
    )
    files = sorted(folder.glob(f"*-{split}.*"))
    stats = [
        (file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files
    ]
    fingerprint = hashlib.sha256(repr((str(folder.resolve()), stats)).encode())
    name = f"{folder.parent.name}-{split}-{fingerprint.hexdigest()[:16]}.npz"
    return pathlib.Path(root).expanduser() / name


def _read_split(folder: pathlib.Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    import tensorflow_datasets as tfds  # slow to import
    from tqdm import tqdm

    repair = f"delete {folder} and prepare the data set again, or copy it again"
    try:
        builder = tfds.builder_from_directory(folder)
        if split not in builder.info.splits:
            raise ValueError(f"it has the splits {sorted(builder.info.splits)}")
        source = builder.as_data_source(split=split)
        expected = builder.info.splits[split].num_examples
        if len(source) != expected:
            raise ValueError(f"it holds {len(source)} of {expected} examples")
        images, labels = [], []
        chunks = range(0, expected, CHUNK)
        name = f"decoding {folder.parent.name} {split}"
        for start in tqdm(chunks, desc=name, disable=None):
            indices = range(start, min(start + CHUNK, expected))
            for example in source.__getitems__(indices):
                images.append(example["image"])
                labels.append(example["label"])
    except Exception as error:  # a damaged file can raise any error
        raise ValueError(
            f"the split {split!r} of {folder} cannot be read: {error}; {repair}"
        ) from error
    return np.stack(images), np.asarray(labels, np.int32)

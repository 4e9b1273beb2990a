"""Data sets of TFDS: reading without TensorFlow, caching, and damaged files."""

import os
import shutil
import sys
import time

import numpy as np
import pytest

from noisejax import data
from tests.data.synthetic import VERSION, write_tfds

pytestmark = pytest.mark.filterwarnings("default")  # TFDS's own deprecations

REAL = os.environ.get("NOISEJAX_TEST_DATA")
needs_real_data = pytest.mark.skipif(
    not REAL, reason="NOISEJAX_TEST_DATA names no TFDS data directory"
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("NOISEJAX_CACHE", str(folder))
    return folder


@pytest.fixture
def root(tmp_path):
    return tmp_path / "tfds"


def test_arrays_are_those_of_the_files(root):
    write_tfds(root)
    dataset = data.load_dataset("mnist", root)
    assert dataset.train_x.shape == (50, 28, 28, 1)
    assert dataset.train_x.dtype == np.uint8
    assert dataset.shape == (28, 28, 1)
    np.testing.assert_array_equal(dataset.train_x[:, 0, 0, 0], np.arange(50))
    np.testing.assert_array_equal(dataset.train_y, np.arange(50) % 10)
    np.testing.assert_array_equal(dataset.test_y, np.arange(20) % 10)
    assert dataset.num_classes == 10


def test_tensorflow_is_not_needed(root):
    write_tfds(root)
    data.load_dataset("mnist", root)
    assert "tensorflow" not in sys.modules


def test_svhn_extra_is_trained_on_behind_train(root):
    write_tfds(root, "svhn_cropped", {"train": 30, "extra": 20, "test": 10})
    assert len(data.load_dataset("svhn_cropped", root).train_y) == 30
    extra = data.load_dataset("svhn_cropped_extra", root)
    first_pixels = extra.train_x[:, 0, 0, 0]
    np.testing.assert_array_equal(first_pixels, [*range(30), *range(20)])


def test_the_newest_version_is_taken(root):
    folder = write_tfds(root)
    newer = folder.with_name("3.0.10")
    shutil.copytree(folder, newer)
    shutil.copytree(folder, folder.with_name("3.0.9"))
    assert data.find_prepared("mnist", root) == newer


def test_decoded_arrays_are_cached(root, cache, monkeypatch):
    write_tfds(root)
    first = data.load_dataset("mnist", root)
    assert len(list(cache.glob("mnist-*.npz"))) == 2
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)  # cannot be read
    again = data.load_dataset("mnist", root)
    np.testing.assert_array_equal(again.train_x, first.train_x)
    np.testing.assert_array_equal(again.test_y, first.test_y)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "no_archive"])
def test_a_damaged_cache_is_made_anew(root, cache, damage):
    write_tfds(root)
    first = data.load_dataset("mnist", root)
    for path in cache.glob("mnist-*.npz"):
        content = bytearray(path.read_bytes())
        content[len(content) // 3] ^= 0xFF
        path.write_bytes(
            {
                "truncated": content[: len(content) // 2],
                "flipped": content,
                "empty": b"",
                "no_archive": b"not an archive",
            }[damage]
        )
    again = data.load_dataset("mnist", root)
    np.testing.assert_array_equal(again.train_x, first.train_x)
    for path in cache.glob("mnist-*.npz"):
        np.load(path)["x"]  # whole again


def test_the_cache_follows_its_source(root):
    data_before = write_tfds(root)
    assert len(data.load_dataset("mnist", root).train_y) == 50
    shutil.rmtree(data_before)
    write_tfds(root, sizes={"train": 40, "test": 20})
    assert len(data.load_dataset("mnist", root).train_y) == 40


def test_without_a_cache_the_files_are_read(root, tmp_path, monkeypatch):
    write_tfds(root)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NOISEJAX_CACHE", str(tmp_path / "file" / "cache"))
    assert len(data.load_dataset("mnist", root).train_y) == 50


def fails(root, error, match, name="mnist"):
    """The error comes at once, without a wait for a network."""
    began = time.perf_counter()
    with pytest.raises(error, match=match):
        data.load_dataset(name, root)
    assert time.perf_counter() - began < 20


def test_absent(root):
    fails(root, FileNotFoundError, "prepare_data --dataset=mnist --data_dir=.*tfds")
    root.mkdir()
    fails(root, FileNotFoundError, "no dataset_info.json")
    (root / "mnist" / VERSION).mkdir(parents=True)
    fails(root, FileNotFoundError, "no dataset_info.json")


def test_prepared_as_tfrecord(root):
    write_tfds(root, file_format="tfrecord")
    fails(
        root, ValueError, "prepared as tfrecord, which needs TensorFlow.*prepare_data"
    )


def test_info_is_damaged(root):
    folder = write_tfds(root)
    (folder / "dataset_info.json").write_text('{"fileFormat": "arr')
    fails(root, ValueError, "dataset_info.json cannot be read.*prepare the data set")


@pytest.mark.parametrize("damage", ["truncated", "empty", "missing", "flipped"])
def test_records_are_damaged(root, damage):
    path = next(write_tfds(root).glob("*-train.*"))
    content = bytearray(path.read_bytes())
    for i in range(0, len(content), 7):
        content[i] ^= 0xFF
    if damage == "missing":
        path.unlink()
    else:
        whole = path.read_bytes()
        path.write_bytes(
            {"truncated": whole[: len(whole) // 2], "empty": b"", "flipped": content}[
                damage
            ]
        )
    fails(
        root, ValueError, "'train' of .* cannot be read: .*prepare the data set again"
    )


def test_another_number_of_examples(root):
    folder = write_tfds(root)
    info = folder / "dataset_info.json"
    info.write_text(info.read_text().replace('"50"', '"60"'))
    fails(root, ValueError, "'train' of .* cannot be read: .*50")


def test_a_split_is_missing(root):
    write_tfds(root, "svhn_cropped", {"train": 5, "test": 5})
    fails(root, ValueError, r"\['test', 'train'\]", "svhn_cropped_extra")


def test_labels_out_of_range(root):
    write_tfds(root, num_classes=12)
    fails(root, ValueError, r"label 10 is 10; labels must lie in \[0, 10\)")


def test_unknown_name():
    with pytest.raises(ValueError, match="digits, mnist, .*svhn_cropped_extra.*mnits"):
        data.load_dataset("mnits")


@needs_real_data
@pytest.mark.parametrize(
    ("name", "shape", "train", "test"),
    [
        ("mnist", (28, 28, 1), 60_000, 10_000),
        ("cifar10", (32, 32, 3), 50_000, 10_000),
    ],
)
def test_real_data(name, shape, train, test, monkeypatch):
    monkeypatch.delenv("NOISEJAX_CACHE")  # decoding takes long: once per machine
    dataset = data.load_dataset(name, REAL)
    assert dataset.shape == shape
    assert (len(dataset.train_y), len(dataset.test_y)) == (train, test)
    counts = np.bincount(dataset.test_y, minlength=10)
    assert (counts > 800).all()
    if name == "mnist":
        np.testing.assert_array_equal(dataset.train_y[:4], [4, 1, 0, 7])
        assert np.bincount(dataset.train_y).tolist() == [
            *(5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
        ]

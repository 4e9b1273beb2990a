"""Own data from an .npz file: accepted and rejected arrays."""

import pickle
import zipfile

import numpy as np
import pytest

from noisejax import data
from tests.data.synthetic import arrays, write_npz


def load(tmp_path, **changes):
    return data.load_dataset(str(write_npz(tmp_path / "own.npz", **changes)))


def test_arrays_are_taken_as_they_are(tmp_path):
    own = arrays()
    dataset = load(tmp_path)
    np.testing.assert_array_equal(dataset.train_x, own["x_train"])
    np.testing.assert_array_equal(dataset.test_y, own["y_test"])
    assert dataset.train_y.dtype == np.int32
    assert (dataset.name, dataset.num_classes) == ("own", 3)


def test_pixels_stay_bytes_and_floats_become_float32(tmp_path):
    pixels = np.zeros((200, 5), np.uint8)
    assert load(tmp_path, x_train=pixels, x_test=pixels[:60]).train_x.dtype == np.uint8
    doubles = arrays()["x_train"].astype(np.float64)
    assert load(tmp_path, x_train=doubles).train_x.dtype == np.float32


def test_the_classes_of_both_parts_count(tmp_path):
    labels = arrays()["y_test"].copy()
    labels[-1] = 7
    assert load(tmp_path, y_test=labels).num_classes == 8


X, Y = arrays()["x_train"], arrays()["y_train"]


def changed(array, index, value):
    array = array.copy()
    array[index] = value
    return array


BAD = {
    "no_labels": ({"y_train": None}, "missing: y_train; found: x_train, x_test, y_t"),
    "nothing": (dict.fromkeys(arrays()), "missing: x_train, .*; found: none"),
    "other_names": (
        {**dict.fromkeys(arrays()), "train_x": X},
        "missing: x_train, .*; found: train_x",
    ),
    "labels_text": ({"y_train": Y.astype(str)}, r"y = np.unique\(y, return_inverse"),
    "labels_one_hot": ({"y_train": np.eye(9)[Y]}, r"one-hot, pass y.argmax\(axis=1\)"),
    "labels_2d": ({"y_train": Y[:, None]}, r"labels of shape \(200, 1\)"),
    "labels_few": ({"y_train": Y[:-1]}, r"200 examples, labels of shape \(199,\)"),
    "labels_float": ({"y_train": Y.astype(float)}, "must be floating in both parts"),
    "label_negative": ({"y_train": changed(Y, 7, -1)}, "train label 7 is -1"),
    "label_huge": (
        {"y_train": changed(Y, 7, 2**33)},
        "the largest label is 8589934592",
    ),
    "nan": ({"x_train": changed(X, (3, 1), np.nan)}, "train example 3 holds NaN"),
    "infinite": ({"x_train": changed(X, (5, 0), np.inf)}, "train example 5 holds NaN"),
    "too_large": (
        {"x_train": changed(X.astype(float), (5, 0), 1e300)},
        "train example 5 holds NaN or infinity",
    ),
    "examples_scalar": (
        {"x_train": np.float32(1)},
        r"one row per example, got shape \(\)",
    ),
    "examples_1d": ({"x_train": X[:, 0, 0, 0]}, r"got shape \(200,\)"),
    "examples_int": ({"x_train": X.astype(int)}, "uint8 or floating, got int64"),
    "examples_complex": ({"x_train": X + 1j}, "uint8 or floating, got complex"),
    "examples_text": ({"x_train": X.astype(str)}, "uint8 or floating, got <U"),
    "empty": ({"x_train": X[:0], "y_train": Y[:0]}, "train holds no examples"),
    "no_inputs": ({"x_train": X[..., :0]}, "train holds no examples, shape"),
    "shapes_differ": ({"x_train": X[:, :3]}, r"\(3, 4, 1\), test .*\(4, 4, 1\)"),
    "objects": (
        {"x_train": X.astype(object)},
        "not an .npz file of plain arrays.*Object arr",
    ),
}


@pytest.mark.parametrize(("changes", "match"), BAD.values(), ids=BAD)
def test_bad_arrays(tmp_path, changes, match):
    with pytest.raises(ValueError, match=f"own.npz.*{match}"):
        load(tmp_path, **changes)


def test_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        data.load_dataset(str(tmp_path / "none.npz"))
    with pytest.raises(FileNotFoundError, match="no such file"):
        data.load_dataset(f"{tmp_path}/.npz")


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.7, 0.99])
def test_truncated(tmp_path, share):
    path = write_npz(tmp_path / "own.npz")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"own.npz is not an \.npz file"):
        data.load_dataset(str(path))


def test_flipped_bytes_are_noticed(tmp_path):
    """The checksums of the archive detect them, and no other error is raised."""
    path = write_npz(tmp_path / "own.npz")
    content, whole = path.read_bytes(), data.load_dataset(str(path))
    refused = 0
    for position in np.linspace(0, len(content) - 1, 60).astype(int):
        damaged = bytearray(content)
        damaged[position] ^= 0x55
        path.write_bytes(damaged)
        try:
            loaded = data.load_dataset(str(path))
        except ValueError:
            refused += 1
        else:  # a byte that says nothing, such as a time of writing
            np.testing.assert_array_equal(loaded.train_x, whole.train_x)
            np.testing.assert_array_equal(loaded.test_y, whole.test_y)
    assert refused > 50


def test_nothing_is_unpickled(tmp_path):
    """A pickle is not loaded, neither as the file nor as an array in it."""

    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("code of a data file was run",))

    path = tmp_path / "own.npz"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match="not an .npz file"):
        data.load_dataset(str(path))
    own = arrays()
    own["x_train"] = np.array([Bomb()], object)
    np.savez(path, **own)
    with pytest.raises(ValueError, match="Object arrays cannot be loaded"):
        data.load_dataset(str(path))


def test_another_archive(tmp_path):
    path = tmp_path / "own.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ValueError, match="missing: x_train"):
        data.load_dataset(str(path))
    np.save(tmp_path / "array.npy", X)
    (tmp_path / "array.npy").replace(path)
    with pytest.raises(ValueError, match="not an .npz file"):
        data.load_dataset(str(path))

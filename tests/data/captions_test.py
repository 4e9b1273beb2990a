"""Captions and features of images: ids, vocabulary, and files that do not fit."""

import json
import zipfile

import numpy as np
import pytest

from noisejax import data

SPLITS = ("train", "restval", "train", "val", "test")


def images(**changes):
    """Return five images with two captions; `rare` occurs once in training."""
    made = [
        {
            "filename": f"{i}.jpg",
            "split": split,
            "sentences": [
                {"tokens": ["a", "dog", "runs"]},
                {
                    "tokens": ["a", "cat" if split == "test" else "dog"]
                    + ["rare"] * (not i)
                },
            ],
        }
        for i, split in enumerate(SPLITS)
    ]
    made[0].update(changes)
    return made


def save(folder, content=None, **arrays):
    """Write both files; features are 2 x the number of the image."""
    content = {"images": images()} if content is None else content
    (folder / "dataset_own.json").write_text(json.dumps(content))
    made = {
        "filename": np.array([f"{i}.jpg" for i in range(5)]),
        "pooled": np.arange(5, dtype=np.uint8)[:, None] * np.ones(3, np.uint8),
        "pooled_scale": np.float32(2),
    }
    arrays = {k: v for k, v in (made | arrays).items() if v is not None}
    np.savez(folder / "own_features.npz", **arrays)
    return folder


def test_an_example_is_a_caption_and_the_feature_of_its_image(tmp_path):
    found = data.load_dataset("captions", save(tmp_path))
    assert found.words[3:] == ("a", "dog")  # five times or more in training captions
    assert found.train_x[:, 0].tolist() == [0, 0, 2, 2, 4, 4]
    assert found.train_y[:, :5].tolist()[:2] == [[3, 4, 2, 1, 0], [3, 4, 2, 1, 0]]
    assert found.train_y.shape == (6, 21) and not found.train_y[:, 5:].any()
    assert found.test_y[1, :4].tolist() == [3, 2, 1, 0]
    assert found.test_image.tolist() == [0, 0]
    assert found.references == (("a dog runs", "a cat"),)
    assert found.text(found.test_y[0]) == "a dog <unknown>"
    assert (found.num_classes, found.shape) == (5, (3,))


def test_the_vocabulary_and_the_training_part_do_not_see_the_tested_images(tmp_path):
    test = data.load_dataset("captions", save(tmp_path))
    validation = data.load_dataset("captions", tmp_path, test_partition=1)
    np.testing.assert_array_equal(test.train_x, validation.train_x)
    assert test.words == validation.words
    assert validation.test_x[:, 0].tolist() == [6, 6]
    with pytest.raises(ValueError, match="0 .* or 1 .* got 2"):
        data.load_dataset("captions", tmp_path, test_partition=2)


def test_long_captions_end_and_a_zip_file_is_read(tmp_path):
    long = images(sentences=[{"tokens": ["dog"] * 30}])
    save(tmp_path, {"images": long})
    path = tmp_path / "dataset_own.json"
    with zipfile.ZipFile(tmp_path / "own.zip", "w") as file:
        file.write(path, "dataset_own.json")
    features = tmp_path / "own_features.npz"
    found = data.load_captions(tmp_path / "own.zip", features)
    dog = found.words.index("dog")
    assert found.train_y[0].tolist() == [dog] * 20 + [1]
    same = data.load_captions(path, features)
    np.testing.assert_array_equal(found.train_y, same.train_y)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ({"images": images()[1:]}, "no captions in .* 1 images, the first '0.jpg'"),
        ({"images": [*images(), *images(filename="9.jpg")]}, "no feature in .*'9.jpg'"),
        ({"images": images(split="dev")}, "train, restval, val, test; got 'dev'"),
        ({"images": images(sentences=[{"tokens": []}])}, "0.jpg has an empty caption"),
        ({"images": images(sentences=[])}, "0.jpg has an empty caption"),
        ({"questions": []}, "another data set: a list images is needed"),
        ([], "another data set"),
        ({"images": images()[:4]}, "no captions in"),
    ],
    ids=str,
)
def test_other_captions_are_refused(tmp_path, content, match):
    with pytest.raises(ValueError, match=match):
        data.load_dataset("captions", save(tmp_path, content))


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"pooled": np.zeros((4, 3))}, r"needed; got \(5,\), \(4, 3\)"),
        ({"pooled": np.zeros((5, 2, 3))}, r"got \(5,\), \(5, 2, 3\)"),
        ({"pooled_scale": np.ones(2)}, r"\(5, 3\) and \(2,\)"),
        ({"pooled": None}, "missing: {'pooled'}"),
        ({"pooled": np.full((5, 3), np.nan)}, "NaN or infinity"),
        ({"filename": np.array(["0.jpg"] * 5)}, "a filename occurs twice"),
    ],
    ids=str,
)
def test_other_features_are_refused(tmp_path, arrays, match):
    with pytest.raises(ValueError, match=match):
        data.load_dataset("captions", save(tmp_path, **arrays))


def test_missing_and_damaged_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"needs one file .* found \[\] in"):
        data.load_dataset("captions", tmp_path)
    save(tmp_path)
    with pytest.raises(FileNotFoundError, match="none.json: no such file"):
        data.load_captions(tmp_path / "none.json", tmp_path / "own_features.npz")
    for name, match in (
        ("own_features.npz", "not an .npz file of plain arrays, or it is damaged"),
        ("dataset_own.json", "not a JSON file, or it is damaged"),
    ):
        path = tmp_path / name
        content = path.read_bytes()
        path.write_bytes(content[:100])
        with pytest.raises(ValueError, match=match):
            data.load_dataset("captions", tmp_path)
        path.write_bytes(content)

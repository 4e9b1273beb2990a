"""Questions about images: ids, vocabulary, and files that do not fit."""

import json

import numpy as np
import pytest

from noisejax import data

ASKED = {
    "train": [("What colour is it?", "red"), ("Is it red?", "no"), ("Is it?", "no")],
    "val": [("Is it, now?", "no"), ("How many?", "2")],
}
IMAGES = {"train": (7, 7, 9), "val": (5, 5)}


def people(answer):
    return [{"answer": answer, "answer_id": i} for i in range(9)] + [{"answer": "x"}]


def official(part):
    """Return the two JSON files of a part."""
    questions, annotations = [], []
    for i, (text, answer) in enumerate(ASKED[part]):
        asked = {"question_id": i, "image_id": IMAGES[part][i], "question": text}
        questions.append(asked | {"multiple_choices": ["no", "2", "red"]})
        annotations.append(
            {"question_id": i, "answers": people(answer), "answer_type": "any"}
        )
    return questions, annotations


def save_official(folder, **changes):
    """Write the files of both parts, and features; `changes` replace lists."""
    for part in ASKED:
        for kind, items in zip(
            ("questions", "annotations"), official(part), strict=True
        ):
            items = changes.get(f"{part}_{kind}", items)
            path = folder / f"own_{part}2014_{kind}.json"
            path.write_text(json.dumps({kind: items}))
    return save_features(folder)


def features(**arrays):
    made = {
        "image_id": np.array([9, 7, 5]),
        "grid": np.arange(3, dtype=np.int8)[:, None, None] * np.ones((4, 2), np.int8),
        "grid_scale": np.float32([1, 10]),
    }
    return {k: v for k, v in (made | arrays).items() if v is not None}


def save_features(folder, **arrays):
    np.savez(folder / "own_features.npz", **features(**arrays))
    return folder


def save_ids(folder, vocabulary=None, **arrays):
    """Write the arrays of ids of the same questions; 4 is a word of "val" alone."""
    made = {
        "train_question": np.uint16([[1, 2, 3], [2, 3, 0], [2, 0, 0]]),
        "train_answer": np.uint16([1, 2, 2]),
        "train_image": np.uint16([1, 1, 0]),
        "val_question": np.uint16([[2, 4, 0], [4, 0, 0]]),
        "val_answer": np.uint16([2, 0]),
        "val_image": np.uint16([2, 2]),
    }
    np.savez(folder / "own_vqa.npz", **(made | arrays))
    words = {"1": "what", "2": "is", "3": "it", "4": "how"}
    texts = {"words": words, "answers": {"1": "red", "2": "no"}}
    (folder / "vocab.json").write_text(json.dumps(vocabulary or texts))
    return save_features(folder)


def test_an_example_is_a_question_its_answer_and_its_image(tmp_path):
    found = data.load_dataset("questions", save_official(tmp_path))
    assert found.words[2:] == ("?", "colour", "is", "it", "red", "what")
    assert found.answers == ("<other>", "no", "red")
    assert found.train_y.tolist()[:2] == [[2, 7, 3, 4, 5, 2], [1, 4, 5, 6, 2, 0]]
    assert found.test_y.tolist() == [[1, 4, 5, 1, 1, 2], [0, 1, 1, 2, 0, 0]]
    assert found.train_x[:, 0].tolist() == [[1, 10], [1, 10], [0, 0]]
    assert found.test_answer == ("no", "2")
    assert found.references[0] == ("no",) * 9 + ("x",)
    assert found.choices == (("no", "2", "red"),) * 2
    assert found.types == ("any", "any")
    assert (found.num_classes, found.shape) == ((8, 3), (4, 2))
    with pytest.raises(ValueError, match="test_partition must be 0 .* got 1"):
        data.load_dataset("questions", tmp_path, test_partition=1)


def test_arrays_of_ids_have_the_vocabulary_of_their_training_part(tmp_path):
    found = data.load_questions(save_ids(tmp_path))
    assert found.words[2:] == ("is", "it", "what")
    assert found.answers == ("<other>", "no", "red")
    assert found.train_y.tolist()[0] == [2, 4, 2, 3]
    assert found.test_y.tolist() == [[1, 2, 1, 0], [0, 1, 0, 0]]
    assert found.test_answer == ("no", "")
    assert (found.references, found.choices) == ((), ())
    assert found.types == ("yes/no", "other")


def test_mapped_features_are_those_of_the_npz_file(tmp_path):
    expected = data.load_questions(save_official(tmp_path))
    (tmp_path / "own_features.npz").unlink()
    arrays = features()
    np.save(tmp_path / "own_grid.npy", arrays["grid"] * arrays["grid_scale"])
    with pytest.raises(FileNotFoundError, match="own_image_id.npy: no such file"):
        data.load_questions(tmp_path)
    np.save(tmp_path / "own_image_id.npy", arrays["image_id"])
    found = data.load_questions(tmp_path)
    np.testing.assert_array_equal(found.train_x, expected.train_x)


def test_multiple_choice_files_are_preferred_and_long_questions_end(tmp_path):
    long = official("train")[0]
    long[0]["question"] = "it " * 30
    save_official(tmp_path, train_questions=long)
    for part in ASKED:
        path = tmp_path / f"own_{part}2014_questions.json"
        choices = f"MultipleChoice_{part}_questions.json"
        (tmp_path / choices).write_bytes(path.read_bytes())
        path.write_text("{}")
    found = data.load_questions(tmp_path)
    assert found.train_y.shape == (3, 15) and len(set(found.train_y[0, 1:])) == 1


def changed(part, kind, i=0, **fields):
    """Return a list of the official files with changed fields."""
    items = official(part)[kind == "annotations"]
    items[i] |= fields
    return {f"{part}_{kind}": items}


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"train_questions": []}, "another data set: a list questions is needed"),
        (
            {"val_annotations": [{"id": 1}]},
            "a list annotations .* question_id, answers",
        ),
        (
            {"val_annotations": official("val")[1][:1]},
            "lacks 1 questions .*=1; the fil",
        ),
        (
            {"val_questions": official("val")[0][:1]},
            "lacks 1 questions .*=1; the files",
        ),
        (changed("train", "questions", question_id=1), "a question_id occurs twice"),
        (
            changed("train", "questions", question=" "),
            "question_id=0 is an empty quest",
        ),
        (changed("val", "questions", image_id=8), "1 questions .* about image 8"),
        (changed("val", "annotations", answers=people("a")[1:]), "has 9 answers in"),
        (changed("val", "annotations", answers=[{}] * 10), "without a text `answer`"),
    ],
)
def test_other_official_files_are_refused(tmp_path, changes, match):
    with pytest.raises(ValueError, match=match):
        data.load_questions(save_official(tmp_path, **changes))


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"val_image": np.array([2, 3])}, "val_image holds 3, which is out of range"),
        ({"train_answer": np.array([1, 2, 3])}, "train_answer holds 3, which is out"),
        ({"val_question": np.array([[9], [2]])}, "val_question holds 9, which is out"),
        ({"val_question": np.array([[0], [2]])}, "val_question row 0 is empty"),
        ({"val_answer": np.array([1])}, r"must be integers; got .*int64\[1\]"),
        ({"val_answer": np.array([1.0, 2])}, "must be integers; got .*float64"),
        ({"train_answer": np.zeros(3, int)}, "to train on .* got 0 and 2"),
        ({"vocabulary": {"words": {"a": 1}}}, "words and answers are needed"),
    ],
)
def test_other_ids_are_refused(tmp_path, arrays, match):
    with pytest.raises(ValueError, match=match):
        data.load_questions(save_ids(tmp_path, **arrays))


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"grid": np.zeros((3, 4))}, r"are needed; got \(3,\), \(3, 4\)"),
        ({"grid": np.zeros((2, 4, 2))}, r"got \(3,\), \(2, 4, 2\)"),
        ({"grid_scale": np.ones(3)}, r"\(3, 4, 2\) and \(3,\)"),
        ({"grid_scale": np.array([1, np.nan])}, "grid_scale holds NaN"),
        ({"grid": np.full((3, 4, 2), np.inf)}, "grid holds NaN or infinity"),
        ({"grid": None}, "missing: grid"),
        ({"image_id": np.array([7, 7, 5])}, "image_id must be integers, each once"),
    ],
)
def test_other_features_are_refused(tmp_path, arrays, match):
    save_official(tmp_path)
    with pytest.raises(ValueError, match=match):
        data.load_questions(save_features(tmp_path, **arrays))


def test_missing_and_damaged_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="needs one folder .* found 0 such"):
        data.load_dataset("questions", tmp_path)
    save_official(tmp_path)
    for name, match in (
        ("own_features.npz", "not an .npz file of plain arrays, or it is damaged"),
        ("own_val2014_annotations.json", "not a JSON file, or it is damaged"),
    ):
        path = tmp_path / name
        content = path.read_bytes()
        path.write_bytes(content[:100])
        with pytest.raises(ValueError, match=match):
            data.load_questions(tmp_path)
        path.unlink()
        with pytest.raises(FileNotFoundError, match="must hold"):
            data.load_questions(tmp_path)
        path.write_bytes(content)

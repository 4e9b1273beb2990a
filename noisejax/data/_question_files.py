"""Readers for files of questions about images and of image features."""

import collections
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from noisejax.data._json import read_json, read_list
from noisejax.data._npz import read_arrays

TOKENS = re.compile(r"\w+|[^\w\s]")
"""Pattern of a token, which is a word or a punctuation mark."""

NUM_REFERENCES = 10
"""Number of human answers to each question (Antol et al. 2015)."""


class Question(NamedTuple):
    """A question as text.

    Attributes:
      image: id of the image.
      words: words of the question, in lower case.
      answer: most frequent answer, or "" if it is not in the vocabulary.
      answers: ten human answers, or () if they are unknown.
      choices: multiple choices, or () if they are unknown.
      kind: type of the answer, or "" if it is unknown.
    """

    image: int
    words: tuple[str, ...]
    answer: str
    answers: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    kind: str = ""


def read_annotations(
    questions: pathlib.Path, annotations: pathlib.Path
) -> list[Question]:
    """Read the official VQA files of one part.

    Raises:
      ValueError: a file is damaged or has another format, or the files have different
        questions.
    """
    records = read_list(questions, "questions", ("question_id", "image_id", "question"))
    answered = read_list(annotations, "annotations", ("question_id", "answers"))
    by_id = {item["question_id"]: item for item in answered}
    ids = {item["question_id"] for item in records}
    for path, items in ((questions, records), (annotations, answered)):
        if len(ids if path is questions else by_id) != len(items):
            raise ValueError(f"{path}: a question_id occurs twice")
    for path, other, missing in (
        (annotations, questions, sorted(ids - set(by_id))),
        (questions, annotations, sorted(set(by_id) - ids)),
    ):
        if missing:
            raise ValueError(
                f"{path} lacks {len(missing)} questions of {other.name}, the first "
                f"question_id={missing[0]}; the files must be of one part"
            )
    return [_question(questions, item, by_id[item["question_id"]]) for item in records]


def _question(
    path: pathlib.Path, item: Mapping[str, Any], answered: Mapping[str, Any]
) -> Question:
    where = f"{path}: question_id={item['question_id']}"
    words = tuple(TOKENS.findall(str(item["question"]).lower()))
    if not words:
        raise ValueError(f"{where} is an empty question")
    answers = answered["answers"]
    if not isinstance(answers, list) or len(answers) != NUM_REFERENCES:
        count = len(answers) if isinstance(answers, list) else 0
        raise ValueError(
            f"{where} has {count} answers in the annotations; {NUM_REFERENCES} are "
            "needed, each with a text `answer`"
        )
    try:
        texts = tuple(str(a["answer"]) for a in answers)
    except (TypeError, KeyError) as error:
        raise ValueError(f"{where} has an answer without a text `answer`") from error
    [(most, _)] = collections.Counter(texts).most_common(1)
    return Question(
        int(item["image_id"]),
        words,
        str(answered.get("multiple_choice_answer", most)),
        texts,
        tuple(str(choice) for choice in item.get("multiple_choices", ())),
        str(answered.get("answer_type", "")),
    )


def read_ids(
    path: pathlib.Path, vocabulary: pathlib.Path, images: Sequence[int]
) -> list[list[Question]]:
    """Read the questions of the training and the validation part from arrays of ids.

    Args:
      path: path of the .npz file of ids.
      vocabulary: path of the JSON file with `words` and `answers`.
      images: image id of each row of the image features.

    Raises:
      ValueError: a file is damaged, or an id is out of range.
    """
    keys = [
        f"{p}_{k}" for p in ("train", "val") for k in ("question", "answer", "image")
    ]
    arrays = read_arrays(path, keys, needed=keys)
    texts = read_json(vocabulary)
    names = {}
    for kind in ("words", "answers"):
        table = texts.get(kind) if isinstance(texts, dict) else None
        if not isinstance(table, dict) or not all(key.isdigit() for key in table):
            raise ValueError(
                f"{vocabulary} holds another data set: words and answers are needed, "
                "each a table from ids to texts"
            )
        names[kind] = {int(key): str(text) for key, text in table.items()}
    names["answers"][0] = ""
    parts = []
    for part in ("train", "val"):
        question, answer, image = (
            arrays[f"{part}_{k}"] for k in ("question", "answer", "image")
        )
        n = len(question)
        shapes = (question.ndim == 2, answer.shape == (n,), image.shape == (n,))
        kinds = {a.dtype.kind for a in (question, answer, image)}
        if not all(shapes) or not kinds <= set("iu"):
            raise ValueError(
                f"{path}: {part}_question [N, T], {part}_answer [N] and {part}_image "
                f"[N] must be integers; got {question.dtype}{list(question.shape)}, "
                f"{answer.dtype}{list(answer.shape)}, {image.dtype}{list(image.shape)}"
            )
        for ids, known, what in (
            (question[question != 0], names["words"], "question"),
            (answer, names["answers"], "answer"),
            (image, range(len(images)), "image"),
        ):
            wrong = [i for i in np.unique(ids).tolist() if i not in known]
            if wrong:
                raise ValueError(
                    f"{path}: {part}_{what} holds {wrong[0]}, which is out of range; "
                    f"there are {len(known)} known ids"
                )
        empty = np.flatnonzero(~(question != 0).any(axis=1))
        if empty.size:
            raise ValueError(f"{path}: {part}_question row {empty[0]} is empty")
        parts.append(
            [
                Question(
                    images[i],
                    tuple(names["words"][w] for w in q if w),
                    names["answers"][a],
                )
                for q, a, i in zip(
                    question.tolist(), answer.tolist(), image.tolist(), strict=True
                )
            ]
        )
    return parts


class Grids(Mapping[int, np.ndarray]):
    """Grids of image features by image id, scaled on access."""

    def __init__(self, ids: Sequence[int], grid: np.ndarray, scale: np.ndarray):
        """Store the grids of the images `ids`, which may be memory-mapped."""
        self._rows = {image: row for row, image in enumerate(ids)}
        self._grid, self._scale = grid, scale

    def __getitem__(self, image: int) -> np.ndarray:
        return self._grid[self._rows[image]].astype(np.float32) * self._scale

    def __iter__(self):
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def read_grids(folder: pathlib.Path) -> Grids:
    """Read the image features in a folder.

    Raises:
      FileNotFoundError: the folder does not have exactly one file of features.
      ValueError: the features are damaged or have another shape.
    """
    packed, mapped = (
        sorted(folder.glob("*features.npz")),
        sorted(folder.glob("*grid.npy")),
    )
    if len(packed) + len(mapped) != 1:
        raise FileNotFoundError(
            f"{folder} must hold the image features, one file *features.npz (image_id, "
            "grid) or one file *grid.npy with *image_id.npy; found "
            f"{[path.name for path in (*packed, *mapped)]}"
        )
    [path] = packed or mapped
    if packed:
        keys = ("image_id", "grid", "grid_scale")
        arrays = read_arrays(path, keys, needed=keys[:2])
    else:
        ids = path.with_name(path.name.removesuffix("grid.npy") + "image_id.npy")
        arrays = {"grid": _read_npy(path), "image_id": _read_npy(ids)}
    ids, grid = arrays["image_id"], arrays["grid"]
    scale = np.asarray(arrays.get("grid_scale", 1.0), np.float32)
    sizes = ((), grid.shape[2:])
    if grid.ndim != 3 or ids.shape != grid.shape[:1] or scale.shape not in sizes:
        raise ValueError(
            f"{path}: image_id [N], grid [N, R, C] and grid_scale [] or [C] are "
            f"needed; got {ids.shape}, {grid.shape} and {scale.shape}"
        )
    if grid.dtype.kind == "f" and packed and not np.isfinite(grid).all():
        raise ValueError(f"{path}: grid holds NaN or infinity")
    if not np.isfinite(scale).all():
        raise ValueError(f"{path}: grid_scale holds NaN or infinity")
    if ids.dtype.kind not in "iu" or len(np.unique(ids)) != len(ids):
        raise ValueError(f"{path}: image_id must be integers, each once")
    return Grids(ids.tolist(), grid, scale)


def _read_npy(path: pathlib.Path) -> np.ndarray:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a damaged file can raise any error
        raise ValueError(
            f"{path} is not an .npy file, or it is damaged: {error}"
        ) from error

"""Questions about images, and answers (Noh et al. 2017, table 2)."""

import collections
import dataclasses
import pathlib
import re
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

from noisejax.data._captions import PADDING
from noisejax.data._question_files import (
    Question,
    read_annotations,
    read_grids,
    read_ids,
)

QUESTIONS = "questions"
"""Name of the data set."""

UNKNOWN_WORD, OTHER_ANSWER = 1, 0
"""Ids of words and answers outside the vocabulary."""

MAX_WORDS, NUM_ANSWERS = 14, 1000
"""Maximum length of a question (Teney et al. 2018) and number of answers (Yang et al.
2016)."""

FILES = (
    "the official files *train*questions.json, *train*annotations.json, "
    "*val*questions.json and *val*annotations.json, or id arrays *vqa*.npz with "
    "vocab.json; and beside them image features, *features.npz or *grid.npy with "
    "*image_id.npy"
)


@dataclasses.dataclass(frozen=True)
class Questions:
    """A data set whose examples are questions about images.

    Attributes:
      name: name of the data set.
      train_x: image features of the training questions, float32 [N, R, C].
      train_y: answer class and word ids of the training questions, int32 [N, 1 + T].
        Word ids are padded with 0.
      test_x: image features of the test questions, [M, R, C].
      test_y: answer class and word ids of the test questions, [M, 1 + T].
      words: word of each id.
      answers: answer of each class. Class 0 is any other answer.
      test_answer: most frequent human answer to each test question, as text.
      references: ten human answers to each test question, or () if they are unknown.
      choices: multiple choices of each test question, or () if they are unknown.
      types: type of each test question: "yes/no", "number" or "other".
    """

    name: str
    train_x: Float[np.ndarray, "questions regions channels"]
    train_y: Int[np.ndarray, "questions words"]
    test_x: Float[np.ndarray, "tests regions channels"]
    test_y: Int[np.ndarray, "tests words"]
    words: tuple[str, ...]
    answers: tuple[str, ...]
    test_answer: tuple[str, ...]
    references: tuple[tuple[str, ...], ...]
    choices: tuple[tuple[str, ...], ...]
    types: tuple[str, ...]

    @property
    def num_classes(self) -> tuple[int, int]:
        """Number of word ids and number of answers."""
        return len(self.words), len(self.answers)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the features of one image."""
        return self.train_x.shape[1:]


def load_questions(folder: str | pathlib.Path) -> Questions:
    """Load questions about images, answers and image features.

    The questions have one of two formats, in the folder or in one subfolder:

    - the official VQA files `*train*questions.json`, `*val*questions.json`,
      `*train*annotations.json` and `*val*annotations.json`. Each question has ten
      answers. Multiple-choice files are preferred if they exist;
    - a file `*vqa*.npz` of ids and a file `vocab.json`. The arrays are `train_question`
      [N, T] with padding 0, `train_answer` [N] with 0 for other answers, and
      `train_image` [N] with rows of the image features. There are three similar arrays
      with the prefix `val_`. The JSON file has `words` and `answers`, which map ids to
      text.

    The image features are in the same folder and have one of two formats:

    - a file `*features.npz` with `image_id` [N] and `grid` [N, R, C]. The grids are
      multiplied by `grid_scale`, a number or [C], if the file has this array;
    - the files `*image_id.npy` and `*grid.npy`, which is memory-mapped.

    The vocabulary has the words and the 1,000 most frequent answers of the training
    part. Training questions with other answers are removed. The validation part becomes
    the test part. Questions are truncated to 14 words.

    Args:
      folder: path of the folder.

    Returns:
      The data set.

    Raises:
      FileNotFoundError: a file is missing.
      ValueError: a file is damaged or has another format, or the files do not match.
    """
    folder = pathlib.Path(folder)
    found = [*folder.rglob("*train*questions.json"), *folder.rglob("*vqa*.npz")]
    question_folders = sorted({path.parent for path in found})
    if len(question_folders) != 1:
        raise FileNotFoundError(
            f"data.name={QUESTIONS} needs one folder in --data_dir with {FILES}; found "
            f"{len(question_folders)} such folders in {folder}"
        )
    [question_folder] = question_folders
    arrays = sorted(question_folder.glob("*vqa*.npz"))
    grids = read_grids(question_folder)
    if arrays:
        source = _only(question_folder, "*vqa*.npz")
        parts = read_ids(source, _only(question_folder, "vocab.json"), list(grids))
    else:
        source = question_folder
        parts = [
            read_annotations(
                _only(
                    question_folder, f"*{part}*questions.json", prefer="MultipleChoice"
                ),
                _only(question_folder, f"*{part}*annotations.json"),
            )
            for part in ("train", "val")
        ]
    for part in parts:
        missing = [q.image for q in part if q.image not in grids]
        if missing:
            raise ValueError(
                f"{source}: {len(missing)} questions are about images without "
                f"features, the first about image {missing[0]}"
            )
    return _make(source.stem, *parts, grids)


def _answer_type(answer: str) -> str:
    """Return the type of an answer, if the data do not have it."""
    if answer in ("yes", "no"):
        return "yes/no"
    return "number" if re.fullmatch(r"[0-9][0-9.,:]*", answer) else "other"


def generate_questions(
    *, num_train: int = 200, num_test: int = 100, seed: int = 0
) -> Questions:
    """Generate questions about the content of one of four regions of a 7 x 7 grid."""
    rng = np.random.default_rng(seed)
    choices = (*(f"colour{i}" for i in range(6)), *"012345", "yes", "no")
    grids: dict[int, np.ndarray] = {}

    def part(n):
        questions = []
        for i in range(n):
            place, shown = int(rng.integers(4)), rng.integers(6, size=49)
            grid = 0.1 * rng.normal(size=(49, 128)).astype(np.float32)
            grid[np.arange(49), shown] += 1
            grid[np.arange(49), 6 + np.arange(49)] += 1  # position of the region
            seen = int(shown[place])
            what, answer, other = (
                ("colour", f"colour{seen}", f"colour{seen - 1}"),
                ("number", f"{seen}", f"{5 - seen}"),
                ("zero", *(("no", "yes") if seen else ("yes", "no"))),
            )[i % 3]
            words, people = (what, "at", f"place{place}", "?"), (answer,) * 8
            asked = (len(grids), words, answer, people + (other,) * 2, choices)
            grids[len(grids)] = grid
            questions.append(Question(*asked))
        return questions

    train, test = part(num_train), part(num_test)
    return _make("questions (generated)", train, test, grids)


def _only(folder: pathlib.Path, pattern: str, prefer: str = "") -> pathlib.Path:
    """Return the only matching file, or the only one whose name contains `prefer`."""
    found = sorted(folder.glob(pattern))
    preferred = [path for path in found if prefer and prefer in path.name]
    if len(preferred or found) != 1:
        raise FileNotFoundError(
            f"{folder} must hold one file {pattern}; found "
            f"{[path.name for path in found]}. data.name={QUESTIONS} needs {FILES}"
        )
    return (preferred or found)[0]


def _make(
    name: str,
    train: Sequence[Question],
    test: Sequence[Question],
    grids: Mapping[int, np.ndarray],
) -> Questions:
    counts = collections.Counter(q.answer for q in train if q.answer)
    frequent = sorted(counts, key=lambda answer: (-counts[answer], answer))
    answers = ("<other>", *frequent[:NUM_ANSWERS])
    classes = {answer: i for i, answer in enumerate(answers) if i != OTHER_ANSWER}
    train = [q for q in train if q.answer in classes]
    if not train or not test:
        raise ValueError(
            f"{name}: questions to train on with an answer, and questions to test on, "
            f"are needed; got {len(train)} and {len(test)}"
        )
    known = sorted({word for q in train for word in q.words[:MAX_WORDS]})
    words = ("<padding>", "<unknown>", *known)
    ids = {word: i for i, word in enumerate(words)}
    length = min(MAX_WORDS, max(len(q.words) for q in (*train, *test)))

    def part(questions):
        y = np.full((len(questions), 1 + length), PADDING, np.int32)
        for row, q in zip(y, questions, strict=True):
            chosen = [ids.get(word, UNKNOWN_WORD) for word in q.words[:length]]
            row[0] = classes.get(q.answer, OTHER_ANSWER)
            row[1 : 1 + len(chosen)] = chosen
        return np.stack([grids[q.image] for q in questions]), y

    def of_tests(field):
        values = tuple(getattr(q, field) for q in test)
        return values if all(values) else ()

    return Questions(
        name,
        *part(train),
        *part(test),
        words,
        answers,
        tuple(q.answer for q in test),
        of_tests("answers"),
        of_tests("choices"),
        tuple(q.kind or _answer_type(q.answer) for q in test),
    )

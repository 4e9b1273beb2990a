"""Answers questions about images, and scores the answers as the VQA challenge does."""

import re
from collections.abc import Sequence

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from noisejax import models

CHUNK = 250
"""Number of questions that are answered at the same time."""

PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'

ARTICLES = ("a", "an", "the")

NUMBERS = {"none": "0", "zero": "0", "one": "1", "two": "2", "three": "3"}
NUMBERS |= {"four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8"}
NUMBERS |= {"nine": "9", "ten": "10"}


def answer_logits(
    model: models.StackedAttention,
    variables: PyTree[Array],
    grids: Float[Array, "questions regions channels"],
    words: Int[Array, "questions length"],
) -> np.ndarray:
    """Compute the noise-free logits of all answers, [N, answers].

    Args:
      model: network that answers questions.
      variables: variables of the network.
      grids: features of the images, [N, R, C].
      words: word ids of the questions, [N, T].

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import evaluators, models
      >>> net = models.StackedAttention(9, 5, width=4)
      >>> grids, words = jnp.ones((3, 7, 2)), jnp.ones((3, 6), int)
      >>> variables = net.init(jax.random.key(0), grids, words, train=False)
      >>> evaluators.answer_logits(net, variables, grids, words).shape
      (3, 5)
    """

    @jax.jit
    def answer(variables, grids, words):
        return model.apply(variables, grids, words, train=False)[0]

    starts = range(0, len(words), CHUNK)
    chunks = [(grids[i : i + CHUNK], words[i : i + CHUNK]) for i in starts]
    found = [np.asarray(answer(variables, *map(jnp.asarray, c))) for c in chunks]
    return np.concatenate(found)


def choose_answers(
    logits: Float[np.ndarray, "questions answers"],
    answers: Sequence[str],
    choices: Sequence[Sequence[str]] = (),
) -> list[str]:
    """Return the most likely answer to each question.

    Args:
      logits: logits of the answers, [N, answers].
      answers: text of each answer.
      choices: texts to choose from for each question. The default is all answers. If no
        choice has a logit, the first choice is returned (our decision).

    Returns:
      One text per question.

    Example:
      >>> import numpy as np
      >>> from noisejax import evaluators
      >>> evaluators.choose_answers(np.array([[1.0, 3, 2]]), "abc", [["c", "a"]])
      ['c']
    """
    logits = np.asarray(logits)
    if not choices:
        return [answers[i] for i in logits.argmax(-1)]
    if len(choices) != len(logits):
        raise ValueError(
            "there must be choices for each question; got "
            f"{len(choices)} lists of choices and {len(logits)} questions"
        )
    ids = {answer: i for i, answer in enumerate(answers)}
    return [
        max(given, key=lambda text: row[ids[text]] if text in ids else -np.inf)
        for row, given in zip(logits, choices, strict=True)
    ]


def vqa_accuracy(
    answers: Sequence[str], references: Sequence[Sequence[str]]
) -> Float[np.ndarray, " questions"]:
    """Score answers as the VQA challenge does (Antol et al. 2015).

      acc(a) = mean over the subsets of all people but one of min(#{people: a} / 3, 1)

    Texts are normalised as in the official code, except that contractions such as
    "don't" are not changed. Punctuation is always removed from the answer, and from the
    references if people disagree. In the answer, number words become digits and
    articles are removed.

    Args:
      answers: one answer per question.
      references: answers of people to each question; VQA has ten per question.

    Returns:
      Scores in [0, 1], [N].

    Raises:
      ValueError: the numbers of answers and references differ, or a question has no
        reference.

    Example:
      >>> from noisejax import evaluators
      >>> evaluators.vqa_accuracy(["red"], [["red"] * 3 + ["blue"] * 7]).round(6)
      array([0.9])

    Reference:
      Antol et al., "VQA: visual question answering", ICCV 2015.
    """
    if len(answers) != len(references):
        raise ValueError(
            "there must be references for each answer; got "
            f"{len(answers)} answers and {len(references)} lists of references"
        )
    scores = []
    for answer, people in zip(answers, references, strict=True):
        if not people:
            raise ValueError(f"the answer {answer!r} has no references")
        if len(set(people)) > 1:
            people = [_without_punctuation(text) for text in people]
        same = np.asarray(people) == _normalise(answer)
        others = same.sum() - same  # matches among all people but one
        scores.append(np.minimum(others / 3, 1).mean())
    return np.asarray(scores)


def _without_punctuation(text: str) -> str:
    has_comma = re.search(r"\d,\d", text) is not None
    found = text
    for mark in PUNCTUATION:
        beside_space = f"{mark} " in text or f" {mark}" in text
        found = found.replace(mark, "" if beside_space or has_comma else " ")
    return re.sub(r"\.(?!\d)", "", found)


def _normalise(text: str) -> str:
    text = _without_punctuation(re.sub(r"[\n\t]", " ", text).strip())
    words = [NUMBERS.get(word, word) for word in text.lower().split()]
    return " ".join(word for word in words if word not in ARTICLES)

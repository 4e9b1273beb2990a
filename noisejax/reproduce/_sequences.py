"""Scores captions and answers of trained networks."""

import numpy as np
from absl import logging

from noisejax import evaluators, noise
from noisejax.reproduce._measure import Measured

CAPTION_SCORES = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "meteor", "cider", "rouge_l")
"""Scores of captions. METEOR is None if Java is not installed."""

TYPES = {"yes_no": "yes/no", "number": "number", "other": "other"}
"""Type of an answer in results.jsonl -> type in the data set."""


def captions(key: noise.Key, model: evaluators.TrainedModel) -> Measured:
    """Score greedily decoded captions of the test images."""
    run = model.run
    scores = dict.fromkeys(CAPTION_SCORES)
    if not evaluators.can_score():
        logging.warning("captions are not scored: pip install 'noisejax[captions]'")
        return Measured(scores)
    _, first = np.unique(run.dataset.test_image, return_index=True)
    x = np.asarray(model.inputs(model.test.x))[first]
    found = evaluators.decode_captions(run.model, model.variables, x, progress=True)
    texts = [run.dataset.text(ids) for ids in found]
    scores |= evaluators.caption_scores(texts, run.dataset.references)
    return Measured(scores, {"captions": found})


def answers(key: noise.Key, model: evaluators.TrainedModel) -> Measured:
    """Measure accuracies of answers to the test questions, by type of answer.

    The accuracies of VQA are measured if the data contain the answers of people, and
    multiple choice if the data also contain choices.
    """
    run, data = model.run, model.run.dataset
    x, words = model.inputs(model.test.x), np.asarray(model.test.y)[:, 1:]
    logits = evaluators.answer_logits(run.model, model.variables, x, words)
    chosen = evaluators.choose_answers(logits, data.answers)
    pairs = zip(chosen, data.test_answer, strict=True)
    scores = {"answer_percent": np.array([a == b for a, b in pairs])}
    if data.references:
        open_ended = evaluators.vqa_accuracy(chosen, data.references)
        scores["open_ended_percent"] = open_ended
    if data.references and data.choices:
        chosen = evaluators.choose_answers(logits, data.answers, data.choices)
        among = evaluators.vqa_accuracy(chosen, data.references)
        scores["multiple_choice_percent"] = among
    types = np.array(data.types)
    numbers = {}
    for metric, values in scores.items():
        numbers[f"{metric}/all"] = 100 * values.mean()
        for name, kind in TYPES.items():
            if (types == kind).any():
                numbers[f"{metric}/{name}"] = 100 * values[types == kind].mean()
    return Measured(numbers)

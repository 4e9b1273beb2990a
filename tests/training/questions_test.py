"""Training on questions: loss, error and VQA accuracies against loops."""

import itertools

import numpy as np
import pytest

from noisejax import data, evaluators, reproduce, training


def config():
    made = training.Config()
    made.data.name, made.data.validation = "questions", 0.1
    made.model.name, made.model.widths = "stacked_attention", (8,)
    made.noise.input_rate = 0.1
    made.objective.num_samples = 2
    made.optimizer.name, made.optimizer.learning_rate = "adam", 0.01
    made.training.epochs, made.training.batch_size = 2, 18
    return made


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("questions") / "run"
    dataset = data.generate("questions", num_train=60, num_test=40)
    dataset.test_y[:5, 0] = 0  # answers that the training part does not have
    training.train(config(), folder, dataset=dataset)
    return training.load_run(folder, dataset=dataset)


def logits_of(run):
    words = run.test.y[:, 1:]
    return np.asarray(run.model.apply(run.variables, run.test.x, words, train=False)[0])


def test_the_reported_loss_and_error_are_loops_over_questions(run):
    losses, errors = [], []
    for logits, y in zip(logits_of(run), np.asarray(run.test.y), strict=True):
        known, logits = y[0] > 0, np.float64(logits)
        losses.append(np.log(np.exp(logits).sum()) - logits[y[0]] if known else 0)
        errors.append(100 * (not known or logits.argmax() != y[0]))
    summary = training.read_summary(run.path)
    loss, error = (
        summary[name]["per_seed"] for name in ("test_loss", "test_error_percent")
    )
    assert loss == pytest.approx([np.mean(losses)], rel=1e-5)
    assert error == pytest.approx([np.mean(errors)], rel=1e-5)


def test_the_question_lstm_ignores_the_image(tmp_path):
    blind = config()
    blind.model.name, blind.training.epochs = "question_lstm", 1
    dataset = data.generate("questions", num_train=60, num_test=40)
    training.train(blind, tmp_path / "run", dataset=dataset)
    run = training.load_run(tmp_path / "run", dataset=dataset)
    words = run.test.y[:, 1:]
    same = [
        evaluators.answer_logits(run.model, run.variables, x, words)
        for x in (run.test.x, np.zeros_like(run.test.x))
    ]
    np.testing.assert_array_equal(*same)
    assert "dense_grid" not in run.variables["params"]


def test_answers_are_scored_by_type(run):
    """Of ten generated answers eight are right and two are equal wrong ones."""
    model = evaluators.from_run(run)
    measured, failed = reproduce.measure(["answers"], run)
    assert not failed
    logits = logits_of(run)
    np.testing.assert_allclose(
        evaluators.answer_logits(
            run.model, run.variables, model.test.x, run.test.y[:, 1:]
        ),
        logits,
        rtol=1e-5,
        atol=1e-6,
    )
    chosen = [run.dataset.answers[i] for i in logits.argmax(-1)]
    score = {8: 1.0, 2: (2 * 1 / 3 + 8 * 2 / 3) / 10, 0: 0.0}
    people = run.dataset.references
    expected = [score[people[i].count(text)] for i, text in enumerate(chosen)]
    numbers = measured.numbers
    assert numbers["open_ended_percent/all"] == pytest.approx(100 * np.mean(expected))
    numeric = [text.isdigit() for text in run.dataset.test_answer]
    found = numbers["open_ended_percent/number"]
    assert 0 < sum(numeric) < len(numeric)
    assert found == pytest.approx(100 * np.mean(np.array(expected)[numeric]))
    right = [a == b for a, b in zip(chosen, run.dataset.test_answer, strict=True)]
    assert numbers["answer_percent/all"] == pytest.approx(100 * np.mean(right))


def test_diagnose_names_skipped_measurements(run):
    report = evaluators.measure_all(evaluators.from_run(run), progress=False)
    assert "failed" not in report
    assert "answers are scored" in report["skipped"]["error"]


def transcription(answer, people):
    """Average min(count / 3, 1) over all subsets of nine of the ten people."""
    subsets = itertools.combinations(people, len(people) - 1)
    return np.mean([min(subset.count(answer) / 3, 1) for subset in subsets])


@pytest.mark.parametrize("count", range(11))
def test_vqa_accuracy_is_its_transcription(count):
    people = ["red"] * count + ["blue"] * (10 - count)
    found = evaluators.vqa_accuracy(["red"], [people])
    np.testing.assert_allclose(found, transcription("red", people), rtol=1e-12)
    assert found == pytest.approx(min(0.3 * count, 1))


@pytest.mark.parametrize(
    ("answer", "person", "same"),
    [
        ("Two", "2", True),
        ("the red car", "red car", True),
        ("yes.", "yes", True),
        ("3.5", "3.5", True),
        ("t-shirt", "t-shirt", True),  # both become "t shirt"
        ("1,000", "1000", True),
        ("what?", "what", True),
        ("none", "0", True),
        ("cars", "car", False),
    ],
)
def test_answers_are_compared_in_their_normal_form(answer, person, same):
    people = [person] * 4 + ["other"] * 6
    assert evaluators.vqa_accuracy([answer], [people]) == float(same)


def test_choices_restrict_the_answers():
    logits = np.array([[0.0, 3, 2, 1], [0.0, 3, 2, 1], [0.0, 3, 2, 1]])
    answers = ("<other>", "yes", "no", "red")
    choices = [("red", "no"), ("blue", "red"), ("blue", "green")]
    assert evaluators.choose_answers(logits, answers) == ["yes"] * 3
    found = evaluators.choose_answers(logits, answers, choices)
    assert found == ["no", "red", "blue"]
    with pytest.raises(ValueError, match="1 lists of choices and 3 questions"):
        evaluators.choose_answers(logits, answers, choices[:1])
    with pytest.raises(ValueError, match="2 answers and 1 lists of references"):
        evaluators.vqa_accuracy(["a", "b"], [["a"] * 10])
    with pytest.raises(ValueError, match="'a' has no references"):
        evaluators.vqa_accuracy(["a"], [[]])


@pytest.mark.parametrize(
    ("section", "field", "value", "match"),
    [
        ("data", "name", "digits", "data.name=questions must be used together"),
        ("model", "name", "mlp", "data.name=questions must be used together"),
        ("data", "classes", (0, 1), "selects class labels"),
        ("data", "validation_per_class", (1,), "needs class labels"),
        ("model", "widths", (8, 8), "must be one number"),
        ("noise", "shift", "hidden", "no shifts"),
        ("model", "batch_norm", True, "not for model.name=stacked_attention"),
        ("training", "mode", "back_projection", "model.name=stacked_attention"),
        ("objective", "label_smoothing", 0.1, "needs a network that classifies"),
    ],
)
def test_what_does_not_fit_is_refused_before_training(
    tmp_path, section, field, value, match
):
    wrong = config()
    setattr(getattr(wrong, section), field, value)
    dataset = data.generate(wrong.data.name, num_train=60, num_test=40)
    with pytest.raises(ValueError, match=match):
        training.train(wrong, tmp_path / "run", dataset=dataset)
    assert not list((tmp_path / "run").glob("checkpoints/*"))

"""Training on captions: loss and error against loops, decoding and scores."""

import numpy as np
import pytest

from noisejax import data, evaluators, training


def config():
    made = training.Config()
    made.data.name, made.data.validation = "captions", 0.0
    made.model.name, made.model.widths = "caption_lstm", (8,)
    made.noise.input_rate = 0.1
    made.objective.num_samples = 2
    made.optimizer.name, made.optimizer.learning_rate = "adam", 0.01
    made.training.epochs, made.training.batch_size = 2, 20
    return made


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("captions") / "run"
    dataset = data.generate("captions", num_train=60, num_test=40)
    training.train(config(), folder, dataset=dataset)
    return training.load_run(folder, dataset=dataset)


def test_the_reported_loss_and_error_are_loops_over_words(run):
    y = np.asarray(run.test.y)
    logits, _ = run.model.apply(run.variables, run.test.x, run.test.y, train=False)
    logits, losses, errors = np.asarray(logits, np.float64), [], []
    for b, caption in enumerate(y):
        terms = [
            (-np.log(np.exp(logits[b, t]).sum()) + logits[b, t, word], logits[b, t])
            for t, word in enumerate(caption)
            if word != data.PADDING
        ]
        wrong = [z.argmax() != w for (_, z), w in zip(terms, caption, strict=False)]
        losses.append(-sum(log_prob for log_prob, _ in terms))
        errors.append(100 * np.mean(wrong))
    summary = training.read_summary(run.path)
    assert summary["test_loss"]["per_seed"] == pytest.approx(
        [np.mean(losses)], rel=1e-5
    )
    found = summary["test_error_percent"]["per_seed"]
    assert found == pytest.approx([np.mean(errors)], rel=1e-5)


def test_captions_are_decoded_as_text(run):
    _, first = np.unique(run.dataset.test_image, return_index=True)
    images = np.asarray(run.test.x)[first]
    found = evaluators.decode_captions(run.model, run.variables, images)
    assert found.shape == (20, 20)
    texts = [run.dataset.text(ids) for ids in found]
    known = set(run.dataset.words)
    assert all(set(text.split()) <= known for text in texts)
    state, logits = run.model.apply(run.variables, images, method="begin")
    chosen = np.asarray(logits).argmax(-1)
    np.testing.assert_array_equal(found[:, 0], chosen)


def test_diagnose_names_skipped_measurements(run):
    report = evaluators.measure_all(evaluators.from_run(run), progress=False)
    assert "failed" not in report
    assert "captions are scored" in report["skipped"]["error"]


def test_scores_of_equal_and_of_other_captions():
    pytest.importorskip("pycocoevalcap")
    people = [["a dog runs in the snow", "the dog is running"], ["two men play ball"]]
    same = evaluators.caption_scores([texts[0] for texts in people], people)
    other = evaluators.caption_scores(["a cat", "two men sit"], people)
    for n in range(1, 5):
        assert same[f"bleu_{n}"] == pytest.approx(100)
    assert same["rouge_l"] == pytest.approx(100)
    # Unigrams: "a", "two" and "men" of 5 words; the closest references have 4 each.
    assert other["bleu_1"] == pytest.approx(100 * 3 / 5 * np.exp(1 - 8 / 5))
    assert all(other[name] < same[name] for name in same)
    with pytest.raises(ValueError, match="2 candidates and 1 lists"):
        evaluators.caption_scores(["a", "b"], [["a"]])


@pytest.mark.parametrize(
    ("section", "field", "value", "match"),
    [
        ("data", "name", "digits", "data.name=captions must be used together"),
        ("model", "name", "mlp", "data.name=captions must be used together"),
        ("data", "validation", 0.1, "captions, which have validation images"),
        ("data", "classes", (0, 1), "selects class labels"),
        ("model", "widths", (8, 8), "must be one number"),
        ("noise", "shift", "hidden", "no shifts"),
        ("model", "batch_norm", True, "not for model.name=caption_lstm"),
        ("training", "mode", "back_projection", "model.name=caption_lstm"),
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

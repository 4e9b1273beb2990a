"""Soft targets and splits per class, from the configuration to the numbers."""

import dataclasses

import jax
import numpy as np
import pytest

from noisejax import data, reproduce, training
from noisejax.training._examples import split_examples
from tests.training.tiny import config, rows

FIELDS = {
    "data__name": "splicing_stand_in",
    "model__name": "soft_targets",
    "training__batch_size": 30,
    "optimizer__learning_rate": 0.01,
}


@pytest.fixture(scope="module")
def stand_in():
    return data.generate("splicing_stand_in", num_train=180)


@pytest.fixture(scope="module")
def run(stand_in, tmp_path_factory):
    folder = tmp_path_factory.mktemp("soft") / "run"
    summary = training.train(
        config(**FIELDS, training__epochs=3), folder, dataset=stand_in
    )
    return summary, training.load_run(folder, dataset=stand_in)


def predictions(run):
    logits, _ = run.model.apply(run.variables, run.dataset.test_x, train=False)
    return np.asarray(jax.nn.log_softmax(logits))


def test_code_quality_is_that_of_the_predictions(run, stand_in):
    summary, loaded = run
    bits = data.code_quality(
        predictions(loaded), stand_in.test_y, data.naive_guess(stand_in.train_y)
    )
    numbers = reproduce.summary_numbers(summary, stand_in, 0)
    assert numbers == {"code_quality_bits": pytest.approx(bits, abs=1e-2)}


def test_the_error_is_the_divergence_over_that_of_one_certain_outcome(run, stand_in):
    summary, loaded = run
    y, log_probs = stand_in.test_y, predictions(loaded)
    divergence = (y * (np.log(np.maximum(y, 1e-30)) - log_probs)).sum((1, 2)).mean()
    percent = 100 * divergence / (4 * np.log(3))
    assert summary["test_error_percent"]["mean"] == pytest.approx(percent, rel=1e-4)
    assert summary["test_loss"]["mean"] == pytest.approx(
        -(y * log_probs).sum((1, 2)).mean(), rel=1e-5
    )


def test_it_learns(run):
    losses = [row["loss"] for row in rows(run[1].path, split="train")]
    assert losses[-1] < losses[0]


def test_a_file_of_soft_targets(tmp_path, stand_in):
    path = tmp_path / "own.npz"
    x = np.concatenate([stand_in.train_x, stand_in.test_x])
    y = np.concatenate([stand_in.train_y, stand_in.test_y])
    np.savez(path, x=x, y=y, partition=np.arange(len(x)) % 3)
    fields = {**FIELDS, "data__name": str(path), "data__test_partition": 1}
    training.train(config(**fields), tmp_path / "run")
    loaded = training.load_run(tmp_path / "run")
    assert np.array_equal(loaded.dataset.test_x, x[1::3])
    fields["data__test_partition"] = 3
    with pytest.raises(ValueError, match="the partitions are 0, 1, 2; got 3"):
        training.train(config(**fields), tmp_path / "other")


def test_partitions_are_tested_on_one_by_one():
    parts = [data.load_dataset("splicing_stand_in", test_partition=p) for p in range(6)]
    assert sum(len(part.test_x) for part in parts) == 3665
    assert parts[0].test_x.shape[1] == 1014 and "(generated)" in parts[0].name


def test_networks_and_targets_must_fit(tmp_path, stand_in):
    with pytest.raises(ValueError, match="model.name=soft_targets and data with soft"):
        training.train(config(), tmp_path, dataset=stand_in)
    with pytest.raises(ValueError, match="must be used together.*digits"):
        training.train(config(**{**FIELDS, "data__name": "digits"}), tmp_path)
    wrong = config(**FIELDS, data__validation_per_class=(1,))
    with pytest.raises(ValueError, match="does not have; use data.validation"):
        training.train(wrong, tmp_path, dataset=stand_in)


def test_a_split_per_class_of_each_part():
    dataset = data.generate("svhn_cropped_extra", num_train=100)
    assert dataset.part_sizes == (50, 50)
    fields = {"data__validation_per_class": (2, 1), "data__validation": 0.5}
    splits = split_examples(config(**fields), dataset, [0, 1])
    for train, held_out in splits:
        assert sorted({*train, *held_out}) == list(range(100))
        for part, count in (
            (held_out[held_out < 50], 2),
            (held_out[held_out >= 50], 1),
        ):
            assert np.bincount(dataset.train_y[part]).tolist() == [count] * 10
    assert not np.array_equal(splits[0][1], splits[1][1])


def test_data_without_parts_are_one():
    dataset = dataclasses.replace(data.generate("mnist", num_train=40), part_sizes=())
    fields = config(data__validation_per_class=(1,))
    [(_, held_out)] = split_examples(fields, dataset, [0])
    assert len(held_out) == 10


@pytest.mark.parametrize(
    ("per_class", "match"),
    [
        ((1, 1), r"one number for each of the 1 parts of .*mnist.*got \(1, 1\)"),
        ((5,), "5 per class are held out"),
        ((-1,), r"numbers of examples, 0 or more, got \(-1,\)"),
    ],
)
def test_splits_that_cannot_be(tmp_path, per_class, match):
    dataset = data.generate("mnist", num_train=40)
    with pytest.raises(ValueError, match=match):
        training.train(
            config(data__validation_per_class=per_class), tmp_path, dataset=dataset
        )


def test_patience_needs_examples_that_are_held_out(tmp_path):
    fields = {"training__patience": 1, "data__validation_per_class": (0,)}
    with pytest.raises(ValueError, match="choose an epoch by its validation error"):
        training.train(config(**fields), tmp_path)
    fields["data__validation_per_class"] = (1,)
    fields["data__validation"] = 0
    training.train(
        config(**fields), tmp_path, dataset=data.generate("digits", num_train=40)
    )

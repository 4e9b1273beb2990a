"""NaN and infinity are found and named, or skipped with on_nan=skip."""

import dataclasses

import jax
import numpy as np
import optax
import pytest

from noisejax import data, training
from tests.training.tiny import dataset, read, rows, train

pytestmark = pytest.mark.usefixtures("quick_compilation")

FIELDS = {
    "data__validation": 0.0,
    "training__batch_size": 20,
    "noise__input_rate": 0.0,  # a bad pixel that is dropped does no harm
}
"""All 200 examples are trained on, in 10 steps an epoch."""


def with_bad(*numbers, value=np.nan):
    """Return the data set with a pixel set to `value` in the given examples."""
    own = dataset()
    x = own.train_x.copy()
    x[list(numbers), 1, 2] = value
    return dataclasses.replace(own, train_x=x)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"training__steps_per_call": 4},
        {"training__microbatches": 4},
        {"data__stream": "stream", "training__num_seeds": 2},
    ],
    ids=str,
)
def test_a_bad_example_stops_at_its_step(tmp_path, fields):
    """The error names the step whose batch contains the bad example."""
    order = jax.random.fold_in(jax.random.split(jax.random.key(5), 5)[1], 1)
    position = np.asarray(jax.random.permutation(order, 200)).tolist().index(17)
    match = (
        r"the activations of layer \w+ are not finite at step "
        rf"{position // 20 + 1} of epoch 1 \(train\), seed 5; no epoch"
    )
    with pytest.raises(training.TrainingError, match=match):
        train(tmp_path, on=with_bad(17), training__seed=5, **FIELDS, **fields)
    assert not rows(tmp_path)
    assert not (tmp_path / "summary.json").exists()


def test_the_examples_are_named(tmp_path):
    """An infinite target has no finite likelihood, and is named."""
    own = data.generate_splicing(test_partition=0)
    y = own.train_y.copy()
    y[7] = np.inf
    bad = dataclasses.replace(own, train_y=y)
    with pytest.raises(training.TrainingError, match=r"\(training examples 7 have no"):
        train(
            tmp_path,
            on=bad,
            model__name="soft_targets",
            training__batch_size=len(y),
            data__validation=0.0,
        )


def test_a_last_step_that_breaks_parameters_is_named(tmp_path):
    """The loss of the last step is finite, but its update is not."""
    own = dataset()
    large = dataclasses.replace(own, train_x=own.train_x.astype(np.float32) * 1e4)
    with pytest.raises(training.TrainingError, match="at step 2 of epoch 1"):
        train(
            tmp_path,
            on=large,
            optimizer__warmup_epochs=1.0,  # the first step moves nothing
            optimizer__learning_rate=3e38,
            **FIELDS | {"training__batch_size": 100},
        )


def test_a_full_memory_says_what_to_reduce(tmp_path, monkeypatch):
    def fail(message):
        def apply_updates(*arguments):
            raise jax.errors.JaxRuntimeError(message)

        monkeypatch.setattr(optax, "apply_updates", apply_updates)

    fail("RESOURCE_EXHAUSTED: 3 bytes do not fit")
    match = r"3 bytes.*training\.microbatches"
    with pytest.raises(training.TrainingError, match=match):
        train(tmp_path / "full")
    fail("INTERNAL: not ours")
    with pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"):
        train(tmp_path / "internal")


def test_bad_examples_are_skipped_and_counted(tmp_path):
    """One bad example skips one step per epoch and seed; results are finite."""
    summary = train(
        tmp_path,
        on=with_bad(17),
        training__on_nan="skip",
        training__num_seeds=2,
        training__epochs=3,
        **FIELDS,
    )
    assert summary["skipped_steps"] == [3, 3]
    assert summary["train_error_percent"]["mean"] < 100
    assert np.isfinite(summary["test_loss"]["per_seed"]).all()
    assert all(row["loss"] is not None for row in rows(tmp_path))
    assert read(tmp_path, "summary.json")["skipped_steps"] == [3, 3]


def test_skipping_does_not_change_clean_runs(tmp_path):
    skipping = train(tmp_path / "skip", training__on_nan="skip")
    stopping = train(tmp_path / "stop")
    assert skipping["params_sha256"] == stopping["params_sha256"]
    assert skipping["skipped_steps"] == [0]


def test_if_every_step_is_bad_training_stops(tmp_path):
    with pytest.raises(training.TrainingError, match="not finite"):
        train(tmp_path, on=with_bad(*range(200)), training__on_nan="skip", **FIELDS)


def test_the_last_good_checkpoint_is_kept(tmp_path):
    """Resuming the stopped run gives the same error again."""
    fields = {
        "model__activation": "linear",  # relu units would die, and be finite
        "optimizer__schedule": "linear",
        "optimizer__learning_rate": 1e25,
        "optimizer__warmup_epochs": 1.9,
        "training__epochs": 5,
        "training__checkpoint_steps": 1,
    }
    found = []
    for _ in range(2):
        with pytest.raises(training.TrainingError, match="last checkpoint") as info:
            train(tmp_path, resume=True, **FIELDS, **fields)
        found.append(str(info.value))
    assert found[0] == found[1]
    assert "Lower optimizer.learning_rate" in found[0]

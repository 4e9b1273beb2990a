"""NaN and infinity: found, named, and left out where that is asked for."""

import dataclasses

import jax
import numpy as np
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
    """The data set with pixels that are not finite."""
    own = dataset()
    x = own.train_x.copy()
    x[list(numbers), 1, 2] = value
    return dataclasses.replace(own, train_x=x)


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_a_bad_example_stops(tmp_path, value):
    """Names the step, the seed and what is not finite."""
    match = r"the activations of layer \w+ are not finite at step \d+ of epoch 1 .*"
    with pytest.raises(training.TrainingError, match=match + "seed 0; no epoch"):
        train(tmp_path, on=with_bad(17, value=value), **FIELDS)
    assert not rows(tmp_path)
    assert not (tmp_path / "summary.json").exists()


def test_the_step_is_the_one_with_the_example(tmp_path):
    """The order of the first epoch, drawn again by hand."""
    from jax import numpy as jnp

    from noisejax.training._epoch import epoch_batches

    batches = epoch_batches(jnp.arange(200), jnp.int32(5), jnp.int32(1), batch_size=20)
    step = int(np.argwhere(np.asarray(batches) == 17)[0, 0]) + 1
    with pytest.raises(training.TrainingError, match=f"at step {step} of epoch 1"):
        train(tmp_path, on=with_bad(17), training__seed=5, **FIELDS)


@pytest.mark.parametrize("where", ["resident", "stream"])
def test_a_last_step_that_breaks_parameters_is_named(tmp_path, where):
    """Its loss is finite; the parameters that it leaves are not."""
    own = dataset()
    large = dataclasses.replace(own, train_x=own.train_x.astype(np.float32) * 1e4)
    fields = FIELDS | {"training__batch_size": 100, "data__stream": where}
    with pytest.raises(training.TrainingError, match="at step 2 of epoch 1"):
        train(
            tmp_path,
            on=large,
            training__epochs=2,
            optimizer__name="sgd",
            optimizer__warmup_epochs=1.0,  # the first step moves nothing
            optimizer__learning_rate=3e38,
            **fields,
        )
    assert not (tmp_path / "summary.json").exists()


def test_a_full_memory_says_what_to_take_less_of():
    from noisejax.training._processes import notice_lost

    full = jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: 3 bytes do not fit")
    with (
        pytest.raises(training.TrainingError, match=r"3 bytes.*training\.microbatches"),
        notice_lost(),
    ):
        raise full
    with pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"), notice_lost():
        raise jax.errors.JaxRuntimeError("INTERNAL: not ours")


def test_bad_examples_are_skipped_and_counted(tmp_path):
    """One example: one step in each epoch, of each seed; nothing bad gets through."""
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
    for row in rows(tmp_path):
        assert row["loss"] is not None
        assert np.isfinite(row["loss"])
    assert read(tmp_path, "summary.json")["skipped_steps"] == [3, 3]


def test_skipping_leaves_clean_runs_as_they_are(tmp_path):
    skipping = train(tmp_path / "skip", training__on_nan="skip")
    stopping = train(tmp_path / "stop")
    assert skipping["params_sha256"] == stopping["params_sha256"]
    assert skipping["skipped_steps"] == [0]


def test_when_every_step_is_bad(tmp_path):
    """Skipping all of them would be no training."""
    with pytest.raises(training.TrainingError, match="not finite"):
        train(tmp_path, on=with_bad(*range(200)), training__on_nan="skip", **FIELDS)


def test_a_loss_that_diverges(tmp_path):
    """What was reached before is kept, and the message says so."""
    match = r"at step \d+ of epoch \d+ \(train\), seed 0.*Lower optimizer.learning_rate"
    with pytest.raises(training.TrainingError, match=match) as info:
        train(
            tmp_path,
            model__activation="linear",  # units of relu would die, and be finite
            optimizer__learning_rate=1e25,
            **FIELDS,
        )
    assert "not finite" in str(info.value) or "the loss is" in str(info.value)


def test_the_last_good_checkpoint_is_kept(tmp_path, monkeypatch):
    """It resumes to the same message; nothing is lost."""
    from noisejax.training import _loop

    run_phase = _loop._run_epoch

    def spoil(run, phase, seeds, progress, *rest):
        if progress.epoch == 1:
            kernels = seeds.state.params
            kernels["dense_0"]["kernel"] = kernels["dense_0"]["kernel"] * np.nan
        return run_phase(run, phase, seeds, progress, *rest)

    monkeypatch.setattr(_loop, "_run_epoch", spoil)
    match = "step 1 of epoch 2.*checkpoint of the epoch before it is kept"
    for _ in range(2):
        with pytest.raises(training.TrainingError, match=match):
            train(tmp_path, resume=True)
        assert {row["epoch"] for row in rows(tmp_path)} == {1}
    monkeypatch.undo()
    whole = train(tmp_path / "whole")
    assert train(tmp_path, resume=True)["params_sha256"] == whole["params_sha256"]


def test_bad_labels_are_named():
    """check_dataset says which label; the loop would only see a NaN."""
    own = dataset()
    labels = own.train_y.copy()
    labels[5] = 3
    broken = dataclasses.replace(own, train_y=labels)
    with pytest.raises(ValueError, match=r"train label 5 is 3; labels must lie in"):
        data._dataset.check_dataset(broken, "own")

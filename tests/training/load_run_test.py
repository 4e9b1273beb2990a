"""Load trained runs with the recorded data, with other data, and without data."""

import dataclasses
import shutil

import numpy as np
import pytest

from noisejax import data, training
from tests.training.stopping import stop_at_save
from tests.training.tiny import config, dataset, rows, train

X = np.full((2, 4, 4, 1), 0.3, np.float32)
"""Raw examples."""


def save(path, scale=1.0):
    """Write the small data set to an .npz file, with the inputs times `scale`."""
    own = dataset()
    np.savez(
        path,
        x_train=scale * own.train_x,
        y_train=own.train_y,
        x_test=scale * own.test_x,
        y_test=own.test_y,
    )


STEPS = {
    "none": {},
    "inverted": {"data__inverted": True},
    "standardised": {"data__preprocess": ("standardise",)},
    "whitened": {"data__preprocess": ("gcn", "zca"), "data__inverted": True},
    "components": {"data__preprocess": ("pca",), "data__components": 5},
}


@pytest.fixture(scope="module", params=STEPS.values(), ids=STEPS.keys())
def run(request, tmp_path_factory):
    """The run directory, its data file and its configuration fields."""
    folder = tmp_path_factory.mktemp("own")
    save(folder / "own.npz")
    fields = {"data__name": str(folder / "own.npz"), "training__epochs": 1}
    fields |= request.param
    training.train(config(**fields), folder / "run")
    return folder / "run", folder / "own.npz", fields


@pytest.fixture
def copied(run, tmp_path):
    """A copy of the run that a test may change; the data file is restored."""
    folder, path, fields = run
    shutil.copytree(folder, tmp_path / "run")
    kept = path.read_bytes()
    yield tmp_path / "run", path, fields
    path.write_bytes(kept)


def outputs(found, x=X):
    """Apply a loaded network to raw examples."""
    return found.model.apply(found.variables, found.prepare(x), train=False)[0]


def test_raw_examples_are_prepared_as_in_training(run):
    found = training.load_run(run[0])
    own = dataset()
    np.testing.assert_allclose(
        found.prepare(own.test_x), found.inputs(found.test.x), rtol=1e-5, atol=1e-6
    )
    error = np.mean(np.argmax(outputs(found, own.test_x), -1) != own.test_y)
    [row] = rows(run[0], split="test")
    assert 100 * error == pytest.approx(row["error_percent"], abs=1e-4)


def test_data_that_changed_are_refused(copied):
    folder, path, _ = copied
    save(path, scale=100)
    match = r"data of .*run have changed since it was trained: .*dataset.train_x is"
    with pytest.raises(ValueError, match=match):
        training.load_run(folder)


def test_other_data_are_named_and_prepared_as_in_training(run, caplog):
    own = dataset()
    other = dataclasses.replace(own, train_x=100 * own.train_x, test_x=own.test_x[:7])
    found = training.load_run(run[0], dataset=other)
    assert "was trained on other data" in caplog.text
    expected = training.load_run(run[0])
    np.testing.assert_array_equal(found.prepare(X), expected.prepare(X))
    # A product of seven rows may round differently from one of all rows.
    np.testing.assert_allclose(
        found.test.x, np.asarray(expected.test.x)[:7], rtol=1e-4, atol=1e-5
    )


def test_a_network_is_loaded_without_its_data(copied, caplog):
    folder, path, _ = copied
    expected = outputs(training.load_run(folder))
    path.unlink()
    found = training.load_run(folder)
    assert "loading the network" in caplog.text
    np.testing.assert_array_equal(outputs(found), expected)
    for use in (
        lambda: found.train.x,
        lambda: found.test.y,
        lambda: found.dataset.shape,
        lambda: found.prepared.dataset.name,
    ):
        with pytest.raises(FileNotFoundError, match="not available: .*no such file"):
            use()
    path.write_bytes(b"restored by the fixture")


def test_a_resumed_run_keeps_its_preprocessing(tmp_path, monkeypatch):
    """The result is the same even if another fit would give other statistics."""
    fields = {"data__preprocess": ("standardise",)}
    expected = train(tmp_path / "whole", **fields)
    with monkeypatch.context() as patch, pytest.raises(training.TrainingStopped):
        stop_at_save(patch, 1)
        train(tmp_path / "run", **fields)
    fit = data.fit_preprocessing

    def fit_otherwise(x, *arguments, **options):
        return fit(x + 1, *arguments, **options)

    monkeypatch.setattr(data, "fit_preprocessing", fit_otherwise)
    found = train(tmp_path / "run", resume=True, **fields)
    assert found["params_sha256"] == expected["params_sha256"]


def test_an_unfinished_run(tmp_path, monkeypatch):
    """A run can be loaded after the first epoch."""
    own = config(training__checkpoint_steps=3)
    stop_at_save(monkeypatch, 1)
    with pytest.raises(training.TrainingStopped):
        training.train(own, tmp_path / "run", dataset=dataset())
    with pytest.raises(ValueError, match="has no checkpoint yet.*--resume"):
        training.load_run(tmp_path / "run", dataset=dataset())
    stop_at_save(monkeypatch, 3)
    with pytest.raises(training.TrainingStopped):
        training.train(own, tmp_path / "run", dataset=dataset(), resume=True)
    assert training.load_run(tmp_path / "run", dataset=dataset()).seed == 0
    with pytest.raises(ValueError, match="trained the seeds 0; got seed 7"):
        training.load_run(tmp_path / "run", dataset=dataset(), seed=7)
    with pytest.raises(FileNotFoundError, match="holds no run"):
        training.load_run(tmp_path / "nowhere")

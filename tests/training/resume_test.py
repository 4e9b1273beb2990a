"""A run that was stopped and continued is the undisturbed run, bit for bit."""

import dataclasses
import os
import signal
import threading

import numpy as np
import pytest

from noisejax import training
from noisejax.training import _loop
from tests.training.stopping import stop_before_epoch, train_in_pieces
from tests.training.tiny import config, dataset, rows, train

FIELDS = {
    "training__epochs": 3,
    "training__retrain_epochs": 3,
    "training__num_seeds": 2,
    "training__patience": 2,
    "noise__shift": "running_average",
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return folder, train(folder, **FIELDS)


def same(summary, other):
    """Whether two summaries tell of the same numbers."""
    for key in (
        "params_sha256",
        "params_sha256_per_seed",
        "metrics_sha256",
        "test_error_percent",
        "test_loss",
        "best_epoch",
        "skipped_steps",
    ):
        assert summary[key] == other[key], key


@pytest.mark.parametrize("pieces", [(0, 1), (2, 2), (3,), (4, 0, 1)], ids=str)
def test_in_pieces(whole, tmp_path, monkeypatch, pieces):
    """Stopped in the first phase, between phases, in the second, and before any."""
    summary = train_in_pieces(monkeypatch, tmp_path, pieces, **FIELDS)
    same(summary, whole[1])
    metrics = (tmp_path / "metrics.jsonl").read_bytes()
    assert metrics == (whole[0] / "metrics.jsonl").read_bytes()


def test_a_finished_run_is_left_alone(whole):
    folder, summary = whole
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.name != ".lock"}
    assert training.is_finished(folder)
    assert train(folder, resume=True, **FIELDS) == summary
    after = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.name != ".lock"}
    assert before == after


def test_a_run_is_not_overwritten(whole):
    folder, _ = whole
    with pytest.raises(
        ValueError, match=r"holds a run already \(config.json.*--resume"
    ):
        train(folder, **FIELDS)


@pytest.mark.parametrize("name", ["metrics.jsonl", "summary.json", "checkpoints"])
def test_nor_is_a_part_of_one(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(ValueError, match=rf"holds a run already \({name}\)"):
        train(tmp_path)
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize("finished", [True, False])
def test_another_configuration_is_refused(whole, tmp_path, monkeypatch, finished):
    folder = whole[0]
    fields = FIELDS
    if not finished:
        folder, fields = tmp_path, {}
        stop_before_epoch(monkeypatch, 1)
        with pytest.raises(training.TrainingStopped):
            train(folder)
    other = {**fields, "noise__hidden_rate": 0.3, "training__batch_size": 10}
    with pytest.raises(ValueError, match="is of another run") as info:
        train(folder, resume=True, **other)
    assert "noise.hidden_rate is 0.5 there and 0.3 here" in str(info.value)
    assert "training.batch_size is 20 there and 10 here" in str(info.value)


def test_other_data_are_refused(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_before_epoch(patch, 1)
        with pytest.raises(training.TrainingStopped):
            train(tmp_path)
    own = dataset()
    labels = own.train_y.copy()
    labels[3] = (labels[3] + 1) % 3
    other = dataclasses.replace(own, train_y=labels)
    with pytest.raises(ValueError, match=r"dataset.train_y is .*crc32.* there and"):
        train(tmp_path, resume=True, on=other)


def test_the_configuration_is_remembered(tmp_path, monkeypatch):
    stop_before_epoch(monkeypatch, 1)
    assert training.recorded_config(tmp_path) is None
    with pytest.raises(training.TrainingStopped):
        train(tmp_path, noise__hidden_rates=(0.25,))
    assert training.recorded_config(tmp_path) == config(noise__hidden_rates=(0.25,))
    (tmp_path / "config.json").unlink()
    assert training.recorded_config(tmp_path) == config(noise__hidden_rates=(0.25,))
    assert not training.is_finished(tmp_path)


def test_a_signal_saves_the_epoch(tmp_path, monkeypatch):
    """A real SIGTERM while an epoch runs; afterwards signals do what they did."""
    run_epoch = _loop._run_epoch
    before = signal.getsignal(signal.SIGTERM)

    def interrupted(*arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        return run_epoch(*arguments)

    monkeypatch.setattr(_loop, "_run_epoch", interrupted)
    message = r"stopped by SIGTERM after epoch 1 \(train\) of 2; continue with --resume"
    with pytest.raises(training.TrainingStopped, match=message):
        train(tmp_path)
    assert signal.getsignal(signal.SIGTERM) is before
    assert {row["epoch"] for row in rows(tmp_path)} == {1}


def test_outside_the_main_thread(tmp_path):
    """Where signals cannot be handled, runs run."""
    done = []
    thread = threading.Thread(
        target=lambda: done.append(train(tmp_path, training__epochs=1))
    )
    thread.start()
    thread.join()
    assert done[0]["epochs"] == 1


def test_a_folder_in_use_is_refused(tmp_path):
    with (
        training.Workdir(tmp_path / "run"),
        pytest.raises(ValueError, match="in use by another process; wait for it"),
    ):
        train(tmp_path / "run")
    assert train(tmp_path / "run", training__epochs=1)["epochs"] == 1


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="cannot be written.*choose another"):
        train(tmp_path / "file" / "run")


def test_load_run_of_an_unfinished_run(tmp_path, monkeypatch):
    np.savez(
        tmp_path / "own.npz",
        x_train=dataset().train_x,
        y_train=dataset().train_y,
        x_test=dataset().test_x,
        y_test=dataset().test_y,
    )
    own = config(data__name=str(tmp_path / "own.npz"))
    stop_before_epoch(monkeypatch, 0)
    with pytest.raises(training.TrainingStopped):
        training.train(own, tmp_path / "run")
    with pytest.raises(ValueError, match="has no checkpoint yet.*--resume"):
        training.load_run(tmp_path / "run")
    stop_before_epoch(monkeypatch, 1)
    with pytest.raises(training.TrainingStopped):
        training.train(own, tmp_path / "run", resume=True)
    assert training.load_run(tmp_path / "run").seed == 0
    with pytest.raises(ValueError, match="trained the seeds 0; got seed 7"):
        training.load_run(tmp_path / "run", seed=7)
    with pytest.raises(FileNotFoundError, match="holds no run"):
        training.load_run(tmp_path / "nowhere")

"""A run that was stopped and resumed equals an uninterrupted run, bit for bit."""

import dataclasses
import errno
import fcntl
import signal
import threading

import numpy as np
import pytest

from noisejax import training
from tests.training.stopping import stop_at_save, train_in_pieces
from tests.training.tiny import config, dataset, read, rows, train

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
    """Compare the results of two summaries."""
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


PIECES = {
    "epochs": (0, (1, 2)),
    "phases": (0, (3, 2)),
    "steps": (3, (1, 2, 4, 1)),
    "every step": (1, (9, 1, 30)),
}


@pytest.mark.parametrize(("steps", "pieces"), PIECES.values(), ids=PIECES.keys())
def test_in_pieces(whole, tmp_path, monkeypatch, steps, pieces):
    """Runs are stopped in each phase, between the phases, and within epochs."""
    fields = {**FIELDS, "training__checkpoint_steps": steps}
    summary = train_in_pieces(monkeypatch, tmp_path, pieces, **fields)
    same(summary, whole[1])
    metrics = (tmp_path / "metrics.jsonl").read_bytes()
    assert metrics == (whole[0] / "metrics.jsonl").read_bytes()


def test_scanned_steps_resume_bit_for_bit(tmp_path, monkeypatch):
    """A resumed epoch starts its compiled calls at the same steps."""
    fields = {"training__steps_per_call": 3, "training__checkpoint_steps": 2}
    expected = train(tmp_path / "whole", **fields)
    same(train_in_pieces(monkeypatch, tmp_path / "run", (1, 2), **fields), expected)


def test_stopped_seeds_do_not_change(tmp_path, monkeypatch):
    """A checkpoint within a later epoch does not change stopped seeds."""
    fields = {
        "training__num_seeds": 3,
        "training__patience": 1,
        "training__epochs": 6,
        "training__checkpoint_steps": 3,
    }
    expected = train(tmp_path / "whole", **fields)
    same(train_in_pieces(monkeypatch, tmp_path / "run", (7, 1), **fields), expected)


def test_sigterm_saves_the_next_step(tmp_path, monkeypatch):
    """The signal is sent while step 3 is saved; the old handler is restored."""
    before = signal.getsignal(signal.SIGTERM)
    stop_at_save(monkeypatch, 1)
    message = "stopped by SIGTERM after step 4 of epoch 1; continue with --resume"
    with pytest.raises(training.TrainingStopped, match=message):
        train(tmp_path, training__checkpoint_steps=3)
    assert signal.getsignal(signal.SIGTERM) is before
    assert not rows(tmp_path)


def test_sigterm_after_an_epoch(tmp_path, monkeypatch):
    stop_at_save(monkeypatch, 1)
    message = r"stopped by SIGTERM after epoch 1 \(train\) of 2; continue with"
    with pytest.raises(training.TrainingStopped, match=message):
        train(tmp_path)
    assert {row["epoch"] for row in rows(tmp_path)} == {1}


def test_a_finished_run_is_left_alone(whole):
    folder, summary = whole
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.name != ".lock"}
    assert training.is_finished(folder)
    assert train(folder, resume=True, **FIELDS) == summary
    after = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.name != ".lock"}
    assert before == after


def test_a_run_is_not_overwritten(whole):
    match = r"holds a run already \(config.json.*--resume"
    with pytest.raises(ValueError, match=match):
        train(whole[0], **FIELDS)


@pytest.mark.parametrize("name", ["metrics.jsonl", "summary.json", "checkpoints"])
def test_a_part_of_a_run_is_not_overwritten(tmp_path, name):
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
        stop_at_save(monkeypatch, 1)
        with pytest.raises(training.TrainingStopped):
            train(folder)
    other = {**fields, "noise__hidden_rate": 0.3, "training__batch_size": 10}
    with pytest.raises(ValueError, match="is of another run") as info:
        train(folder, resume=True, **other)
    assert "noise.hidden_rate is 0.5 there and 0.3 here" in str(info.value)
    assert "training.batch_size is 20 there and 10 here" in str(info.value)


def test_other_data_are_refused(tmp_path, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(training.TrainingStopped):
        stop_at_save(patch, 1)
        train(tmp_path)
    own = dataset()
    labels = own.train_y.copy()
    labels[3] = (labels[3] + 1) % 3
    other = dataclasses.replace(own, train_y=labels)
    with pytest.raises(ValueError, match=r"dataset.train_y is .*crc32.* there and"):
        train(tmp_path, resume=True, on=other)


def test_the_configuration_is_remembered(tmp_path, monkeypatch):
    stop_at_save(monkeypatch, 1)
    assert training.recorded_config(tmp_path) is None
    with pytest.raises(training.TrainingStopped):
        train(tmp_path, noise__hidden_rates=(0.25,))
    assert training.recorded_config(tmp_path) == config(noise__hidden_rates=(0.25,))
    (tmp_path / "config.json").unlink()
    assert training.recorded_config(tmp_path) == config(noise__hidden_rates=(0.25,))
    assert not training.is_finished(tmp_path)


def test_threads_train_without_signals(tmp_path):
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


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch, number):
    def flock(*arguments):
        raise OSError(number, "no locks")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(ValueError, match="its file system has no locks.*another"):
        train(tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="cannot be written.*choose another"):
        train(tmp_path / "file" / "run")


def test_a_finished_run_can_be_extended(tmp_path):
    """Without a schedule, the extended run equals a run of the full length."""
    fields = {"optimizer__schedule": "constant", "training__num_seeds": 2}
    train(tmp_path / "a", training__epochs=2, **fields)
    longer = train(tmp_path / "a", resume=True, training__epochs=4, **fields)
    wanted = train(tmp_path / "b", training__epochs=4, **fields)
    assert longer["params_sha256"] == wanted["params_sha256"]
    assert rows(tmp_path / "a") == rows(tmp_path / "b")
    assert read(tmp_path / "a", "config.json")["config"]["training"]["epochs"] == 4
    again = train(tmp_path / "a", resume=True, training__epochs=4, **fields)
    assert again == longer


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"optimizer__schedule": "cosine"}, "optimizer.schedule=cosine"),
        ({"noise__schedule": "linear"}, "noise.schedule=linear"),
        ({"training__retrain_epochs": 1}, "training.retrain_epochs=1"),
    ],
)
def test_a_run_with_a_schedule_is_not_extended(tmp_path, fields, named):
    """A schedule depends on the length; the refused call leaves the run intact."""
    fields = {"optimizer__schedule": "constant", **fields}
    done = train(tmp_path, training__epochs=2, **fields)
    with pytest.raises(ValueError, match=named):
        train(tmp_path, resume=True, training__epochs=4, **fields)
    assert train(tmp_path, resume=True, training__epochs=2, **fields) == done


def test_a_run_is_not_shortened(tmp_path):
    fields = {"optimizer__schedule": "constant"}
    train(tmp_path, training__epochs=2, **fields)
    with pytest.raises(ValueError, match="training.epochs is 2 there and 1 here"):
        train(tmp_path, resume=True, training__epochs=1, **fields)


def test_relative_paths_are_recorded_as_absolute(tmp_path, monkeypatch):
    """The run can be loaded from another working directory."""
    own = dataset()
    np.savez(
        tmp_path / "own.npz",
        x_train=own.train_x,
        y_train=own.train_y,
        x_test=own.test_x,
        y_test=own.test_y,
    )
    monkeypatch.chdir(tmp_path)
    training.train(config(data__name="own.npz", training__epochs=1), "run")
    recorded = read(tmp_path / "run", "config.json")["config"]
    assert recorded["data"]["name"] == str(tmp_path / "own.npz")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert len(training.load_run(tmp_path / "run").test.x) == len(own.test_x)

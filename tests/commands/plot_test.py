"""python -m noisejax.plot: curves of runs, and errors for bad input."""

import json

import numpy as np
import pytest

from noisejax import evaluators
from tests.commands import command


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    runner = command.Runner(tmp_path_factory.mktemp("commands"))
    yield runner
    runner.close()


def row(split, epoch, seed, error, phase="train"):
    return {
        "phase": phase,
        "split": split,
        "epoch": epoch,
        "seed": seed,
        "loss": None if error is None else error / 10,
        "error_percent": error,
    }


ROWS = [
    row("train", 1, 0, 50.0),
    row("test", 1, 0, 40.0),
    row("test", 1, 1, 20.0),
    row("test", 2, 0, 10.0),  # seed 1 has stopped
    row("test", 1, 0, 5.0, phase="retrain"),
    row("test", 1, 1, None, phase="retrain"),  # was not finite
]


def write_run(path, rows, network="mlp"):
    path.mkdir()
    config = {"config": {"model": {"name": network}}}
    (path / "config.json").write_text(json.dumps(config))
    if rows is not None:
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (path / "metrics.jsonl").write_text(text)
    return path


def test_rows_become_curves(tmp_path):
    run = write_run(tmp_path / "a", ROWS)
    read = evaluators.read_curves([run])
    assert read.ylabel == "Error (%)" and list(read.curves) == ["a"]
    nan = np.nan
    assert list(read.curves["a"]) == ["train", "test"]
    np.testing.assert_array_equal(
        read.curves["a"]["train"], [[50, nan, nan], [nan, nan, nan]]
    )
    np.testing.assert_array_equal(
        read.curves["a"]["test"], [[40, 10, 5], [20, nan, nan]]
    )
    losses = evaluators.read_curves([run], metric="loss")
    assert losses.ylabel == "Loss (nats)" and losses.curves["a"]["test"][0, 0] == 4


def test_runs_of_one_name_are_labelled_by_their_paths(tmp_path):
    (tmp_path / "x").mkdir()
    runs = [write_run(tmp_path / "a", ROWS), write_run(tmp_path / "x" / "a", ROWS)]
    assert list(evaluators.read_curves(runs).curves) == [str(run) for run in runs]


def test_pictures_are_written(runner, tmp_path):
    runs = [write_run(tmp_path / name, ROWS) for name in "abc"]
    for count in (1, 3):
        out = tmp_path / f"deep/{count}.png"
        result = runner.run("noisejax.plot", *runs[:count], f"--output={out}")
        assert result.status == 0, result.output
        assert result.output.split() == [str(out), str(out.with_suffix(".pdf"))]
        assert out.read_bytes().startswith(b"\x89PNG")


def test_bad_input_is_refused(runner, tmp_path):
    run, other = write_run(tmp_path / "a", ROWS), tmp_path / "other"
    result = runner.run("noisejax.plot")
    assert result.status == 2 and "name the directories of the runs" in result.error
    result = runner.run("noisejax.plot", run, "--metric=accuracy")
    assert result.status == 2 and "<error|loss>" in result.error
    result = runner.run("noisejax.plot", run, other)
    assert result.status == 2
    assert f"{other} holds no run (no config.json); make one with" in result.error


def bad_runs(path):
    yield "has no metrics yet", [write_run(path / "none", None)]
    yield "holds no row yet", [write_run(path / "empty", [])]
    renamed = [{k: v for k, v in r.items() if k != "error_percent"} for r in ROWS]
    told = (
        "no 'error_percent' in a row of the split 'train'; it has phase, split, epoch"
    )
    yield told, [write_run(path / "renamed", renamed)]
    damaged = write_run(path / "damaged", ROWS)
    (damaged / "metrics.jsonl").write_text('{"phase": ')
    yield "metrics.jsonl, line 1", [damaged]
    whole = write_run(path / "whole", ROWS)
    yield "is given twice", [whole, whole]
    yield (
        "judged by the same error",
        [whole, write_run(path / "b", ROWS, "autoencoder")],
    )
    yield "1 to 7 runs, one colour each; got 8", [whole] * 8
    broken = write_run(path / "broken", ROWS)
    (broken / "config.json").write_text("{}")
    yield "config.json is damaged", [broken]


def test_runs_that_cannot_be_drawn(tmp_path):
    for message, runs in bad_runs(tmp_path):
        with pytest.raises((ValueError, FileNotFoundError)) as error:
            evaluators.read_curves(runs)
        assert message in str(error.value)
    with pytest.raises(ValueError, match="one of error, loss, got 'x'"):
        evaluators.read_curves([tmp_path], metric="x")

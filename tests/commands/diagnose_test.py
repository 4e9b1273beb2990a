"""python -m noisejax.diagnose: measurements of a run, and errors."""

import json
import shutil

import pytest

from noisejax import training
from tests.commands import command

MEASURED = {
    "calibration",
    "dead_units",
    *("error", "net_variance", "gradient_information", "correlations", "net_values"),
    *("slope_under_noise", "shifts", "dropped_share", "input_shift", "bound"),
    *("sharpness", "back_projection"),
}


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    runner = command.Runner(tmp_path_factory.mktemp("commands"))
    yield runner
    runner.close()


@pytest.fixture(scope="module")
def run(runner, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run"
    fields = ("epochs=1", "num_seeds=2")
    result = runner.train(
        *command.TINY,
        "--config.noise.shift=both",
        *(f"--config.training.{field}" for field in fields),
        f"--workdir={path}",
    )
    assert result.status == 0, result.output
    return path


def diagnose(runner, run, workdir, *arguments):
    return runner.run(
        "noisejax.diagnose", f"--checkpoint={run}", f"--workdir={workdir}", *arguments
    )


def test_everything_is_measured_once_more_and_another_run_refused(
    runner, run, tmp_path
):
    workdir = tmp_path / "out"
    result = diagnose(runner, run, workdir, "--seed=1")
    assert result.status == 0, result.output
    assert f"results in {workdir}/diagnose.json" in result.output
    report = json.loads((workdir / "diagnose.json").read_text())
    assert set(report["measurements"]) == MEASURED
    assert all(m["n"] > 0 for m in report["measurements"].values())
    assert report["run"]["seed"] == 1 and report["device"] and report["versions"]["jax"]
    error = report["measurements"]["error"]["error_percent"]
    summary = json.loads((run / "summary.json").read_text())
    errors = summary["test_error_percent"]["per_seed"]
    assert error == pytest.approx(errors[1])  # the network is the run's own
    assert (workdir / "diagnose.png").read_bytes().startswith(b"\x89PNG")
    assert (workdir / "diagnose.pdf").read_bytes().startswith(b"%PDF")

    result = diagnose(runner, run, workdir)  # of seed 0
    assert result.status == 2
    assert f"holds results of another network ({run}, seed 1)" in result.error
    assert json.loads((workdir / "diagnose.json").read_text()) == report
    (workdir / "diagnose.json").write_text("{")
    assert "cannot be read" in diagnose(runner, run, workdir).error


def test_folders_in_use_or_of_other_runs_are_refused(runner, run, tmp_path):
    with training.Workdir(tmp_path):
        result = diagnose(runner, run, tmp_path)
    assert result.status == 2 and "is in use by another process" in result.error
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(run / "config.json", other)
    result = diagnose(runner, run, other)
    assert result.status == 2
    assert f"the workdir {other} holds a training run" in result.error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--checkpoint must name the directory of a run"),
        (["--checkpoint=x"], "--workdir must name the directory for the results"),
        (["--checkpoint=/nowhere", "--workdir=w"], "/nowhere holds no run"),
        (["--checkpoint=x", "--workdir=w", "more"], "unexpected arguments: more"),
    ],
)
def test_bad_input_is_refused(runner, arguments, message):
    result = runner.run("noisejax.diagnose", *arguments)
    assert result.status == 2 and message in result.error


def test_seeds_that_were_not_trained(runner, run, tmp_path):
    result = diagnose(runner, run, tmp_path, "--seed=7")
    assert result.status == 2 and "trained the seeds 0, 1; got seed 7" in result.error

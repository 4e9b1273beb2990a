"""python -m noisejax.project: images and residuals of a run, and errors."""

import json

import pytest

from tests.commands.command import TINY

FEW = ("--num_examples=12", "--num_pictures=2", "--num_masks=2", "--num_steps=3")


@pytest.fixture(scope="module")
def run(runner, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "run"
    result = runner.train(
        "--config.model.widths=(12,10)",
        "--config.training.batch_size=20",
        "--config.training.epochs=1",
        f"--workdir={path}",
    )
    assert result.status == 0, result.output
    return path


def project(runner, run, workdir, *arguments):
    return runner.run(
        "noisejax.project", f"--checkpoint={run}", f"--workdir={workdir}", *arguments
    )


@pytest.fixture(scope="module")
def projected(runner, run, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("projected") / "out"
    return workdir, project(runner, run, workdir, *FEW)


def test_files_of_a_projection(projected):
    workdir, result = projected
    assert result.status == 0, result.output
    assert f"results in {workdir}" in result.output
    names = {path.name for path in workdir.iterdir()} - {".lock"}
    pictures = {f"{name}.{kind}" for name in ("pictures", "units") for kind in PNG_PDF}
    assert names == {"projection.json", "residuals.md", *pictures}


PNG_PDF = ("png", "pdf")


def test_the_numbers(projected):
    report = json.loads((projected[0] / "projection.json").read_text())
    assert set(report["measured"]) == {"dropout", "random_dropout"}
    assert report["num_examples"] == 12
    assert report["skipped"] == {}
    for kinds in report["measured"].values():
        joint, own = kinds["joint"], kinds["per_layer"]
        assert len(joint["residual_after"]) == len(own["residual_after"]) == 2
        assert (len(joint["distance"]), len(own["distance"])) == (1, 2)
        for before, after in zip(
            own["residual_before"], own["residual_after"], strict=True
        ):
            assert after["percentiles"]["50"] < before["percentiles"]["50"]
        assert all(0 <= share <= 1 for share in joint["agreement"])
    wide = report["measured"]["random_dropout"]["joint"]["distance"][0]["percentiles"]
    narrow = report["measured"]["dropout"]["joint"]["distance"][0]["percentiles"]
    assert wide["50"] < narrow["50"]  # its levels are half as high
    scale = report["class_distances"]
    assert 0 < scale["within_class"] < scale["between_classes"]


def test_the_table(projected):
    lines = (projected[0] / "residuals.md").read_text().splitlines()
    rows = [line for line in lines if line.startswith(("| dropout", "| random"))]
    assert len(rows) == 2 * 2 * 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--checkpoint=",), "--checkpoint must name"),
        (("--workdir=",), "--workdir must name"),
        (("--method=newton",), "preconditioned, stable, gradient_descent; got 'new"),
        (("--num_steps=0",), "num_steps must be 1 or more, got 0"),
        (("--num_examples=-1",), "num_examples must be 1 or more, got -1"),
        (("--learning_rates=a",), "--learning_rates must be numbers"),
        (
            ("--method=gradient_descent", "--learning_rates=3"),
            "one learning rate per layer, here 2",
        ),
        (("--seed=7",), "trained the seeds 0; got seed 7"),
    ],
)
def test_refusals(runner, run, tmp_path, arguments, message):
    result = project(runner, run, tmp_path / "out", *FEW, *arguments)
    assert result.status == 2
    assert message in result.error


def test_divergence_is_reported(runner, run, tmp_path):
    result = project(
        runner,
        run,
        tmp_path / "out",
        *FEW,
        "--num_steps=40",
        "--method=gradient_descent",
        "--learning_rates=1e5,1e5",
    )
    assert result.status == 2
    assert "finding x* diverged" in result.error
    assert "rates below" in result.error and "stable_descent()" in result.error


def test_no_run_and_a_silent_run(runner, tmp_path):
    result = project(runner, tmp_path, tmp_path / "out", *FEW)
    assert result.status == 2 and "holds no run" in result.error
    silent = tmp_path / "silent"
    fields = ("training.epochs=1", "noise.scheme=none")
    flags = (f"--config.{field}" for field in fields)
    assert runner.train(*TINY, *flags, f"--workdir={silent}").status == 0
    result = project(runner, silent, tmp_path / "out", *FEW)
    assert (
        result.status == 2
        and "no hidden layer makes noise (noise.scheme=none" in result.error
    )


def test_another_runs_folder(runner, run, projected, tmp_path):
    result = project(runner, run, run.parent / "run2", *FEW)
    assert result.status == 0
    other = tmp_path / "other"
    flags = (*TINY, "--config.training.epochs=1", f"--workdir={other}")
    assert runner.train(*flags).status == 0
    result = project(runner, other, projected[0], *FEW)
    assert result.status == 2 and "holds results of another network" in result.error
    result = project(runner, other, run, *FEW)
    assert result.status == 2 and "holds a training run" in result.error

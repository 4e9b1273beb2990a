"""python -m noisejax.reproduce: the list, a folder of results, and bad input."""

import json

import pytest

from noisejax.experiments import EXPERIMENTS

COMMAND = "noisejax.reproduce.__main__"


@pytest.fixture(scope="module")
def done(runner, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reproduce") / "table1"
    arguments = ("--experiment=ba2014_table1", "--scale=short", f"--workdir={folder}")
    return folder, arguments, runner.run(COMMAND, *arguments)


def test_list(runner):
    result = runner.run(COMMAND, "--list")
    assert result.status == 0
    lines = result.output.splitlines()
    assert [line.split()[0] for line in lines] == list(EXPERIMENTS)
    assert all("two cores" in line and "paper: " in line for line in lines)


def test_an_experiment(done):
    folder, _, result = done
    assert result.status == 0
    assert EXPERIMENTS["ba2014_table1"].title in result.output
    assert f"results in {folder}" in result.output
    table = (folder / "table.md").read_text()
    assert table in result.output
    assert "| Tanh | w·x = 0 | z = 0 |" in table
    assert (folder / "ba2014_table1.png").exists()
    lines = (folder / "results.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["row"] for row in rows] == ["relu", "sigmoid", "tanh", "maxout"]


def test_the_progress_tells_the_row_and_the_time_left(done):
    assert "ba2014_table1: " in done[2].output
    assert "4/4 [" in done[2].output and "tanh" in done[2].output


def test_a_second_call_draws_again(runner, done):
    folder, arguments, _ = done
    before = (folder / "results.jsonl").read_bytes()
    (folder / "ba2014_table1.png").unlink()
    assert runner.run(COMMAND, *arguments).status == 0
    assert (folder / "results.jsonl").read_bytes() == before
    assert (folder / "ba2014_table1.png").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--experiment must name an experiment; --list shows them"),
        (("--experiment=ba2014_table1",), "--workdir must name the directory"),
        (
            ("--experiment=ba2014_table9", "--workdir=DIR"),
            "--experiment must be one of bouthillier2015_figure1, ",
        ),
        (
            ("--experiment=ba2014_table2", "--workdir=DIR", "--only=original"),
            "has no row original; its rows are original_dropout, original_input, ",
        ),
        (
            ("--experiment=ba2014_table2", "--workdir=DIR", "--scale=full"),
            "--scale must be one of smoke, short, paper; got 'full'",
        ),
        (
            ("--experiment=ba2014_table2", "--workdir=DIR", "--data_dir=NONE"),
            "holds no prepared dataset 'mnist'",
        ),
        (("--experiment=ba2014_table2", "--workdir=DIR", "--num_seeds=0"), "num_seeds"),
        (("--experiment=ba2014_table2", "--workdir=DIR", "extra"), "extra"),
    ],
)
def test_bad_input(runner, tmp_path, arguments, said):
    folders = {"DIR": tmp_path / "work", "NONE": tmp_path / "none"}
    for name, path in folders.items():
        arguments = [a.replace(f"={name}", f"={path}") for a in arguments]
    result = runner.run(COMMAND, *arguments)
    assert result.status == 2
    assert said in result.error
    assert not (tmp_path / "work" / "experiment.json").exists()


def test_missing_data_say_how_to_get_them(runner, tmp_path):
    result = runner.run(
        COMMAND,
        "--experiment=hahn2018_table4",
        f"--workdir={tmp_path / 'work'}",
        f"--data_dir={tmp_path}",
    )
    assert result.status == 2
    assert "python -m noisejax.prepare_data --dataset=mnist" in result.error


def test_a_folder_of_another_experiment(runner, done):
    folder, _, _ = done
    result = runner.run(
        COMMAND,
        "--experiment=hahn2018_figure4",
        "--scale=short",
        f"--workdir={folder}",
    )
    assert result.status == 2
    assert "holds ba2014_table1 at the scale short; choose another" in result.error

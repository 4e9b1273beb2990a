"""python -m noisejax.train as a process: flags, folders, signals, exit statuses."""

import dataclasses
import json
import re
import shutil
import signal
import time

import numpy as np
import pytest

from noisejax import training
from tests.commands.command import TINY
from tests.data.synthetic import arrays, write_tfds

EPOCHS = "--config.training.epochs=2"

CONFIG_FILE = """
from noisejax import training

def get_config(variant="short"):
    config = training.Config()
    config.model.widths = (16,)
    config.training.batch_size = 20
    config.training.epochs = {"short": 1, "long": 2}[variant]
    return config
"""


@pytest.fixture(scope="module")
def finished(runner, tmp_path_factory):
    """A run of two epochs, with its output."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    return folder, runner.train(f"--workdir={folder}", *TINY, EPOCHS)


def read(folder, name):
    return json.loads((folder / name).read_text())


def test_a_run(finished):
    folder, result = finished
    assert result.status == 0
    assert re.search(r"test error \d+\.\d\d % \(n = 1\)", result.output)
    assert f"results in {folder}" in result.output
    assert "Warning" not in result.output
    summary = read(folder, "summary.json")
    assert summary["epochs"] == 2
    assert summary["config"]["model"]["widths"] == [16]


def test_the_progress_tells_loss_error_and_speed(finished):
    line = r"train: epoch 2/2, loss \d\.\d+, validation error .*, [\d,]+ examples/s"
    assert re.search(line, finished[1].output)
    assert "epochs x steps: 2 x " in finished[1].output


def test_a_used_folder_is_refused(runner, finished):
    folder, _ = finished
    before = (folder / "metrics.jsonl").read_bytes()
    result = runner.train(f"--workdir={folder}", *TINY, EPOCHS)
    assert result.status == 2
    assert "holds a run already" in result.error
    assert "--resume" in result.error
    assert (folder / "metrics.jsonl").read_bytes() == before


def test_resume_of_a_finished_run(runner, finished):
    """The command prints this and exits with 0. It does not need the configuration."""
    result = runner.train(f"--workdir={finished[0]}", "--resume")
    assert result.status == 0
    assert "finished already" in result.output
    assert "test error" in result.output


def test_resume_of_another_configuration(runner, finished):
    result = runner.train(
        f"--workdir={finished[0]}", "--resume", *TINY, "--config.training.epochs=3"
    )
    assert result.status == 2
    assert "training.epochs is 2 there and 3 here" in result.error


def test_resume_in_an_empty_folder_starts(runner, finished, tmp_path):
    result = runner.train(f"--workdir={tmp_path / 'new'}", "--resume", *TINY, EPOCHS)
    assert result.status == 0
    sha = read(finished[0], "summary.json")["params_sha256"]
    assert read(tmp_path / "new", "summary.json")["params_sha256"] == sha


def test_sigterm_saves_and_resume_finishes(runner, finished, tmp_path):
    result = runner.train(
        f"--workdir={tmp_path}",
        *TINY,
        EPOCHS,
        kill_when=(tmp_path / "config.json").exists,
        kill_with=signal.SIGTERM,
    )
    assert result.status == 75
    assert re.search("stopped by SIGTERM after (epoch|step)", result.error)
    assert f"--resume --workdir={tmp_path}" in result.error
    resumed = runner.train(f"--workdir={tmp_path}", "--resume")
    assert resumed.status == 0
    for name in ("params_sha256", "metrics_sha256"):
        expected = read(finished[0], "summary.json")[name]
        assert read(tmp_path, "summary.json")[name] == expected


def test_ctrl_c(runner, tmp_path):
    result = runner.train(
        f"--workdir={tmp_path}",
        *TINY,
        "--config.training.epochs=500",
        kill_when=(tmp_path / "checkpoints" / "1.json").exists,
        kill_with=signal.SIGINT,
    )
    assert result.status == 130
    assert "interrupted; finished work is kept" in result.error


def test_a_folder_in_use(runner, tmp_path):
    """A live process holds the lock; the lock ends with the process."""
    with training.Workdir(tmp_path):
        result = runner.train(f"--workdir={tmp_path}", *TINY, EPOCHS)
    assert result.status == 2
    assert "in use by another process" in result.error
    assert {path.name for path in tmp_path.iterdir()} == {".lock"}


def test_a_folder_that_cannot_be_written(runner, tmp_path):
    (tmp_path / "file").write_text("mine")
    result = runner.train(f"--workdir={tmp_path / 'file' / 'run'}", *TINY)
    assert result.status == 2
    assert "cannot be written" in result.error


def test_a_configuration_file_and_its_variant(runner, tmp_path):
    path = tmp_path / "own.py"
    path.write_text(CONFIG_FILE)
    result = runner.train(
        f"--workdir={tmp_path / 'run'}",
        f"--config={path}:long",
        "--config.optimizer.learning_rate=0.01",
        "--config.noise.hidden_rates=(0.25,)",
        "--config.data.inverted",
    )
    assert result.status == 0
    there = read(tmp_path / "run", "config.json")["config"]
    assert there["training"]["epochs"] == 2
    assert there["model"]["widths"] == [16]
    assert there["optimizer"]["learning_rate"] == 0.01
    assert there["noise"]["hidden_rates"] == [0.25]
    assert there["data"]["inverted"] is True


TYPO = """
from noisejax import training

def get_config():
    config = training.Config()
    config.model.width = (16,)
    return config
"""

BROKEN = {
    "a typo": (TYPO, r"ValueError: there is no field 'model.width'; there are model.n"),
    "no file": (None, "No such file"),
    "raises": ("raise RuntimeError('mine')", r"RuntimeError: mine \(.*own.py, line 1"),
    "syntax": ("def (", "SyntaxError"),
    "no get_config": ("x = 1", "get_config"),
    "no Config": ("def get_config(): return 3", r"noisejax.training.Config: it gives"),
    "an unknown variant": (CONFIG_FILE, r"KeyError: 'nope' \(.*own.py, line 8\)"),
}


@pytest.mark.parametrize("overrides", [(), (EPOCHS,)], ids=["alone", "overridden"])
@pytest.mark.parametrize(("text", "match"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_configuration_file(runner, tmp_path, text, match, overrides):
    path = tmp_path / "own.py"
    if text is not None:
        path.write_text(text)
    variant = ":nope" if text == CONFIG_FILE else ""
    result = runner.train(
        f"--workdir={tmp_path / 'run'}", f"--config={path}{variant}", *overrides
    )
    assert result.status == 2
    assert re.search(match, result.error) or overrides
    assert not (tmp_path / "run").exists()


WRONG_FLAGS = {
    "no folder": ((), "--workdir must name the folder"),
    "empty folder": (("--workdir=",), "--workdir must name the folder"),
    "field": (("--config.training.epoch=3",), "'training.epoch'; there are training.e"),
    "section": (("--config.trainin.epochs=3",), r"there are data.\*, model.\*"),
    "no section": (("--config.epochs=3",), r"there are data.\*, model.\*"),
    "a section": (("--config.training=3",), "no field 'training'"),
    "word for number": (("--config.training.epochs=many",), "epochs=many: invalid"),
    "float for integer": (("--config.training.epochs=2.5",), "epochs=2.5: invalid"),
    "tuple": (("--config.model.widths=(8,",), "as tuple"),
    "kind of tuple": (("--config.model.widths=(8.5,)",), "a tuple of int"),
    "switch": (("--config.model.gaaf=maybe",), "Non-boolean"),
    "nothing": (("--config.training.epochs",), "Missing value"),
    "nan": (("--config.noise.hidden_rate=nan",), r"a rate in \[0, 1\)"),
    "overflow": (("--config.optimizer.learning_rate=1e400",), "a positive number"),
    "flag": (("--nonsense",), "Unknown command line flag 'nonsense'"),
    "field as flag": (("--noise.scheme=none",), "config, --config.noise.scheme=none"),
    "argument": (("more",), "unexpected arguments: more"),
    "scheme": (("--config.noise.scheme=drop",), "one of none, dropout"),
    "activation": (("--config.model.activation=x",), "one of relu, tanh"),
    "network": (("--config.model.name=x",), "one of mlp, autoencoder"),
    "data set": (("--config.data.name=mnit",), "one of digits, .*mnist"),
    "batch": (("--config.training.batch_size=9999",), "larger than the training part"),
    "npz": (("--config.data.name=no/own.npz",), "no/own.npz: no such file"),
}


@pytest.mark.parametrize(
    ("arguments", "match"), WRONG_FLAGS.values(), ids=WRONG_FLAGS.keys()
)
def test_wrong_flags(runner, tmp_path, arguments, match):
    """The error takes one line, the exit status is 2, and no run starts."""
    if "folder" not in match:
        arguments = (f"--workdir={tmp_path / 'run'}", *arguments)
    result = runner.train(*arguments)
    assert result.status == 2
    assert re.search(match, result.error)
    assert not (tmp_path / "run" / "config.json").exists()


def test_a_flagfile_is_read_as_flags(runner, finished, tmp_path):
    """Fields of the file are used, also with --resume; a typo gives an error."""
    path = tmp_path / "flags"
    path.write_text("--config.training.epochs=3\n")
    resume = (f"--workdir={finished[0]}", "--resume")
    result = runner.train(*resume, f"--flagfile={path}")
    assert result.status == 2
    assert "training.epochs is 2 there and 3 here" in result.error
    path.write_text("\n".join((*TINY, EPOCHS, *resume)))
    assert "finished already" in runner.train(f"--flagfile={path}").output
    path.write_text("--config.training.epoch=3\n")
    result = runner.train(*resume, f"--flagfile={path}")
    assert result.status == 2
    assert "'training.epoch'; there are training.e" in result.error


URLS = {
    "train": ("--workdir=s3://b/r",),
    "project": ("--checkpoint=gs://b/r", "--workdir=r"),
    "diagnose": ("--checkpoint=r", "--workdir=gs://b/r"),
    "plot": ("https://host/r",),
    "reproduce.__main__": ("--experiment=factorial", "--workdir=s3://b/r"),
    "prepare_data": ("--dataset=mnist", "--data_dir=gs://b"),
}


@pytest.mark.parametrize(("name", "arguments"), URLS.items(), ids=URLS.keys())
def test_urls_are_refused(runner, name, arguments):
    result = runner.run(f"noisejax.{name}", *arguments)
    assert result.status == 2
    assert re.search(r"must be a local path, got the URL '.*; mount", result.error)


def test_help_tells_of_every_field(runner):
    for flag in ("--help", "--helpfull"):
        result = runner.train(flag)
        text = " ".join(result.output.split())
        for section in dataclasses.fields(training.Config):
            for field in dataclasses.fields(section.type):
                assert f"{section.name}.{field.name}" in text
                first = " ".join(field.metadata["doc"].split()[:3])
                assert first in text, first


def test_data_that_are_not_prepared(runner, tmp_path):
    """The error says how to prepare the data, without a search in a network."""
    began = time.monotonic()
    result = runner.train(
        f"--workdir={tmp_path / 'run'}",
        "--config.data.name=mnist",
        f"--data_dir={tmp_path}",
    )
    assert time.monotonic() - began < 5
    assert result.status == 2
    assert "python -m noisejax.prepare_data --dataset=mnist" in result.error
    assert not (tmp_path / "run" / "config.json").exists()


def test_data_of_tfds(runner, tmp_path):
    """The files of TFDS are read without TensorFlow."""
    write_tfds(tmp_path / "tfds", "cifar10", {"train": 60, "test": 20})
    result = runner.train(
        f"--workdir={tmp_path / 'run'}",
        "--config.data.name=cifar10",
        f"--data_dir={tmp_path / 'tfds'}",
        *TINY,
        "--config.training.epochs=1",
        environment={"NOISEJAX_CACHE": str(tmp_path / "cache")},
    )
    assert result.status == 0, result.output
    assert read(tmp_path / "run", "summary.json")["num_parameters"] == (
        28 * 28 * 16 + 16 + 16 * 10 + 10
    )


def test_data_in_another_format(runner, tmp_path):
    write_tfds(tmp_path, file_format="tfrecord")
    result = runner.train(
        f"--workdir={tmp_path / 'run'}",
        "--config.data.name=mnist",
        f"--data_dir={tmp_path}",
    )
    assert result.status == 2
    assert "is prepared as tfrecord" in result.error


def test_ones_own_data(runner, tmp_path):
    np.savez(tmp_path / "own.npz", **arrays())
    result = runner.train(
        f"--workdir={tmp_path / 'run'}",
        f"--config.data.name={tmp_path / 'own.npz'}",
        *TINY,
        EPOCHS,
    )
    assert result.status == 0
    assert training.load_run(tmp_path / "run").dataset.num_classes == 3


def test_a_loss_that_is_not_finite(runner, tmp_path):
    """The exit status is 3, and the message names the cause."""
    result = runner.train(
        f"--workdir={tmp_path}",
        *TINY,
        EPOCHS,
        "--config.model.activation=linear",
        "--config.optimizer.learning_rate=1e25",
    )
    assert result.status == 3
    assert re.search(r"at step \d+ of epoch 1 \(train\), seed 0", result.error)


def test_a_run_whose_config_is_damaged(runner, finished, tmp_path):
    """The configuration is restored from a checkpoint, and config.json is rewritten."""
    shutil.copytree(finished[0], tmp_path / "run")
    (tmp_path / "run" / "summary.json").unlink()
    (tmp_path / "run" / "config.json").write_text("{")
    result = runner.train(f"--workdir={tmp_path / 'run'}", "--resume")
    assert result.status == 0
    assert "ignored" in result.output
    assert read(tmp_path / "run", "config.json")["config"]["model"]["widths"] == [16]
    sha = read(finished[0], "summary.json")["params_sha256"]
    assert read(tmp_path / "run", "summary.json")["params_sha256"] == sha

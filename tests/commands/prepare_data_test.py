"""python -m noisejax.prepare_data: the parts that need no internet."""

import importlib.util

import pytest

from tests.data.synthetic import VERSION, write_tfds


def prepare(runner, *arguments):
    return runner.run("noisejax.prepare_data", *arguments)


def test_a_data_set_must_be_named(runner):
    result = prepare(runner)
    assert result.status == 2
    assert "--dataset must be one of cifar10, cifar100" in result.error


def test_an_unknown_name(runner, tmp_path):
    result = prepare(runner, "--dataset=digits", f"--data_dir={tmp_path}")
    assert result.status == 2
    assert "got 'digits' (digits needs no preparation)" in result.error


def test_what_is_there_is_left_alone(runner, tmp_path):
    folder = write_tfds(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    result = prepare(runner, "--dataset=mnist", f"--data_dir={tmp_path}")
    assert result.status == 0
    assert f"mnist is prepared already in {tmp_path / 'mnist' / VERSION}" in (
        result.output
    )
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


@pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is not None, reason="TensorFlow is there"
)
def test_what_it_needs_is_said(runner, tmp_path):
    result = prepare(runner, "--dataset=mnist", f"--data_dir={tmp_path}")
    assert result.status == 2
    assert "pip install 'noisejax[prepare]'" in result.error
    assert not list(tmp_path.iterdir())

"""Checkpoints of other programs are rejected, and no file is executed."""

import os
import pathlib
import re
import shutil

import jax
import numpy as np
import pytest

import noisejax
from noisejax import data, training
from tests.robustness.damages import Damages, read_sealed, write_sealed
from tests.training.tiny import config, dataset, train

SOURCES = sorted(pathlib.Path(noisejax.__file__).parent.rglob("*.py"))


@pytest.fixture(scope="module")
def damages(tmp_path_factory):
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield Damages(monkeypatch, tmp_path_factory.mktemp("damages"))


@pytest.fixture
def stopped(damages, tmp_path):
    """A run in its second phase, with three checkpoints done and two kept."""
    shutil.copytree(damages.folder / "second phase", tmp_path / "run")
    return tmp_path / "run"


def rewrite(path, **changes):
    """Change a file with a checksum, and update the checksum."""
    write_sealed(path, {**read_sealed(path), **changes})


def snapshot(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_older_run_is_loaded_but_not_resumed(damages, stopped):
    """Format 2 folded noise samples in another order."""
    path = stopped / "checkpoints" / "3.json"
    progress = {"phase": 1, "epoch": 1, "rows": 11, "metrics_sha256": "0" * 64}
    made_by = {"versions": {"noisejax": "0.9"}}
    rewrite(path, layout=2, progress=progress, made_by=made_by)
    before = snapshot(stopped)
    match = r"is of run format 2, written by noisejax 0.9, and cannot be resumed"
    with pytest.raises(ValueError, match=match):
        damages.resume(stopped)
    assert snapshot(stopped) == before
    expected = training.load_run(damages.folder / "second phase", dataset=dataset())
    found = training.load_run(stopped, dataset=dataset())
    for a, b in zip(
        jax.tree.leaves(found.variables),
        jax.tree.leaves(expected.variables),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


def test_an_unknown_layout(damages, stopped):
    rewrite(stopped / "checkpoints" / "3.json", layout=1)
    with pytest.raises(ValueError, match=r"checkpoints/3.json is of layout 1, this"):
        damages.resume(stopped)


def test_an_older_configuration_file(stopped):
    shutil.rmtree(stopped / "checkpoints")
    rewrite(stopped / "config.json", schema=0)
    with pytest.raises(ValueError, match="is of layout 0, this noisejax reads layout"):
        training.recorded_config(stopped)


def test_another_network(damages, stopped):
    """If the configurations are equal, the arrays differ; the error has both shapes."""
    path = stopped / "checkpoints" / "3.json"
    arrays = read_sealed(path)["arrays"]
    [name] = [n for n in arrays if n.endswith(".state.params['dense_0']['kernel']")]
    arrays[name]["shape"] = [16, 4]
    rewrite(path, arrays=arrays)
    with pytest.raises(ValueError, match="is of another run") as info:
        damages.resume(stopped)
    assert f"{name}.shape is [16, 4] there and [1, 16, 8] here" in str(info.value)


def test_other_data_of_the_same_name(stopped):
    own = dataset()
    other = data.Dataset(
        "own", own.train_x[:150], own.train_y[:150], own.test_x, own.test_y, 3
    )
    before = snapshot(stopped)
    with pytest.raises(
        ValueError, match=r"dataset.train_x is 'float32\[200, 4, 4, 1\]"
    ):
        train(
            stopped,
            resume=True,
            on=other,
            training__retrain_epochs=2,
            noise__shift="both",
        )
    assert snapshot(stopped) == before


def test_a_summary_of_another_configuration(damages, tmp_path):
    """This holds if only the summary is left."""
    shutil.copytree(damages.folder / "finished", tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    (tmp_path / "run" / "config.json").unlink()
    other = config(training__epochs=5)
    with pytest.raises(ValueError, match="training.epochs is 2 there and 5 here"):
        training.train(other, tmp_path / "run", dataset=dataset(), resume=True)


class Bomb:
    """An object that creates a folder when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (os.mkdir, (self.path,))


def test_a_pickle_in_a_data_file_is_not_run(tmp_path):
    bomb = np.array([Bomb(tmp_path / "boom")], dtype=object)
    np.savez(tmp_path / "own.npz", x_train=bomb, y_train=bomb, x_test=bomb, y_test=bomb)
    with pytest.raises(ValueError, match="not an .npz file of plain arrays"):
        data.load_dataset(str(tmp_path / "own.npz"))
    assert not (tmp_path / "boom").exists()
    with np.load(tmp_path / "own.npz", allow_pickle=True) as file:
        file["x_train"]  # unpickled, it would have gone off
    assert (tmp_path / "boom").exists()


def test_no_source_unpickles_or_evaluates():
    unsafe = re.compile(
        r"\bpickle\b(?!\s*=)|\bmarshal\b|\bshelve\b|\bdill\b|allow_pickle=True"
        r"|(?<![\w.])(?:eval|exec|compile)\("
    )
    for path in SOURCES:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = unsafe.search(line.split("#")[0].replace("allow_pickle=False", ""))
            assert not found, f"{path}, line {number}: {line}"


def test_every_np_load_forbids_pickles():
    for path in SOURCES:
        for call in re.findall(r"np\.load\([^)]*\)", path.read_text()):
            assert "allow_pickle=False" in call, f"{path}: {call}"

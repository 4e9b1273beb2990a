"""Damaged files are ignored with a reason, and the result does not change."""

import shutil

import numpy as np
import pytest
from orbax.checkpoint import v1 as ocp

from noisejax import training
from tests.robustness.damages import Damages

DAMAGED = 24


@pytest.fixture(scope="module")
def damages(tmp_path_factory):
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield Damages(monkeypatch, tmp_path_factory.mktemp("damages"))


def test_damages(damages):
    """Each damage changes one to three files, drawn by a fixed seed."""
    rng = np.random.default_rng(0)
    for number in range(DAMAGED):
        damages.survive(rng, number)


@pytest.fixture
def stopped(damages, tmp_path):
    """A run in its second phase."""
    shutil.copytree(damages.folder / "second phase", tmp_path / "run")
    return tmp_path / "run"


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def newest_files(folder):
    newest = max(folder.glob("checkpoints/*.json"), key=lambda p: int(p.stem))
    arrays = [p for p in newest.with_suffix("").rglob("*") if p.is_file()]
    return newest, max(arrays, key=lambda p: p.stat().st_size)


@pytest.mark.parametrize("which", [0, 1], ids=["info", "arrays"])
def test_a_damaged_checkpoint_is_named(damages, stopped, caplog, which):
    """The message names the checkpoint and the reason; the checkpoint is renamed."""
    flip(newest_files(stopped)[which])
    summary = damages.resume(stopped)
    assert summary["params_sha256"] == damages.summary["params_sha256"]
    [message] = [r.getMessage() for r in caplog.records if "ignored" in r.getMessage()]
    assert "ignored checkpoint 3" in message
    assert "changed since" in message or "cannot be read" in message
    assert (stopped / "checkpoints" / "3.damaged").is_dir()


def test_metrics_are_repaired_from_the_checkpoint(damages, stopped, caplog):
    (stopped / "metrics.jsonl").write_text("nothing")
    assert damages.resume(stopped)["metrics_sha256"]
    assert "metrics.jsonl was damaged: restored" in caplog.text
    assert (stopped / "metrics.jsonl").read_bytes() == damages.metrics


def test_when_nothing_is_left_the_run_begins_again(damages, stopped):
    for path in stopped.glob("checkpoints/*.json"):
        path.write_text("{}")
    summary = damages.resume(stopped)
    assert summary["params_sha256"] == damages.summary["params_sha256"]
    assert (stopped / "metrics.jsonl").read_bytes() == damages.metrics


def test_a_folder_that_vanishes(damages, stopped, monkeypatch):
    """The error says this, and nothing is written elsewhere."""
    save = ocp.save

    def vanish(*arguments, **options):
        save(*arguments, **options)
        shutil.rmtree(stopped)

    monkeypatch.setattr(ocp, "save", vanish)
    with pytest.raises(training.TrainingError, match="cannot be written to .*run: "):
        damages.resume(stopped)

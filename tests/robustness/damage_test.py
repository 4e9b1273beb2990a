"""Damaged files: left out with a reason, and the run ends as if nothing had been."""

import shutil

import numpy as np
import pytest

from noisejax import training
from tests.robustness.damages import Damages

DAMAGED = 50


@pytest.fixture(scope="module")
def damages(tmp_path_factory):
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield Damages(monkeypatch, tmp_path_factory.mktemp("damages"))


def test_damages(damages):
    """Of one to three files each, drawn by a fixed seed."""
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
def test_what_is_left_out_is_said(damages, stopped, caplog, which):
    """Which checkpoint, and why; it is set aside, not deleted."""
    flip(newest_files(stopped)[which])
    summary = damages.resume(stopped)
    assert summary["params_sha256"] == damages.summary["params_sha256"]
    [message] = [r.getMessage() for r in caplog.records if "left out" in r.getMessage()]
    reason = "changed since|cannot be read"
    assert "left out checkpoint 3" in message
    assert any(part in message for part in reason.split("|"))
    assert (stopped / "checkpoints" / "3.damaged").is_dir()


def test_metrics_are_repaired_from_their_mirror(damages, stopped):
    (stopped / "metrics.jsonl").write_text("nothing")
    assert damages.resume(stopped)["metrics_sha256"]
    assert (stopped / "metrics.jsonl").read_bytes() == damages.metrics


def test_when_nothing_is_left_the_run_begins_again(damages, stopped):
    for path in stopped.glob("checkpoints/*.json"):
        path.write_text("{}")
    summary = damages.resume(stopped)
    assert summary["params_sha256"] == damages.summary["params_sha256"]
    assert (stopped / "metrics.jsonl").read_bytes() == damages.metrics


def test_a_folder_that_vanishes(damages, stopped, monkeypatch):
    """Said so: nothing is written elsewhere."""
    from noisejax.training import _loop

    run_epoch = _loop._run_epoch

    def vanish(*arguments):
        shutil.rmtree(stopped)
        return run_epoch(*arguments)

    monkeypatch.setattr(_loop, "_run_epoch", vanish)
    with pytest.raises(training.TrainingError, match="cannot be written to .*run: "):
        damages.resume(stopped)

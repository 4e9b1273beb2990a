"""A run that is killed by kill -9 and resumed equals an undisturbed run."""

import numpy as np
import pytest

from tests.commands.command import Runner
from tests.robustness.kills import (
    FIELDS,
    check_same_run,
    kill_until_finished,
    undisturbed,
)

KILLS = 8


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    runner = Runner(tmp_path_factory.mktemp("commands"))
    yield runner
    runner.close()


@pytest.fixture(scope="module")
def reference(runner, tmp_path_factory):
    return undisturbed(runner, tmp_path_factory.mktemp("reference") / "run")


def test_kills(runner, reference, tmp_path):
    """A fixed seed draws the moments of the kills, in both phases."""
    rng = np.random.default_rng(0)
    kills = 0
    while kills < KILLS:
        folder = tmp_path / str(kills)
        kills += kill_until_finished(runner, reference, folder, rng, KILLS - kills)
        check_same_run(reference, folder)


@pytest.mark.parametrize("share", [0.2, 0.7])
def test_a_full_disk(runner, reference, tmp_path, share):
    """The exit status is 3, with a reason; with free disk space the run resumes."""
    folder = tmp_path / "run"
    point = int(share * reference.operations)
    runner.train(f"--workdir={folder}", *FIELDS, watch=folder, kill_at=point)
    arguments = (f"--workdir={folder}", "--resume", *FIELDS)
    full = runner.train(*arguments, limit=4000)
    assert full.status == 3
    assert "cannot be written" in full.error
    assert "make room, then continue with --resume" in full.error
    assert runner.train(*arguments).status == 0
    check_same_run(reference, folder)

"""The lines of a run whose output is a file."""

import pytest

from noisejax.training import _report


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    now = [0.0]
    monkeypatch.setattr(_report.time, "monotonic", lambda: now[0])
    return now


def test_a_line_every_ten_seconds_and_at_the_end(clock, capsys):
    progress = _report.EpochProgress("train", epochs=5, done=1, examples=100)
    for second in (4.0, 8.0, 12.0, 13.0):
        clock[0] = second
        progress.update(1, f"loss {second}")
    assert capsys.readouterr().err.splitlines() == [
        "train: epoch 4/5, loss 12.0, 25 examples/s, 0:00:04 left",
        "train: epoch 5/5, loss 13.0, 100 examples/s",
    ]

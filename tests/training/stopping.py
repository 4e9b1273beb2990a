"""Stops runs at chosen epoch boundaries, as SIGTERM does."""

import contextlib

import pytest

from noisejax import training
from noisejax.training import _run
from tests.training.tiny import train


def stop_before_epoch(monkeypatch, number):
    """Makes the next runs stop before their `number`-th epoch, counted from 0."""

    @contextlib.contextmanager
    def stop():
        asked = iter(range(number + 1))
        yield lambda: next(asked) == number

    monkeypatch.setattr(_run, "stop_on_sigterm", stop)


def train_in_pieces(monkeypatch, workdir, pieces, **options):
    """Trains with stops: as many epochs at a time as `pieces` says, then the rest."""
    for number in pieces:
        with monkeypatch.context() as patch:
            stop_before_epoch(patch, number)
            with pytest.raises(training.TrainingStopped):
                train(workdir, resume=True, **options)
    return train(workdir, resume=True, **options)

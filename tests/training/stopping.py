"""Helpers that stop runs by SIGTERM at chosen checkpoints."""

import itertools
import os
import signal

import pytest
from orbax.checkpoint import v1 as ocp

from noisejax import training
from tests.training.tiny import train


def stop_at_save(monkeypatch, number):
    """Send SIGTERM to this process while its `number`-th checkpoint is saved."""
    save, numbers = ocp.save, itertools.count(1)

    def save_and_stop(*arguments, **options):
        result = save(*arguments, **options)
        if next(numbers) == number:
            os.kill(os.getpid(), signal.SIGTERM)
        return result

    monkeypatch.setattr(ocp, "save", save_and_stop)


def train_in_pieces(monkeypatch, workdir, pieces, **options):
    """Train in several pieces; piece i ends after `pieces[i]` checkpoints."""
    for number in pieces:
        with monkeypatch.context() as patch:
            stop_at_save(patch, number)
            with pytest.raises(training.TrainingStopped):
                train(workdir, resume=True, **options)
    return train(workdir, resume=True, **options)

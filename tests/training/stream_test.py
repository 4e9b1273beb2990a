"""Streaming: when examples stay on the host, and how many are on the device."""

import subprocess
import sys

import jax
import numpy as np
import pytest

from noisejax import training
from tests.training.stopping import stop_at_save, train_in_pieces
from tests.training.tiny import config, dataset, rows, train

STREAM = {"data__stream": "stream"}


def test_augmented_pixels(tmp_path):
    """Streamed and resident examples are augmented identically."""
    fields = {"data__augment": True, "training__epochs": 1}
    own = dataset(pixels=True)
    larger = type(own)(
        "own",
        own.train_x.repeat(2, 1).repeat(2, 2),
        own.train_y,
        own.test_x.repeat(2, 1).repeat(2, 2),
        own.test_y,
        3,
    )
    for name in ("stream", "resident"):
        train(tmp_path / name, on=larger, data__stream=name, **fields)
    assert rows(tmp_path / "stream") == rows(tmp_path / "resident")


def test_a_stopped_run_resumes_with_the_same_batches(tmp_path, monkeypatch):
    fields = {**STREAM, "training__epochs": 3, "training__checkpoint_steps": 3}
    whole = train(tmp_path / "whole", **fields)
    found = train_in_pieces(monkeypatch, tmp_path / "pieces", (1, 2), **fields)
    for key in ("params_sha256", "metrics_sha256"):
        assert found[key] == whole[key]


def test_a_resident_run_may_resume_as_a_stream(tmp_path, monkeypatch):
    expected = train(tmp_path / "whole")
    with monkeypatch.context() as patch, pytest.raises(training.TrainingStopped):
        stop_at_save(patch, 1)
        train(tmp_path / "run", data__stream="resident")
    found = train(tmp_path / "run", resume=True, **STREAM)
    assert found["params_sha256"] == expected["params_sha256"]


def test_few_batches_are_on_the_device(tmp_path, monkeypatch):
    """The device holds at most 12 of 40 batches [(seeds,) steps, batch, ...]."""
    put, counts, shapes = jax.device_put, [], set()
    before = jax.live_arrays()  # of other tests; kept, so that no identity is reused
    others = {id(array) for array in before}

    def watched(*arguments, **options):
        result = put(*arguments, **options)
        live = [a.shape for a in jax.live_arrays() if id(a) not in others]
        shapes.update(live)
        counts.append(sum(shape[-5:] == (1, 4, 4, 4, 1) for shape in live))
        return result

    monkeypatch.setattr(jax, "device_put", watched)
    train(tmp_path, training__batch_size=4, training__epochs=1, **STREAM)
    assert max(counts) > 1
    assert max(counts) <= 12
    assert not [s for s in shapes if len(s) > 2 and max(s[:3]) >= 160]


class Device:
    """A device that reports the given memory limit."""

    platform = "cpu"

    def __init__(self, limit):
        self.limit = limit

    def memory_stats(self):
        return self.limit and {"bytes_limit": self.limit}


@pytest.mark.parametrize(
    ("limit", "fields", "streams"),
    [
        (None, {}, False),
        (10**9, {}, False),
        (20_000, {}, True),
        (20_000, {"data__stream": "resident"}, False),
        (10**9, STREAM, True),
    ],
    ids=str,
)
def test_large_examples_stay_on_the_host(tmp_path, monkeypatch, limit, fields, streams):
    """The 16,640 bytes of examples are streamed if they exceed half of the memory."""
    train(tmp_path, training__epochs=1)
    monkeypatch.setattr(jax, "local_devices", lambda: [Device(limit)])
    own = dataset()
    assert own.train_x.nbytes + own.test_x.nbytes == 16_640
    folder = tmp_path / "run"
    train(folder, training__epochs=1, **fields)
    found = training.load_run(folder, dataset=own)
    assert isinstance(found.train.x, np.ndarray) is streams
    assert found.config == config(training__epochs=1, **fields)


def test_grain_is_imported_for_streaming_only():
    check = "import sys; import noisejax.training; print('grain' in sys.modules)"
    out = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "False"

"""Examples that stay on the host: the same batches, the same run, and it resumes."""

import gc
import subprocess
import sys

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from noisejax import training
from noisejax.training import _stream, _streamed
from noisejax.training._epoch import epoch_batches
from noisejax.training._phases import build_program
from noisejax.training._stream import is_streamed, stream_batches
from tests.training.stopping import stop_before_epoch, train_in_pieces
from tests.training.tiny import config, dataset, rows, train

STREAM = {"data__stream": "stream"}


def epoch_of(seeds, number, batch_size=20, n=160):
    """Rows of an epoch's batches, as they are drawn on the device."""
    return np.stack(
        [
            epoch_batches(
                jnp.arange(n), jnp.int32(seed), jnp.int32(number), batch_size=batch_size
            )
            for seed in seeds
        ]
    )


@pytest.mark.parametrize("pixels", [False, True])
def test_batches_are_those_of_the_device(pixels):
    """Bit for bit, in order, each example once."""
    own = dataset(pixels=pixels)
    drawn = epoch_of((0, 3), number=2)
    batches = list(stream_batches((own.train_x, own.train_y), drawn, None))
    assert len(batches) == 8
    on_device = jnp.asarray(own.train_x)
    for i, (x, y) in enumerate(batches):
        assert x.dtype == own.train_x.dtype
        np.testing.assert_array_equal(x, on_device[drawn[:, i]])
        np.testing.assert_array_equal(y, own.train_y[drawn[:, i]])
    seen = np.concatenate([drawn[0, i] for i in range(8)])
    assert sorted(seen) == list(range(160))


RUNS = {
    "one seed": {},
    "several samples": {"objective__num_samples": 4},
    "seeds": {"training__num_seeds": 2, "noise__shift": "both"},
    "batch norm": {"model__batch_norm": True, "training__microbatches": 2},
    "retraining": {"training__retrain_epochs": 1, "training__patience": 1},
    "no validation": {"data__validation": 0, "data__inverted": True},
}


@pytest.mark.parametrize("fields", RUNS.values(), ids=RUNS.keys())
def test_a_run_is_that_of_resident_examples(tmp_path, fields):
    """To rounding: a step by itself may be fused otherwise than one of an epoch."""
    streamed = train(tmp_path / "streamed", **STREAM, **fields)
    resident = train(tmp_path / "resident", data__stream="resident", **fields)
    for key in ("best_epoch", "skipped_steps", "num_parameters"):
        assert streamed[key] == resident[key], key
    pairs = zip(rows(tmp_path / "streamed"), rows(tmp_path / "resident"), strict=True)
    for a, b in pairs:
        assert a["error_percent"] == pytest.approx(b["error_percent"], rel=1e-4)
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-4)


def test_augmented_pixels(tmp_path):
    fields = {"data__augment": True, "model__name": "cnn", "model__width_factor": 0.02}
    own = dataset(pixels=True)
    larger = type(own)(
        "own",
        own.train_x.repeat(2, 1).repeat(2, 2),
        own.train_y,
        own.test_x.repeat(2, 1).repeat(2, 2),
        own.test_y,
        3,
    )
    streamed = train(tmp_path / "streamed", on=larger, **STREAM, **fields)
    resident = train(tmp_path / "resident", on=larger, **fields)
    for key in ("test_loss", "test_error_percent"):
        assert streamed[key]["mean"] == pytest.approx(resident[key]["mean"], rel=1e-3)


@pytest.mark.parametrize("pieces", [(1,), (2, 1)], ids=str)
def test_it_resumes_with_the_same_batches(tmp_path, monkeypatch, pieces):
    fields = {**STREAM, "training__epochs": 4}
    whole = train(tmp_path / "whole", **fields)
    found = train_in_pieces(monkeypatch, tmp_path / "pieces", pieces, **fields)
    for key in ("params_sha256", "metrics_sha256"):
        assert found[key] == whole[key]


def test_a_run_goes_on_where_examples_lie_otherwise(tmp_path, monkeypatch):
    """Begun on the device, continued from the host."""
    expected = train(tmp_path / "whole")
    folder = tmp_path / "pieces"
    with monkeypatch.context() as patch, pytest.raises(training.TrainingStopped):
        stop_before_epoch(patch, 1)
        train(folder, data__stream="resident")
    found = train(folder, resume=True, **STREAM)
    loss = expected["test_loss"]["mean"]
    assert found["test_loss"]["mean"] == pytest.approx(loss, rel=1e-4)


def test_the_examples_are_never_all_on_the_device(tmp_path, monkeypatch):
    """Nor more batches than are read ahead and wait for their step."""
    program = build_program(config(**STREAM), dataset())
    assert isinstance(program.train.x, np.ndarray)
    gc.collect()
    before = {id(array) for array in jax.live_arrays()}
    counts, shapes = [], set()

    def watched(*arguments):
        for batch in stream_batches(*arguments):
            new = [a.shape for a in jax.live_arrays() if id(a) not in before]
            shapes.update(new)
            counts.append(new.count((1, 20, 4, 4, 1)))
            yield batch

    monkeypatch.setattr(_streamed, "stream_batches", watched)
    train(tmp_path, **STREAM)
    assert (1, 20, 4, 4, 1) in shapes
    assert not [s for s in shapes if len(s) > 2 and max(s[:2]) >= 160]
    assert max(counts) <= _streamed.IN_FLIGHT + 2


class Device:
    """Tells how much memory it has."""

    def __init__(self, limit):
        self.limit = limit

    def memory_stats(self):
        return self.limit and {"bytes_limit": self.limit}


@pytest.mark.parametrize(
    ("limit", "fields", "expected"),
    [
        (None, {}, False),
        (10**9, {}, False),
        (20_000, {}, True),
        (20_000, {"data__stream": "resident"}, False),
        (20_000, {"training__mode": "back_projection"}, False),
        (10**9, STREAM, True),
    ],
)
def test_who_decides(monkeypatch, limit, fields, expected):
    """16 640 bytes of examples; half of the memory is the bound."""
    monkeypatch.setattr(_stream.jax, "local_devices", lambda: [Device(limit)])
    own = dataset()
    assert own.train_x.nbytes + own.test_x.nbytes == 260 * 16 * 4
    assert is_streamed(config(**fields), own) is expected


def test_a_loss_that_is_not_finite(tmp_path):
    with pytest.raises(training.TrainingError, match=r"at step \d+ of epoch 1 \(train"):
        train(
            tmp_path,
            model__activation="linear",
            optimizer__learning_rate=1e25,
            **STREAM,
        )


def test_what_reads_ahead_is_imported_only_where_it_is_used():
    check = "import sys; import noisejax.training; print('grain' in sys.modules)"
    out = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "False"

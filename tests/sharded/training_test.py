"""Training over devices has the same masks, and results equal up to rounding."""

import re

import numpy as np
import pytest

from noisejax import training
from tests.sharded.sent import compile_step, sent_per_step
from tests.training.stopping import stop_at_save
from tests.training.tiny import config, dataset, rows, train

FIELDS = {"training__batch_size": 16, "noise__shift": "both"}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Runs on one device: one sample, eight samples, and eight seeds."""
    runs = {}
    for name, fields in OBJECTIVES.items():
        folder = tmp_path_factory.mktemp(name.replace(" ", "_"))
        runs[name] = folder, train(folder, **FIELDS | fields)
    return runs


OBJECTIVES = {
    "one sample": {},
    "eight samples": {"objective__num_samples": 8},
    "no noise on the input": {"objective__num_samples": 8, "noise__input_rate": 0.0},
    "eight seeds": {"training__num_seeds": 8},
    "random dropout": {"noise__scheme": "random_dropout"},
    "microbatches": {"training__microbatches": 4},
    "streamed": {"data__stream": "stream"},
    "back-projection": {
        "training__mode": "back_projection",
        "noise__shift": "none",
        "training__epochs": 4,
        "projection__num_steps": 4,
    },
    "streamed seeds": {"data__stream": "stream", "training__num_seeds": 4},
}

CASES = [
    ("one sample", (2, 1)),
    ("one sample", (8, 1)),
    ("random dropout", (4, 1)),
    ("microbatches", (4, 1)),
    ("streamed", (4, 1)),
    ("streamed seeds", (2, 2)),
    ("back-projection", (4, 1)),
    ("eight samples", (4, 1)),
    ("eight samples", (2, 4)),
    ("no noise on the input", (2, 4)),
    ("eight samples", (1, 8)),
    ("eight seeds", (2, 2)),
    ("eight seeds", (1, 8)),
]


@pytest.mark.parametrize(("name", "mesh"), CASES)
def test_the_same_on_many_devices(alone, tmp_path, name, mesh):
    folder, expected = alone[name]
    data, samples = mesh
    found = train(
        tmp_path, **FIELDS | OBJECTIVES[name], mesh__data=data, mesh__samples=samples
    )
    for a, b in zip(rows(tmp_path), rows(folder), strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-4, abs=1e-6), (a, b)
    errors = found["test_error_percent"]["per_seed"]
    assert errors == pytest.approx(expected["test_error_percent"]["per_seed"], abs=4)


def test_the_batch_is_shared_and_gradients_are_summed(tmp_path):
    """The compiled epoch works on shards, and its only large traffic is gradients."""
    _, compiled = compile_step(config(**FIELDS, mesh__data=8), dataset())
    text = compiled.as_text()
    assert "f32[2,16]" in text  # 16 examples on 8 devices, of 16 pixels
    assert "all-reduce" in text
    for kind in ("all-to-all", "all-gather"):
        sizes = communicated(text, kind)
        assert not [size for size in sizes if size > 64], (kind, sizes)


def communicated(text, kind):
    """Return the number of elements of the results of a collective."""
    shapes = re.findall(rf"= \w+\[([\d,]*)\][^=]* {kind}\(", text)
    return [int(np.prod([int(n) for n in s.split(",") if n] or [1])) for s in shapes]


@pytest.mark.parametrize(
    ("fields", "times"),
    [
        ({"mesh__data": 8}, 1),
        ({"mesh__data": 4, "training__microbatches": 2}, 2),
        ({"mesh__samples": 8, "training__num_seeds": 8}, 0),
        ({"mesh__data": 4, "mesh__samples": 2, "training__num_seeds": 4}, 2),
        ({}, 0),
    ],
)
def test_a_step_sends_gradients_and_two_numbers(fields, times):
    """Scalars are reduced: loss and error, per microbatch and per seed."""
    found = sent_per_step(config(**FIELDS, **fields), dataset())
    expected = {"all-reduce": times * (found["gradients"] + 8)} if times else {}
    assert {k: v for k, v in found["sent"].items() if v} == expected


@pytest.mark.parametrize(("before", "after"), [(4, 8), (8, 1), (1, 2)])
def test_a_run_goes_on_over_another_mesh(tmp_path, monkeypatch, before, after):
    """A run is saved on some devices and resumed on others."""
    whole = tmp_path / "whole"
    train(whole, **FIELDS)
    folder = tmp_path / "pieces"
    with monkeypatch.context() as patch, pytest.raises(training.TrainingStopped):
        stop_at_save(patch, 1)
        train(folder, **FIELDS, mesh__data=before)
    train(folder, **FIELDS, mesh__data=after, resume=True)
    for a, b in zip(rows(folder), rows(whole), strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"mesh__data": 16}, "got 16 x 1 for 8 devices"),
        ({"mesh__data": 3}, "training.batch_size must be a multiple of mesh.data"),
        ({"mesh__samples": 2}, "training.num_seeds must be a multiple of it"),
        (
            {"mesh__samples": 2, "objective__num_samples": 3},
            "objective.num_samples must be a multiple of mesh.samples",
        ),
        (
            {
                "mesh__samples": 2,
                "objective__num_samples": 4,
                "objective__strategy": "map",
            },
            "objective.strategy=fold only; got 'map'",
        ),
        (
            {"mesh__data": 8, "training__microbatches": 4},
            "a microbatch .* must be a multiple of mesh.data; got 16 / 4 and 8",
        ),
        ({"mesh__data": 0}, "mesh.data must be 1 or more"),
    ],
)
def test_meshes_that_do_not_fit(tmp_path, fields, message):
    with pytest.raises(ValueError, match=message):
        train(tmp_path, **{**FIELDS, **fields})
    assert not (tmp_path / "config.json").exists()

"""Files of a run directory, and reproducibility of a run."""

import json
import math

import jax
import numpy as np
import pytest

import noisejax
from noisejax import training
from tests.training.tiny import config, dataset, read, rows, train


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return folder, train(folder, training__epochs=3)


def test_it_learns(tmp_path):
    summary = train(tmp_path, training__epochs=8)
    assert summary["test_error_percent"]["mean"] < 20  # guessing: 67 %


def test_files(run):
    folder, summary = run
    names = {path.name for path in folder.iterdir()} - {".lock"}
    assert names == {"config.json", "metrics.jsonl", "checkpoints", "summary.json"}
    there = read(folder, "summary.json")
    assert {**summary, "checksum": there["checksum"]} == there


def test_config_file(run):
    there = read(run[0], "config.json")
    assert training.from_dict(there["config"]) == config(training__epochs=3)
    assert there["schema"] == 1
    assert there["versions"]["noisejax"] == noisejax.__version__
    assert there["versions"]["jax"] == jax.__version__
    assert there["device"]["count"] == jax.device_count()
    assert there["commit"] is None or len(there["commit"]) >= 40


def test_summary(run):
    _, summary = run
    error = summary["test_error_percent"]
    assert error["per_seed"] == [error["mean"]]
    assert error["standard_error"] is None
    assert summary["num_seeds"] == 1
    assert summary["epochs"] == 3
    assert summary["seconds"] > 0
    assert len(summary["params_sha256"]) == 64
    assert summary["num_parameters"] == 16 * 8 + 8 + 8 * 3 + 3
    assert summary["best_epoch"][0] in (1, 2, 3)


def test_each_row_once(run):
    keys = [
        (row["phase"], row["split"], row["epoch"], row["seed"]) for row in rows(run[0])
    ]
    assert keys == [
        ("train", split, epoch, 0)
        for epoch in (1, 2, 3)
        for split in ("train", "validation", "test")
    ]


def test_rows_are_strict_json(run):
    for line in (run[0] / "metrics.jsonl").read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)


def test_the_reported_epoch_is_the_chosen_one(run):
    """The epoch has the lowest validation error, and is the last of equal ones."""
    folder, summary = run
    judged = rows(folder, split="validation")
    best = min(judged, key=lambda row: (row["error_percent"], -row["epoch"]))
    assert summary["best_epoch"] == [best["epoch"]]
    [test] = rows(folder, split="test", epoch=best["epoch"])
    assert summary["test_error_percent"]["mean"] == test["error_percent"]
    assert summary["validation_error_percent"]["mean"] == best["error_percent"]


def test_without_validation_the_last_epoch_is_reported(tmp_path):
    summary = train(tmp_path, data__validation=0)
    assert summary["best_epoch"] == [2]
    assert summary["validation_error_percent"] is None
    assert not rows(tmp_path, split="validation")


def test_the_same_again(run, tmp_path):
    summary = train(tmp_path, training__epochs=3)
    assert summary["params_sha256"] == run[1]["params_sha256"]
    assert rows(tmp_path) == rows(run[0])
    other = train(tmp_path / "other", training__epochs=3, training__seed=1)
    assert other["params_sha256"] != summary["params_sha256"]


def test_it_can_be_read_back(run, tmp_path):
    """The loaded network has the test error of the summary."""
    np.savez(
        tmp_path / "own.npz",
        x_train=dataset().train_x,
        y_train=dataset().train_y,
        x_test=dataset().test_x,
        y_test=dataset().test_y,
    )
    fields = {"data__name": str(tmp_path / "own.npz"), "training__retrain_epochs": 2}
    summary = training.train(config(**fields), tmp_path / "run")
    loaded = training.load_run(tmp_path / "run")
    logits, _ = loaded.model.apply(loaded.variables, loaded.dataset.test_x, train=False)
    error = 100 * np.mean(np.argmax(logits, -1) != loaded.dataset.test_y)
    [last] = rows(tmp_path / "run", phase="retrain", epoch=2, split="test")
    assert error == pytest.approx(last["error_percent"], abs=1e-4)
    assert summary["retrain_epochs"] == 2


def test_the_spread_over_seeds(tmp_path):
    errors = train(tmp_path, training__num_seeds=3)["test_error_percent"]
    assert errors["mean"] == pytest.approx(np.mean(errors["per_seed"]))
    deviation = np.std(errors["per_seed"], ddof=1) / math.sqrt(3)
    assert errors["standard_error"] == pytest.approx(deviation)


def test_inversion(tmp_path):
    """inverted=True is training on 1 - x."""
    inverted = dataset()
    inverted = type(inverted)(
        "own",
        1 - inverted.train_x,
        inverted.train_y,
        1 - inverted.test_x,
        inverted.test_y,
        3,
    )
    asked = train(tmp_path / "asked", data__inverted=True)
    given = train(tmp_path / "given", on=inverted)
    assert asked["params_sha256"] == given["params_sha256"]


def test_pixels_are_scaled_to_one(tmp_path):
    pixels = dataset(pixels=True)
    floats = type(pixels)(
        "own",
        pixels.train_x.astype(np.float32) * np.float32(1 / 255),
        pixels.train_y,
        pixels.test_x.astype(np.float32) * np.float32(1 / 255),
        pixels.test_y,
        3,
    )
    a = train(tmp_path / "pixels", on=pixels)
    b = train(tmp_path / "floats", on=floats)
    # The scaling is fused into the epoch: equal to rounding, not to the last bit.
    for part in ("test_loss", "test_error_percent"):
        np.testing.assert_allclose(a[part]["mean"], b[part]["mean"], rtol=1e-4)


def test_shift_rate_scales_the_step_of_shifts(tmp_path):
    """One step of SGD moves shifts by `shift_rate` times the usual step."""
    fields = {
        "noise__shift": "both",
        "data__validation": 0.0,
        "training__epochs": 1,
        "training__batch_size": 200,
        "optimizer__momentum": 0.0,
        "optimizer__nesterov": False,
        "optimizer__schedule": "constant",
    }
    params = []
    for rate in (1.0, 10.0):
        folder = tmp_path / f"{rate:g}"
        train(folder, optimizer__shift_rate=rate, **fields)
        params.append(training.load_run(folder, dataset=dataset()).variables["params"])
    for module in ("input_noise", "noise_0"):
        slow, fast = (np.asarray(p[module]["beta"]) for p in params)
        assert np.allclose(fast, 10 * slow, rtol=1e-4, atol=1e-7) and slow.any()
    assert np.array_equal(*(p["dense_0"]["kernel"] for p in params))

"""Real-valued targets: reading from .npz files, scaling, and errors."""

import numpy as np
import pytest

from noisejax import data
from tests.data.synthetic import arrays, write_npz


def targets(n, outputs=()):
    return np.random.default_rng(n).normal(50.0, 4.0, (n, *outputs))


def load(tmp_path, **changes):
    changes = {"y_train": targets(200), "y_test": targets(60), **changes}
    return data.load_dataset(str(write_npz(tmp_path / "own.npz", **changes)))


@pytest.mark.parametrize("outputs", [(), (1,), (3,)])
def test_targets_are_scaled_by_the_training_part(tmp_path, outputs):
    train, test = targets(200, outputs), 2 * targets(60, outputs)
    dataset = load(tmp_path, y_train=train, y_test=test)
    columns = train.reshape(200, -1)
    assert dataset.num_classes == columns.shape[1]
    scale = np.sqrt(columns.var(axis=0).mean())
    expected = (test.reshape(60, -1) - columns.mean(axis=0)) / scale
    np.testing.assert_allclose(dataset.test_y, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        dataset.to_units(dataset.train_y), columns, rtol=1e-5, atol=1e-5
    )


def test_the_mean_has_an_error_of_one(tmp_path):
    dataset = load(tmp_path, y_train=targets(200, (2,)), y_test=targets(60, (2,)))
    assert np.mean(dataset.train_y**2) == pytest.approx(1, rel=1e-5)


Y = targets(200)
BAD = {
    "one part": ({"y_test": arrays()["y_test"]}, "floating in both parts"),
    "one-hot": (
        {"y_train": np.eye(3)[arrays()["y_train"]]},
        r"one-hot, pass y.argmax\(axis=1\)",
    ),
    "constant": ({"y_train": np.full(200, 7.0)}, "standard deviation .* is 0.0"),
    "nan": ({"y_train": np.where(np.arange(200) == 9, np.nan, Y)}, "target 9 is NaN"),
    "few": ({"y_train": Y[:-1]}, "200 examples and 199 targets"),
    "axes": ({"y_train": Y[:, None, None]}, r"\[N\] or \[N, outputs\]"),
    "outputs": ({"y_train": targets(200, (2,))}, "2 outputs, test targets 1"),
    "scalar examples": ({"x_train": np.float32(1)}, "one row per example"),
    "examples": (
        {"x_train": np.full((200, 3), np.nan, np.float32)},
        "train example 0 holds NaN",
    ),
}


@pytest.mark.parametrize(("changes", "match"), BAD.values(), ids=BAD)
def test_bad_targets(tmp_path, changes, match):
    with pytest.raises(ValueError, match=f"own.npz.*{match}"):
        load(tmp_path, **changes)

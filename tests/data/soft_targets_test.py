"""Soft targets: the file's format, the generated stand-in, code quality."""

import numpy as np
import pytest

from noisejax import data


def arrays(n=12):
    rng = np.random.default_rng(0)
    y = rng.dirichlet(np.ones(3), size=(n, 2))
    return {"x": rng.normal(size=(n, 5)), "y": y, "partition": np.arange(n) % 3}


def save(tmp_path, **changes):
    path = tmp_path / "made.npz"
    np.savez(path, **{k: v for k, v in (arrays() | changes).items() if v is not None})
    return path


def test_one_partition_is_tested_on(tmp_path):
    loaded = data.load_soft_targets(save(tmp_path), test_partition=1)
    made = arrays()
    test = made["partition"] == 1
    np.testing.assert_array_equal(loaded.test_x, made["x"][test].astype(np.float32))
    np.testing.assert_array_equal(loaded.train_y, made["y"][~test].astype(np.float32))
    assert (loaded.name, loaded.num_tissues, loaded.num_outcomes) == ("made", 2, 3)
    assert loaded.shape == (5,)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": None}, "missing: y; found: x, partition"),
        ({"x": np.ones(12)}, r"x must be floating features .* \(12,\)"),
        ({"x": np.ones((12, 5), int)}, "x must be floating"),
        ({"y": np.ones((12, 3)) / 3}, r"y must be distributions \[12, tissues"),
        ({"y": np.ones((12, 2, 3))}, "must be a distribution"),
        ({"partition": np.ones(12)}, "partition must be 12 integers"),
        ({"x": np.full((12, 5), np.nan)}, "x holds NaN"),
        ({"partition": np.ones(12, int)}, "must leave examples to train on"),
        ({"partition": np.zeros(12, int)}, "the partitions are 0; got 1"),
    ],
)
def test_bad_files(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        data.load_soft_targets(save(tmp_path, **changes), test_partition=1)


def test_absent_and_damaged_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        data.load_soft_targets(tmp_path / "none.npz", test_partition=0)
    path = tmp_path / "damaged.npz"
    path.write_bytes(b"PK nothing")
    with pytest.raises(ValueError, match="damaged"):
        data.load_soft_targets(path, test_partition=0)


def test_the_stand_in_has_the_printed_shape_and_says_what_it_is():
    parts = [data.generate_splicing(test_partition=i) for i in range(6)]
    assert sum(len(part.test_x) for part in parts) == 3665
    for part in parts:
        assert "generated" in part.name and "stand_in" in part.name
        assert part.train_x.shape == (3665 - len(part.test_x), 1014)
        assert part.train_y.shape[1:] == (4, 3)
        np.testing.assert_allclose(part.train_y.sum(-1), 1, rtol=1e-5)
    again = data.generate_splicing(test_partition=0)
    np.testing.assert_array_equal(again.test_x, parts[0].test_x)
    assert data.naive_guess(again.train_y)[:, 1].min() > 0.5  # biased, as described
    with pytest.raises(ValueError, match="partitions are 0, 1, 2, 3, 4, 5; got 6"):
        data.generate_splicing(test_partition=6)


def kl_bits(p, q):
    return np.sum(np.where(p > 0, p * np.log2(np.where(p > 0, p, 1) / q), 0))


def test_code_quality_is_a_difference_of_divergences():
    rng = np.random.default_rng(1)
    targets, predicted = (rng.dirichlet(np.ones(3), (7, 2)) for _ in range(2))
    targets[0, 0] = [1, 0, 0]
    naive = data.naive_guess(rng.dirichlet(np.ones(3), (9, 2)))
    everywhere = np.broadcast_to(naive, targets.shape)
    expected = kl_bits(targets, everywhere) - kl_bits(targets, predicted)
    ours = data.code_quality(np.log(predicted), targets, naive)
    np.testing.assert_allclose(ours, expected, rtol=1e-10)
    np.testing.assert_allclose(
        data.code_quality(np.log(everywhere), targets, naive), 0, atol=1e-10
    )
    with pytest.raises(ValueError, match=r"must be \[examples, tissues"):
        data.code_quality(np.log(predicted[:3]), targets, naive)


@pytest.mark.parametrize("name", ["mnist", "cifar100"])
def test_generated_images_have_the_real_ones_shape(name):
    made = data.generate(name)
    shape, classes = {"mnist": ((28, 28, 1), 10), "cifar100": ((32, 32, 3), 100)}[name]
    assert (made.shape, made.num_classes) == (shape, classes)
    assert made.name == f"{name} (generated)"
    assert set(made.train_y) == set(range(classes))
    assert made.train_x.dtype == np.uint8
    np.testing.assert_array_equal(made.test_x, data.generate(name).test_x)
    with pytest.raises(ValueError, match="in the shape of digits, mnist"):
        data.generate("imagenet")

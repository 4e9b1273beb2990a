"""The digits, and the split into training and validation examples."""

import numpy as np
import pytest

from noisejax import data


def test_digits():
    digits = data.load_dataset("digits")
    assert digits.train_x.shape == (1437, 8, 8, 1)
    assert digits.test_x.shape == (360, 8, 8, 1)
    assert digits.train_x.dtype == np.float32
    assert (digits.train_x.min(), digits.train_x.max()) == (0, 1)
    assert np.bincount(digits.test_y).min() >= 34  # stratified
    again = data.load_dataset("digits")
    np.testing.assert_array_equal(again.test_x, digits.test_x)


def test_no_digit_is_in_both_parts():
    digits = data.load_dataset("digits")
    train = {x.tobytes() for x in digits.train_x}
    assert not any(x.tobytes() in train for x in digits.test_x)


@pytest.mark.parametrize("validation", [0, 0.1, 0.25, 0.99, 1, 7, 99])
def test_a_split_is_a_partition(validation):
    train, held_out = data.split_indices(100, validation, seed=3)
    assert len(held_out) == (validation if validation >= 1 else round(100 * validation))
    np.testing.assert_array_equal(np.sort([*train, *held_out]), np.arange(100))
    assert (np.diff(train) > 0).all()


def test_the_seed_decides():
    first, same, other = (data.split_indices(100, 0.2, seed=s)[1] for s in (0, 0, 1))
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


def test_every_example_is_held_out_equally_often():
    """The count is within 5 sigma of Binomial(400, 0.2)."""
    counts = np.zeros(50)
    for seed in range(400):
        counts[data.split_indices(50, 0.2, seed=seed)[1]] += 1
    sigma = np.sqrt(400 * 0.2 * 0.8)
    assert abs(counts - 80).max() < 5 * sigma


@pytest.mark.parametrize("validation", [-0.1, 100, 101, float("nan"), float("inf")])
def test_nothing_left(validation):
    with pytest.raises(
        ValueError, match=r"data.validation must be a share .*below 100"
    ):
        data.split_indices(100, validation, seed=0)

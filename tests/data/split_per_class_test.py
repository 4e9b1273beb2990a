"""A number of examples per class of each part is held out."""

import numpy as np
import pytest

from noisejax import data

LABELS = np.concatenate([np.arange(200) % 10, np.arange(100) % 10]).astype(np.int32)


def split(seed=0, sizes=(200, 100), per_class=(4, 2)):
    return data.split_per_class(
        LABELS, part_sizes=sizes, per_class=per_class, seed=seed
    )


def test_counts_per_class_and_part():
    train, held_out = split()
    first, second = held_out[held_out < 200], held_out[held_out >= 200]
    np.testing.assert_array_equal(np.bincount(LABELS[first]), [4] * 10)
    np.testing.assert_array_equal(np.bincount(LABELS[second]), [2] * 10)
    everything = np.sort(np.concatenate([train, held_out]))
    np.testing.assert_array_equal(everything, np.arange(300))
    assert train.dtype == held_out.dtype == np.int32


def test_seeds_decide():
    np.testing.assert_array_equal(split(1)[1], split(1)[1])
    assert not np.array_equal(split(1)[1], split(2)[1])


def test_the_papers_split_of_svhn_holds_out_6000():
    labels = np.arange(73_257 + 531_131) % 10
    train, held_out = data.split_per_class(
        labels, part_sizes=(73_257, 531_131), per_class=(400, 200), seed=0
    )
    assert (len(train), len(held_out)) == (598_388, 6_000)


def test_bad_arguments():
    with pytest.raises(ValueError, match="add up to the 300 examples"):
        split(sizes=(200, 99))
    with pytest.raises(ValueError, match="one number of per_class for each"):
        split(per_class=(4,))
    with pytest.raises(ValueError, match="class 0 has 10 examples .* 11 per class"):
        split(per_class=(4, 11))

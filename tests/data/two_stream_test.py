"""Outputs of two streams: splits by groups, and errors for wrong files."""

import numpy as np
import pytest

from noisejax import data

N = 40


def arrays(**changes):
    rng = np.random.default_rng(0)
    made = {
        "spatial": rng.normal(size=(N, 5)).astype(np.float32),
        "motion": rng.normal(size=(N, 5)).astype(np.float32),
        "label": np.arange(N) % 5,
        "group": np.arange(N) % 7 + 1,
    }
    return {k: v for k, v in (made | changes).items() if v is not None}


def save(folder, **changes):
    path = folder / "own_two_stream.npz"
    np.savez(path, **arrays(**changes))
    return path


def test_every_group_is_tested_in_one_split(tmp_path):
    save(tmp_path)
    own, tested = arrays(), []
    for split in range(3):
        found = data.load_dataset("two_stream", tmp_path, test_partition=split)
        assert (found.num_classes, found.shape) == (5, (2, 5))
        groups = [
            own["group"][np.where((own["spatial"] == x[0]).all(-1))[0][0]]
            for x in found.test_x
        ]
        tested.append(sorted(set(groups)))
        assert len(found.train_x) + len(found.test_x) == N
    assert tested == [[5, 6, 7], [3, 4], [1, 2]]


def test_a_path_is_recognised(tmp_path):
    maps = np.zeros((N, 2, 3, 3, 4), np.float32)
    found = data.load_dataset(str(save(tmp_path, spatial=maps, motion=maps)))
    assert found.shape == (2, 2, 3, 3, 4)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"motion": np.zeros((N, 4))}, r"one shape, .*got \(40, 5\) and \(40, 4\)"),
        ({"group": None}, "missing: group"),
        ({"group": np.ones(N, int)}, "three values or more"),
        ({"label": np.zeros(N)}, "label must be 40 integers, one per video; got float"),
        ({"label": np.zeros(3, int)}, r"one per video; got int64\[3\]"),
    ],
    ids=str,
)
def test_other_files_are_refused(tmp_path, changes, match):
    with pytest.raises(ValueError, match=match):
        data.load_two_stream(save(tmp_path, **changes))


def test_a_missing_or_damaged_file_or_split_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="spatial, motion, .* found 0 in"):
        data.load_dataset("two_stream", tmp_path)
    path = save(tmp_path)
    with pytest.raises(ValueError, match="must be 0, 1 or 2 .* got 3"):
        data.load_two_stream(path, split=3)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(
        ValueError, match="not an .npz file of plain arrays, or it is dam"
    ):
        data.load_two_stream(path)

"""Rows without a network equal the formulas."""

import numpy as np
import pytest

from noisejax.experiments import EXPERIMENTS
from noisejax.reproduce import COMPUTED


def numbers(name):
    """Return row -> numbers, at the smallest scale."""
    experiment = EXPERIMENTS[name]
    compute, scale = COMPUTED[experiment.measurements[0]], experiment.scales["smoke"]
    return {row.name: dict(compute(row, scale).numbers) for row in experiment.rows}


def test_zeros():
    zeros = numbers("ba2014_table1")
    assert zeros["relu"]["zero_at"] == "z ≤ 0"
    assert zeros["tanh"]["zero_at"] == "z = 0"
    assert zeros["sigmoid"]["zero_at"] == "nowhere, nearly for z ≤ -13.816"
    assert np.log(1e-6) == pytest.approx(-13.816, abs=1e-3)
    assert zeros["maxout"]["zero_at"].startswith("max(z₁, z₂) = 0, one piece 0")
    assert zeros["maxout"]["zero_at/share"] == pytest.approx(401 / 401**2)
    assert zeros["relu"]["zero_at/share"] == pytest.approx(20_001 / 40_001)


def test_gaaf():
    found = numbers("hahn2018_figure4")
    assert found["acceleration"]["acceleration/largest"] == pytest.approx(0.5, abs=1e-2)
    assert found["acceleration"]["acceleration/slope"] == pytest.approx(1, abs=1e-3)
    for z in (-8, 0, 8):
        shape = float(found["tanh_shape"][f"shape/at_{z}"])
        assert shape == pytest.approx(np.exp(-abs(z)), rel=1e-5)
        shape = float(found["relu_shape"][f"shape/at_{z}"])
        assert shape == pytest.approx(1 / (1 + np.exp(-(z + 3))), rel=1e-5)


def test_dropped_shares():
    experiment = EXPERIMENTS["bouthillier2015_figure1"]
    for row in experiment.rows:
        compute = COMPUTED["dropped_share_density"]
        measured = compute(row, experiment.scales["smoke"])
        law, counts = measured.arrays["law"], measured.arrays["counts"]
        n, draws = len(law) - 1, counts.sum()
        assert draws == 1000 and law.sum() == pytest.approx(1)
        share = np.arange(n + 1) / n
        mean = (share * counts).sum() / draws
        variance = (share**2 * law).sum() - (share * law).sum() ** 2
        assert abs(mean - (share * law).sum()) < 5 * np.sqrt(variance / draws)
        off = 0.5 * np.abs(counts / draws - law).sum()
        assert measured.numbers["dropped_share/draws_off"] == pytest.approx(off)
    found = numbers("bouthillier2015_figure1")
    assert found["random_dropout_100"]["dropped_share/above_rate"] == pytest.approx(
        0.035, abs=1e-3
    )  # as the experiment's note on the caption says

"""Correlations: Hahn and Choi 2018, figure 1 and table 1."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from noisejax import diagnostics


def activations(n=200, d=37, seed=0):
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n, 3))
    a = common @ rng.normal(size=(3, d)) + 0.4 * rng.normal(size=(n, d))
    a[:, 5], a[:, 20] = 3.7, 0.0  # constant, dead
    return a.astype(np.float32)


def test_pearson_as_numpy_has_it():
    a = activations()
    ours = np.asarray(diagnostics.node_correlations(a))
    live = np.setdiff1d(np.arange(37), [5, 20])
    expected = np.corrcoef(a[:, live].astype(np.float64), rowvar=False)
    np.testing.assert_allclose(ours[np.ix_(live, live)], expected, atol=2e-6)
    assert np.isnan(ours[5]).all() and np.isnan(ours[:, 20]).all()
    assert (np.diag(ours)[live] == 1).all()


@pytest.mark.parametrize("block_size", [8, 512])
def test_counts_do_not_depend_on_blocks(block_size):
    a = activations()
    counts = diagnostics.correlation_counts(a, block_size=block_size, num_bins=20)
    live = np.setdiff1d(np.arange(37), [5, 20])
    r = np.corrcoef(a[:, live].astype(np.float64), rowvar=False)
    r = r[np.triu_indices(35, 1)]
    above = [(np.abs(r) > t).sum() for t in (0.9, 0.8, 0.7, 0.6, 0.5)]
    assert above[0] > 0
    np.testing.assert_array_equal(counts.above, above)
    histogram, _ = np.histogram(r, bins=20, range=(-1, 1))
    np.testing.assert_array_equal(counts.histogram, histogram)
    assert int(counts.num_pairs) == 35 * 34 / 2 == int(counts.histogram.sum())
    assert (int(counts.num_units), int(counts.num_constant)) == (37, 2)


def test_a_large_mean_does_not_hide_a_correlation():
    """Mean 1000, spread 1: two passes keep the digits that one would lose."""
    a = activations() + np.float32(1000)
    live = np.setdiff1d(np.arange(37), [5, 20])
    expected = np.corrcoef(a[:, live].astype(np.float64), rowvar=False)
    ours = np.asarray(diagnostics.node_correlations(a))[np.ix_(live, live)]
    np.testing.assert_allclose(ours, expected, atol=1e-3)


def test_tiny_units_are_not_constant():
    a = activations() * np.float32(1e-25)
    assert int(diagnostics.correlation_counts(a).num_constant) == 2
    ours, unscaled = map(diagnostics.node_correlations, (a, activations()))
    np.testing.assert_allclose(ours, unscaled, atol=1e-5)


def test_identical_and_opposite_units():
    unit = np.linspace(-1, 2, 50, dtype=np.float32)
    a = np.stack([unit, unit, -unit], axis=1)
    counts = diagnostics.correlation_counts(a, thresholds=(0.999,), num_bins=2)
    assert int(counts.above[0]) == 3
    np.testing.assert_array_equal(counts.histogram, [2, 1])


def test_thousands_of_units_fit_into_blocks():
    """Temporaries for 3,000 units stay far below their correlation matrix."""
    a = jax.ShapeDtypeStruct((10, 3000), jnp.float32)
    count = jax.jit(lambda a: diagnostics.correlation_counts(a, block_size=128))
    memory = count.lower(a).compile().memory_analysis()
    assert memory.temp_size_in_bytes < 0.1 * 4 * 3000**2


def test_one_unit_has_no_pairs():
    counts = diagnostics.correlation_counts(np.ones((3, 1), np.float32))
    assert int(counts.num_pairs) == 0 and int(counts.num_constant) == 1


def test_errors():
    with pytest.raises(ValueError, match=r"\[examples, units\].*got shape \(2, 3, 4\)"):
        diagnostics.correlation_counts(np.ones((2, 3, 4), np.float32))
    with pytest.raises(ValueError, match=r"both at least 1, got shape \(0, 3\)"):
        diagnostics.node_correlations(np.ones((0, 3), np.float32))
    with pytest.raises(ValueError, match="at least 1, got 200, 0"):
        diagnostics.correlation_counts(np.ones((2, 3), np.float32), block_size=0)
    with pytest.raises(TypeError, match="floating array is needed"):
        diagnostics.node_correlations(np.ones((2, 3), np.int32))

"""The share of units dropped: Bouthillier et al. 2015, figure 1."""

import jax
import numpy as np
import pytest
from scipy import special, stats

from noisejax import diagnostics, noise


@pytest.mark.parametrize("n", [1, 10, 100, 1000])
@pytest.mark.parametrize("rate", [0.05, 0.5, 0.99])
def test_random_dropout_is_the_incomplete_beta_function(n, rate):
    law = diagnostics.dropped_share_law(n, noise.RandomDropout(rate))
    k = np.arange(n + 1)
    expected = special.betainc(k + 1, n - k + 1, rate) / ((n + 1) * rate)
    np.testing.assert_allclose(law, expected, rtol=1e-8, atol=1e-300)
    np.testing.assert_allclose(law.sum(), 1, rtol=1e-9)


def test_random_dropout_is_a_mixture_of_binomial_laws():
    rhos = (np.arange(20_000) + 0.5) / 20_000 * 0.5
    mixture = stats.binom.pmf(np.arange(21)[:, None], 20, rhos).mean(axis=1)
    law = diagnostics.dropped_share_law(20, noise.RandomDropout(0.5))
    np.testing.assert_allclose(law, mixture, rtol=1e-6)


def test_dropout_is_binomial():
    law = diagnostics.dropped_share_law(100, noise.Dropout(0.3))
    expected = stats.binom.pmf(np.arange(101), 100, 0.3)
    np.testing.assert_allclose(law, expected, rtol=1e-10)
    rounded = diagnostics.dropped_share_law(100, noise.Dropout(0.3, 8))
    expected = stats.binom.pmf(np.arange(101), 100, 77 / 256)
    np.testing.assert_allclose(rounded, expected, rtol=1e-10)


def test_rate_0_drops_nothing():
    for scheme in (noise.Dropout(0.0), noise.RandomDropout(0.0)):
        law = diagnostics.dropped_share_law(3, scheme)
        np.testing.assert_array_equal(law, [1, 0, 0, 0])


SCHEMES = [noise.Dropout(0.5), noise.Dropout(0.3, 8), noise.RandomDropout(0.5)]


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
def test_draws_follow_the_law(scheme):
    """Every count of 40,000 layers with 30 units is within 5 sigma."""
    draws = 40_000
    key = jax.random.key(0)
    counts = np.asarray(
        diagnostics.dropped_counts(key, 30, scheme, num_draws=draws, chunk_size=4000)
    )
    law = diagnostics.dropped_share_law(30, scheme)
    assert counts.sum() == draws
    spread = np.sqrt(draws * law * (1 - law))
    assert (np.abs(counts - draws * law) < 5 * spread + 3).all()


def test_a_level_per_batch_is_seen():
    """With batch_dims=0 masks of a chunk share ρ, so the counts have another law."""
    scheme = noise.RandomDropout(0.8, batch_dims=0)
    counts = diagnostics.dropped_counts(
        jax.random.key(1), 200, scheme, num_draws=2000, chunk_size=2000
    )
    shares = np.repeat(np.arange(201), np.asarray(counts)) / 200
    assert shares.std() < 0.1 < 0.8 / np.sqrt(12)


def test_errors():
    with pytest.raises(TypeError, match="GaussianDropout"):
        diagnostics.dropped_share_law(3, noise.GaussianDropout(0.5))
    with pytest.raises(TypeError, match="without broadcast_dims"):
        diagnostics.dropped_share_law(3, noise.Dropout(0.5, broadcast_dims=(0,)))
    with pytest.raises(ValueError, match="num_units=0"):
        diagnostics.dropped_share_law(0, noise.Dropout(0.5))
    with pytest.raises(ValueError, match="multiple of chunk_size, got 10 and 3"):
        diagnostics.dropped_counts(
            jax.random.key(0), 3, noise.Dropout(0.5), num_draws=10, chunk_size=3
        )

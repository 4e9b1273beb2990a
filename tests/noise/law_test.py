"""Distributions: means, variances, shares, covariances. Fixed keys, 5 sigma."""

import jax
import numpy as np
import pytest
import scipy.special
import scipy.stats
from jax import numpy as jnp

from noisejax import noise
from tests.noise.schemes import SCHEMES

SIGMAS = 5
P_VALUE = 2 * scipy.stats.norm.sf(SIGMAS)
BITS = [32, 8]


def key(seed=0):
    return jax.random.key(seed)


def assert_mean(values, expected):
    """Check the mean of independent values within 5 standard errors."""
    values = np.asarray(values, np.float64)
    error = values.std(ddof=1) / np.sqrt(values.size)
    assert abs(values.mean() - expected) < SIGMAS * error + 1e-12


@pytest.mark.parametrize("name", SCHEMES)
def test_noise_keeps_the_mean(name):
    """The mean is taken per example, because units may share a draw."""
    y = noise.apply(
        jnp.full((20_000, 2, 3), 2.0), SCHEMES[name].sample(key(7), (20_000, 2, 3))
    )
    assert_mean(y.mean(axis=(1, 2)), 2.0)


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 0.9])
def test_dropout_drops_its_rate_and_keeps_mean_and_variance(rate, bits):
    n = 400_000
    y = noise.dropout(key(), jnp.ones(n), rate=rate, bits=bits)
    drawn = noise.round_rate(rate, bits=bits)
    dropped = int((y == 0).sum())
    assert abs(dropped - n * drawn) < SIGMAS * np.sqrt(n * drawn * (1 - drawn))
    np.testing.assert_allclose(np.unique(y), [0, 1 / (1 - drawn)], rtol=1e-6)
    assert_mean((y - 1.0) ** 2, drawn / (1 - drawn))


def test_the_8_bit_scale_follows_the_rounded_rate():
    sample = noise.Dropout(0.3, bits=8).sample(key(), (3,))
    assert sample.scale == pytest.approx(256 / (256 - 77), rel=1e-7)
    rho = noise.RandomDropout(0.9, bits=8).sample(key(), (1000, 1)).scale
    keep = np.asarray(1 / rho) * 256
    np.testing.assert_allclose(keep, np.round(keep), atol=1e-3)


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("rate", [0.2, 0.5, 0.8])
def test_random_dropout_has_its_variance(rate, bits):
    """Var of the scaled mask: E[ρ / (1 - ρ)] = -log(1 - rate) / rate - 1."""
    scheme = noise.RandomDropout(rate, bits=bits)
    y = noise.apply(jnp.ones((200_000, 4)), scheme.sample(key(1), (200_000, 4)))
    expected = -np.log1p(-rate) / rate - 1
    assert_mean(((y - 1.0) ** 2).mean(axis=1), expected)
    assert_mean(y.mean(axis=1), 1.0)


@pytest.mark.parametrize("rate", [0.5, 0.8])
@pytest.mark.parametrize("n", [10, 100])
def test_random_dropout_drops_shares_by_their_exact_law(rate, n):
    """P(k of n dropped) = I_rate(k + 1, n - k + 1) / ((n + 1) rate), by chi-square.

    It is the integral of the binomial law over ρ ~ U(0, rate); its sum over k is 1.
    """
    examples = 50_000
    sample = noise.RandomDropout(rate).sample(key(2), (examples, n))
    counts = np.bincount(n - np.asarray(sample.mask.sum(axis=1)), minlength=n + 1)
    k = np.arange(n + 1)
    law = scipy.special.betainc(k + 1, n - k + 1, rate) / ((n + 1) * rate)
    np.testing.assert_allclose(law.sum(), 1, rtol=1e-9)
    pooled = law * examples >= 5
    observed = np.append(counts[pooled], counts[~pooled].sum())
    expected = np.append(law[pooled], law[~pooled].sum()) * examples
    keep = expected > 0
    assert scipy.stats.chisquare(observed[keep], expected[keep]).pvalue > P_VALUE


def test_dropout_drops_a_binomial_share():
    n, examples = 100, 50_000
    mask = noise.bernoulli_mask(key(2), (examples, n), rate=0.5, bits=8)
    counts = np.bincount(n - np.asarray(mask.sum(axis=1)), minlength=n + 1)
    expected = scipy.stats.binom.pmf(np.arange(n + 1), n, 0.5) * examples
    pooled = expected >= 5
    observed = np.append(counts[pooled], counts[~pooled].sum())
    expected = np.append(expected[pooled], expected[~pooled].sum())
    assert scipy.stats.chisquare(observed, expected).pvalue > P_VALUE


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize(("batch_dims", "between"), [(1, False), (0, True)])
def test_units_that_share_a_level_covary(bits, batch_dims, between):
    """Keep bits: covariance rate²/12 where ρ is shared, 0 where it is not.

    A ρ per unit (the bug that section 4.1 warns of) would give 0 within an example.
    """
    rate, draws = 0.9, 40_000
    scheme = noise.RandomDropout(rate, bits=bits, batch_dims=batch_dims)
    keys = jax.random.split(key(3), draws)
    kept = jax.vmap(lambda k: scheme.sample(k, (2, 2)).mask)(keys)
    centred = np.asarray(kept, np.float64) - (1 - rate / 2)
    assert_mean(centred[:, 0, 0] * centred[:, 0, 1], rate**2 / 12)
    assert_mean(centred[:, 0, 0] * centred[:, 1, 1], rate**2 / 12 if between else 0)


@pytest.mark.parametrize("bits", BITS)
def test_bits_of_dropout_are_independent(bits):
    """Bits are independent across units, examples, layers and steps."""
    n = 40_000
    bits_of = lambda k: noise.bernoulli_mask(k, (n, 8), rate=0.3, bits=bits)
    layer, other, step = (bits_of(k) for k in jax.random.split(key(4), 3))
    drawn = noise.round_rate(0.3, bits=bits)
    a, b, c = (np.asarray(m, np.float64) - (1 - drawn) for m in (layer, other, step))
    for unit in range(1, 8):
        assert_mean(a[:, 0] * a[:, unit], 0)
    assert_mean(a[1:, 0] * a[:-1, 0], 0)
    assert_mean(a * b, 0)
    assert_mean(a * c, 0)


@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_gaussian_dropout_is_normal_with_the_moments_of_dropout(rate):
    factor = noise.GaussianDropout(rate).sample(key(5), (20_000,)).factor
    law = scipy.stats.norm(1, np.sqrt(rate / (1 - rate)))
    assert scipy.stats.kstest(factor, law.cdf).pvalue > P_VALUE


def test_gaussian_noise_is_normal():
    offset = noise.GaussianNoise(3.0).sample(key(6), (20_000,)).offset
    assert scipy.stats.kstest(offset, scipy.stats.norm(0, 3).cdf).pvalue > P_VALUE


def test_what_is_shared_is_shared_and_nothing_else():
    shape = (8, 16, 16, 32)
    maps = noise.SpatialDropout(0.5).sample(key(), shape).mask
    assert maps.shape == (8, 1, 1, 32) and len(np.unique(maps, axis=0)) == 8
    paths = noise.DropPath(0.5).sample(key(), (64, 4, 4)).mask
    assert paths.shape == (64, 1, 1) and 0 < paths.sum() < 64
    time = noise.Dropout(0.5, broadcast_dims=(1,)).sample(key(), (8, 100, 32)).mask
    assert time.shape == (8, 1, 32)
    per_example = noise.RandomDropout(0.5).sample(key(), (8, 4, 5)).scale
    assert per_example.shape == (8, 1, 1) and len(np.unique(per_example)) == 8
    per_batch = noise.RandomDropout(0.5, batch_dims=0).sample(key(), (8, 4, 5)).scale
    assert per_batch.shape == (1, 1, 1)


def test_an_unscaled_mask_leaves_active_units_untouched_with_its_probability():
    """keep^(units · active share): 0.5^150 = 7.0e-46 for 1000 units (section 8.1)."""
    units, active, keep, draws = 20, 5, 0.7, 100_000
    scheme = noise.Dropout(1 - keep, scale=False)
    x = jnp.where(jnp.arange(units) < active, 1.0, 0.0)
    keys = jax.random.split(key(8), draws)
    same = jax.vmap(lambda k: (noise.apply(x, scheme.sample(k, (units,))) == x).all())
    assert_mean(same(keys), keep**active)
    assert pytest.approx(7.0e-46, rel=0.01) == 0.5**150

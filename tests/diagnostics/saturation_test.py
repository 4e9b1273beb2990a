"""Saturation, net values, slopes under noise: Hahn and Choi 2018, figures 2, 3, 6."""

import functools

import jax
import numpy as np
import pytest
from jax import numpy as jnp
from scipy import stats

from noisejax import activations, diagnostics

RNG = np.random.default_rng(2)
Z = RNG.normal(scale=3, size=(40, 6)).astype(np.float32)
GAAF_TANH = activations.gaaf(jnp.tanh, activations.exponential_shape)


def test_saturation_of_tanh():
    slopes = 1 - np.tanh(Z.astype(np.float64)) ** 2
    expected = (slopes < 0.1).mean()
    np.testing.assert_allclose(diagnostics.saturation(Z, jnp.tanh), expected, rtol=1e-6)
    per_unit = diagnostics.saturation(Z, jnp.tanh, axis=0)
    np.testing.assert_allclose(per_unit, (slopes < 0.1).mean(axis=0), rtol=1e-6)
    half = diagnostics.saturation(Z, jnp.tanh, threshold=0.5)
    np.testing.assert_allclose(half, (slopes < 0.5).mean(), rtol=1e-6)


@pytest.mark.parametrize(
    "gaaf",
    [
        GAAF_TANH,
        activations.gaaf(GAAF_TANH, activations.exponential_shape, value="exact"),
        activations.gaaf_tanh,
        functools.partial(activations.gaaf_tanh, decay=0.5),
    ],
    ids=["gaaf", "nested", "gaaf_tanh", "partial"],
)
def test_gradient_acceleration_is_taken_off(gaaf):
    assert diagnostics.plain_activation(gaaf) is jnp.tanh
    np.testing.assert_array_equal(
        diagnostics.activation_slope(Z, gaaf), diagnostics.activation_slope(Z, jnp.tanh)
    )


def test_other_activations_stay():
    partial = functools.partial(jax.nn.elu, alpha=2.0)
    for phi in (jax.nn.relu, partial):
        assert diagnostics.plain_activation(phi) is phi
    assert diagnostics.plain_activation(activations.gaaf_relu) is jax.nn.relu
    assert diagnostics.plain_activation(activations.gaaf_sigmoid) is jax.nn.sigmoid


def test_histogram_is_numpys():
    h = diagnostics.net_histogram(Z, low=-4, high=2, num_bins=12)
    expected, _ = np.histogram(Z[Z < 2], bins=12, range=(-4, 2))
    np.testing.assert_array_equal(h.counts, expected)
    assert int(h.below) == (Z < -4).sum() and int(h.above) == (Z >= 2).sum()
    halves = [diagnostics.net_histogram(z, low=-4, high=2, num_bins=12) for z in (Z, Z)]
    np.testing.assert_array_equal((halves[0] + halves[1]).counts, 2 * expected)


def test_infinite_net_values_are_beyond_the_edges():
    h = diagnostics.net_histogram(jnp.array([-jnp.inf, 0.0, jnp.inf]))
    assert (int(h.below), int(h.counts.sum()), int(h.above)) == (1, 1, 1)


def test_expected_slope_of_relu_is_the_normal_law():
    z = np.linspace(-4, 4, 33, dtype=np.float32)
    for stddev in (0.3, 1.0, 2.5):
        ours = diagnostics.expected_slope(z, jax.nn.relu, stddev=stddev)
        np.testing.assert_allclose(ours, stats.norm.cdf(z / stddev), atol=4e-3)


def test_expected_slope_of_tanh_is_that_of_draws():
    noise = np.random.default_rng(0).normal(size=100_000)
    for z in (0.0, 1.5, 4.0):
        slopes = 1 - np.tanh(z + 1.3 * noise) ** 2
        ours = diagnostics.expected_slope(jnp.float32(z), jnp.tanh, stddev=1.3)
        assert abs(float(ours) - slopes.mean()) < 5 * slopes.std() / np.sqrt(100_000)


def test_noise_lends_slope_to_saturated_units():
    """Figure 2: in the saturation area the noisy slope is above the clean one."""
    z = jnp.full((8,), 3.0)
    noisy = z[None] + jax.random.normal(jax.random.key(0), (500, 8))
    slopes = diagnostics.slope_under_noise(z, noisy, jnp.tanh)
    assert float(slopes.noisy_mean) > 3 * float(slopes.clean_mean)


def test_slopes_by_bin():
    z = np.array([-9.0, -1.5, -1.2, 0.5, 7.0], np.float32)
    noisy = np.stack([z - 1, z + 2])
    s = diagnostics.slope_under_noise(z, noisy, jnp.tanh, low=-2, high=2, num_bins=4)
    slope = lambda z: 1 - np.tanh(z.astype(np.float64)) ** 2
    clean, moved = slope(z), slope(noisy).mean(axis=0)
    np.testing.assert_array_equal(s.counts, [3, 0, 1, 1])
    np.testing.assert_allclose(s.centers, [-1.5, -0.5, 0.5, 1.5])
    np.testing.assert_allclose(s.clean[0], clean[:3].mean(), rtol=1e-5)
    np.testing.assert_allclose(s.noisy[0], moved[:3].mean(), rtol=1e-5)
    np.testing.assert_allclose(s.noisy[2:], moved[3:], rtol=1e-4, atol=1e-6)
    assert np.isnan(s.clean[1]) and np.isnan(s.noisy[1])
    np.testing.assert_allclose(s.clean_mean, clean.mean(), rtol=1e-5)


def test_jit_is_eager():
    for measure in (
        functools.partial(diagnostics.saturation, activation=jnp.tanh),
        lambda z: diagnostics.net_histogram(z).counts,
        lambda z: diagnostics.expected_slope(z, jnp.tanh, stddev=1.0, num_nodes=101),
        lambda z: diagnostics.slope_under_noise(z, z[None] + 1, jnp.tanh).noisy_mean,
    ):
        # tanh' = 1 - tanh² cancels: its rounding errors are absolute.
        np.testing.assert_allclose(
            jax.jit(measure)(Z), measure(jnp.asarray(Z)), rtol=1e-5, atol=1e-7
        )


def test_errors():
    with pytest.raises(ValueError, match=r"low < high.*low=1.0, high=1.0"):
        diagnostics.net_histogram(Z, low=1.0, high=1.0)
    with pytest.raises(ValueError, match="stddev must be above 0, got 0"):
        diagnostics.expected_slope(Z, jnp.tanh, stddev=0)
    with pytest.raises(ValueError, match=r"\[draws, ...\].*\(40, 6\), got \(40, 6\)"):
        diagnostics.slope_under_noise(Z, Z, jnp.tanh)
    with pytest.raises(ValueError, match="at least 1 of them"):
        diagnostics.slope_under_noise(Z, Z[None], jnp.tanh, num_bins=0)

"""Net variance: Hahn and Choi 2018, eq. 6 and table 3; Ba et al. 2014, eq. 10."""

import jax
import numpy as np
import pytest
from jax import lax
from jax import numpy as jnp

from noisejax import diagnostics, noise

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 7)).astype(np.float32)
W = RNG.normal(size=(7, 4)).astype(np.float32)
SCHEMES = {
    "dropout": noise.Dropout(0.3),
    "dropout_8_bits": noise.Dropout(0.3, 8),
    "unscaled": noise.Dropout(0.3, scale=False),
    "random_dropout": noise.RandomDropout(0.7),
    "random_unscaled": noise.RandomDropout(0.7, scale=False),
    "gaussian_dropout": noise.GaussianDropout(0.4),
    "gaussian_noise": noise.GaussianNoise(0.4),
}


def key(seed=0):
    return jax.random.key(seed)


def test_equation_6_as_printed():
    p = 0.3
    printed = np.zeros((3, 4))
    for n in range(3):
        for j in range(4):
            printed[n, j] = (
                p * (1 - p) * sum((W[i, j] * X[n, i]) ** 2 for i in range(7))
            )
    unscaled = noise.Dropout(p, scale=False)
    ours = diagnostics.conditional_net_variance(X, W, unscaled)
    np.testing.assert_allclose(ours, printed, rtol=1e-5)
    inverted = diagnostics.conditional_net_variance(X, W, noise.Dropout(p))
    np.testing.assert_allclose(inverted, printed / (1 - p) ** 2, rtol=1e-5)


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES.keys())
def test_the_conditional_variance_is_that_of_draws(scheme):
    """Mean and variance over 20,000 draws agree within 5 sigma."""
    draws = 20_000

    def net(k):
        return noise.apply(jnp.asarray(X), scheme.sample(k, X.shape)) @ W

    nets = np.asarray(jax.lax.map(jax.checkpoint(net), jax.random.split(key(), draws)))
    moments = diagnostics.net_moments(nets[0], X, W, scheme)
    spread = nets.std(axis=0, ddof=1)
    mean_error = np.abs(nets.mean(axis=0) - moments.expected)
    assert (mean_error < 5 * spread / np.sqrt(draws)).all()
    squares = (nets - nets.mean(axis=0)) ** 2
    bound = 5 * squares.std(axis=0) / np.sqrt(draws)
    assert (np.abs(squares.mean(axis=0) - moments.variance) < bound).all()


def test_a_random_level_is_not_noisy_unit_by_unit():
    """Without scaling, correlated masks of units change the variance."""
    scheme = noise.RandomDropout(0.8, scale=False)
    wide = jnp.ones((1, 1000))
    own = diagnostics.noise_moments(scheme).variance * 1000
    full = diagnostics.conditional_net_variance(wide, jnp.ones((1000, 1)), scheme)
    np.testing.assert_allclose(full[0, 0], own + 0.64 / 12 * (1e6 - 1e3), rtol=1e-5)


def test_small_random_rates_keep_their_digits():
    for rate in (1e-6, 9.9e-5, 1.1e-4, 1e-2):
        series = rate / 2 + rate**2 / 3 + rate**3 / 4 + rate**4 / 5
        ours = diagnostics.noise_moments(noise.RandomDropout(rate)).variance
        np.testing.assert_allclose(ours, series, rtol=1e-6)


def test_no_noise_no_variance():
    for scheme in (None, noise.Dropout(0.0), noise.GaussianNoise(0.0)):
        assert not diagnostics.conditional_net_variance(X, W, scheme).any()


def test_a_convolution_is_a_product_too():
    x = RNG.normal(size=(2, 5, 5, 3)).astype(np.float32)
    kernel = RNG.normal(size=(3, 3, 3, 4)).astype(np.float32)

    def product(x, kernel):
        numbers = ("NHWC", "HWIO", "NHWC")
        return lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=numbers
        )

    scheme = noise.Dropout(0.5, scale=False)
    ours = diagnostics.conditional_net_variance(x, kernel, scheme, product=product)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    patch = padded[1, 0:3, 2:5]  # of the output at row 0, column 2
    expected = 0.25 * np.einsum("hwi,hwio->o", patch**2, kernel**2)
    np.testing.assert_allclose(ours[1, 0, 2], expected, rtol=1e-5)


def network(params, k, x):
    """Two layers with noise on both inputs, written by hand."""
    first, second = params
    lower, upper = jax.random.split(k)
    net = noise.dropout(lower, x, rate=0.2) @ first
    hidden = jnp.tanh(net)
    out = noise.dropout(upper, hidden, rate=0.5) @ second
    moments = diagnostics.net_moments
    return {
        "layer_1": moments(net, x, first, noise.Dropout(0.2)),
        "layer_2": moments(out, hidden, second, noise.Dropout(0.5)),
    }


PARAMS = (jnp.asarray(W), jnp.asarray(RNG.normal(size=(4, 5)), jnp.float32))


def test_measured_is_numpys_variance_over_draws():
    result = diagnostics.net_variance(key(), network, PARAMS, X, num_draws=20)
    keys = jax.random.split(key(), 20)
    draws = [network(PARAMS, keys[i], X) for i in range(20)]
    for name, variance in result.items():
        nets = np.stack([d[name].net for d in draws])
        expected = np.stack([d[name].expected for d in draws])
        conditional = np.mean([d[name].variance for d in draws], axis=0)
        np.testing.assert_allclose(variance.measured, nets.var(0, ddof=1), rtol=1e-4)
        np.testing.assert_allclose(variance.conditional, conditional, rtol=1e-5)
        np.testing.assert_allclose(
            variance.passed_on, expected.var(0, ddof=1), rtol=1e-4, atol=1e-7
        )


def test_the_parts_add_up():
    """E[measured] = conditional + passed on: means over 4,000 draws, to 3 %."""
    result = diagnostics.net_variance(key(), network, PARAMS, X, num_draws=4000)
    first, second = (
        jax.tree.map(jnp.mean, result[name]) for name in ("layer_1", "layer_2")
    )
    assert float(first.passed_on) == 0
    assert float(second.passed_on) > 0.05 * float(second.measured)
    for layer in (first, second):
        parts = layer.conditional + layer.passed_on
        np.testing.assert_allclose(parts, layer.measured, rtol=0.03)


def test_plain_net_values_do_without_parts():
    def nets(params, k, x):
        return {name: m.net for name, m in network(params, k, x).items()}

    plain = diagnostics.net_variance(key(), nets, PARAMS, X)
    full = diagnostics.net_variance(key(), network, PARAMS, X)
    assert plain["layer_2"].conditional is None
    np.testing.assert_array_equal(plain["layer_2"].measured, full["layer_2"].measured)


def test_jit_is_eager():
    measure = lambda k: diagnostics.net_variance(k, network, PARAMS, X)
    eager, jitted = measure(key()), jax.jit(measure)(key())
    for a, b in zip(jax.tree.leaves(eager), jax.tree.leaves(jitted), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-7)


def test_half_precision_is_measured_in_float32():
    half = diagnostics.conditional_net_variance(
        jnp.asarray(X, jnp.bfloat16), jnp.asarray(W, jnp.bfloat16), noise.Dropout(0.5)
    )
    assert half.dtype == jnp.float32


def test_errors():
    with pytest.raises(ValueError, match="at least 2 draws, got 1"):
        diagnostics.net_variance(key(), network, PARAMS, X, num_draws=1)
    with pytest.raises(TypeError, match="must be a JAX random key"):
        diagnostics.net_variance(0, network, PARAMS, X)
    with pytest.raises(TypeError, match="must act on units one by one.*DropPath"):
        diagnostics.conditional_net_variance(X, W, noise.DropPath(0.5))
    with pytest.raises(TypeError, match="floating array is needed, got int32"):
        diagnostics.conditional_net_variance(np.ones((2, 7), np.int32), W, None)

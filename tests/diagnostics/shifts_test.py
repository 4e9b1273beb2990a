"""Shifts: Ba et al. 2014, eqs. 5 to 7 and figure 2."""

import numpy as np
import pytest
from jax import numpy as jnp

from noisejax import diagnostics, noise

RNG = np.random.default_rng(3)
A = RNG.normal(size=(5, 6)).astype(np.float32)
W = RNG.normal(size=(6, 4)).astype(np.float32)
PHI = RNG.normal(size=6).astype(np.float32)


def test_equation_7_with_its_sign_put_right():
    """Equation 5 minus equation 6, term by term, for unscaled masks."""
    rate = 0.3
    ours = diagnostics.input_shift_effect(A, W, PHI, noise.Dropout(rate, scale=False))
    expected = np.zeros((5, 4))
    for k in range(6):
        term = W[k][None] ** 2 * PHI[k] * (PHI[k] + 2 * A[:, k][:, None])
        expected -= rate * (1 - rate) * term
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)
    printed = np.zeros((5, 4))
    for k in range(6):
        term = W[k][None] ** 2 * PHI[k] * (PHI[k] - 2 * A[:, k][:, None])
        printed += rate * (1 - rate) * term
    assert np.abs(ours - printed).max() > 0.1


def test_inverting_an_encoding():
    """Section 4: white space (0 becomes 1) gains variance, ink (1 becomes 2) too; with
    ink negative, -1 becomes 0 and loses it."""
    x, kernel = jnp.array([[0.0], [1.0], [-1.0]]), jnp.ones((1, 1))
    effect = diagnostics.input_shift_effect(x, kernel, 1.0, noise.Dropout(0.5))
    np.testing.assert_allclose(effect[:, 0], [-1.0, -3.0, 1.0])


def test_no_shift_no_effect():
    assert not diagnostics.input_shift_effect(A, W, 0.0, noise.Dropout(0.5)).any()


def test_minus_the_mean_gives_least_variance():
    """Compare the β of Ba's section 4 with other values."""
    variance = lambda beta: diagnostics.conditional_net_variance(
        A + beta[None], W, noise.Dropout(0.5)
    ).mean()
    best = variance(-A.mean(axis=0))
    for other in (np.zeros(6, np.float32), A.mean(axis=0), PHI - A.mean(axis=0)):
        assert variance(other) > best


def test_shift_against_activity_is_numpys():
    beta = (-A.mean(axis=0) + 0.3 * PHI).astype(np.float32)
    ours = diagnostics.shift_against_activity(A, beta)
    np.testing.assert_allclose(ours.mean_activity, A.mean(axis=0), rtol=1e-5, atol=1e-6)
    expected = np.corrcoef(A.mean(axis=0), beta)[0, 1]
    np.testing.assert_allclose(ours.correlation, expected, rtol=1e-5)
    from_mean = diagnostics.shift_against_activity(A.mean(axis=0)[None], beta)
    np.testing.assert_allclose(from_mean.correlation, expected, rtol=1e-5)


def test_feature_maps_and_shared_axes():
    images = RNG.normal(size=(3, 4, 5, 2)).astype(np.float32)
    per_map = diagnostics.shift_against_activity(images, np.ones(2, np.float32))
    np.testing.assert_allclose(
        per_map.mean_activity, images.mean((0, 1, 2)), rtol=1e-4, atol=1e-6
    )
    per_row = diagnostics.shift_against_activity(images, np.ones((4, 1, 1), np.float32))
    np.testing.assert_allclose(
        per_row.mean_activity, images.mean((0, 2, 3))[:, None, None], rtol=1e-4
    )


def test_untrained_shifts_have_no_correlation():
    result = diagnostics.shift_against_activity(A, np.zeros(6, np.float32))
    assert np.isnan(result.correlation)


def test_errors():
    with pytest.raises(ValueError, match=r"got \(5,\) for activities \(5, 6\)"):
        diagnostics.shift_against_activity(A, np.ones(5, np.float32))
    with pytest.raises(ValueError, match=r"got \(5, 6\) for activities \(5, 6\)"):
        diagnostics.shift_against_activity(A, A)
    with pytest.raises(TypeError, match="SpatialDropout"):
        diagnostics.input_shift_effect(A, W, PHI, noise.SpatialDropout(0.5))

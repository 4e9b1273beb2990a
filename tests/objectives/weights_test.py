"""Importance weights and the bound: formulas and extreme values."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp
from jax.test_util import check_grads

from noisejax import objectives

INF = np.inf
LOG_PROBS = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32) * 3


def weights_64(log_probs):
    p = np.exp(np.float64(log_probs))
    return p / p.sum(0)


def test_weights_are_eq_8():
    weights = objectives.importance_weights(LOG_PROBS)
    np.testing.assert_allclose(weights, weights_64(LOG_PROBS), rtol=1e-6)
    np.testing.assert_allclose(weights.sum(0), 1, rtol=1e-6)


def test_bound_is_eq_4():
    expected = np.log(np.exp(np.float64(LOG_PROBS)).mean(0))
    np.testing.assert_allclose(
        objectives.iw_log_likelihood(LOG_PROBS), expected, rtol=1e-6
    )


def test_the_gradient_of_the_bound_is_the_weights():
    gradient = jax.grad(lambda lp: objectives.iw_log_likelihood(lp).sum())(LOG_PROBS)
    np.testing.assert_array_equal(gradient, objectives.importance_weights(LOG_PROBS))


@pytest.mark.parametrize(
    "function", [objectives.iw_log_likelihood, objectives.importance_weights]
)
def test_derivatives_to_second_order(function):
    with jax.enable_x64(True):
        check_grads(function, (np.float64(LOG_PROBS) / 3,), order=2, atol=1e-4)


def test_any_rank_and_a_single_sample():
    log_probs = jnp.asarray(LOG_PROBS)
    assert objectives.importance_weights(log_probs[:, 0]).shape == (5,)
    assert objectives.iw_log_likelihood(log_probs[:, 0]).shape == ()
    assert objectives.iw_log_likelihood(log_probs.reshape(5, 2, 2)).shape == (2, 2)
    np.testing.assert_array_equal(
        objectives.iw_log_likelihood(log_probs[:1]), log_probs[0]
    )
    np.testing.assert_array_equal(objectives.importance_weights(log_probs[:1]), 1)


@pytest.mark.parametrize("shift", [-1e4, 1e4, -80.0])
def test_shifts_change_no_weight(shift):
    log_probs = np.round(LOG_PROBS * 8) / 8  # the sums are exact
    np.testing.assert_array_equal(
        objectives.importance_weights(log_probs + np.float32(shift)),
        objectives.importance_weights(log_probs),
    )
    np.testing.assert_allclose(
        objectives.iw_log_likelihood(log_probs + np.float32(shift)) - shift,
        objectives.iw_log_likelihood(log_probs),
        atol=2e-3,
    )


def test_samples_of_likelihood_0():
    log_probs = jnp.array([[-1e4, -INF, -INF], [-INF, -1.0, -INF], [-1e4, 0.0, -INF]])
    weights = objectives.importance_weights(log_probs)
    e = 1 / (1 + np.exp(1))
    expected = [[0.5, 0, 1 / 3], [0, e, 1 / 3], [0.5, 1 - e, 1 / 3]]
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    bound = objectives.iw_log_likelihood(log_probs)
    np.testing.assert_allclose(
        bound, [-1e4 + np.log(2 / 3), np.log((1 + np.exp(-1)) / 3), -INF], rtol=1e-6
    )
    gradient = jax.grad(lambda lp: objectives.iw_log_likelihood(lp)[:2].sum())(
        log_probs
    )
    np.testing.assert_allclose(gradient, np.array(expected) * [1, 1, 0], rtol=1e-6)


def test_an_impossible_example_passes_no_gradient_on():
    log_probs = jnp.full((3, 1), -INF)
    gradient = jax.grad(lambda lp: objectives.iw_log_likelihood(lp).sum())(log_probs)
    np.testing.assert_array_equal(gradient, 0)


def test_infinite_densities_share_the_weight():
    log_probs = jnp.array([[INF], [0.0], [INF]])
    np.testing.assert_array_equal(
        objectives.importance_weights(log_probs)[:, 0], [0.5, 0, 0.5]
    )
    assert objectives.iw_log_likelihood(log_probs)[0] == INF


def test_what_is_not_a_number_stays_so():
    log_probs = jnp.array([[jnp.nan, 0.0], [0.0, 0.0]])
    assert jnp.isnan(objectives.importance_weights(log_probs)[:, 0]).all()
    np.testing.assert_array_equal(
        jnp.isnan(objectives.iw_log_likelihood(log_probs)), [True, False]
    )


def test_half_precision_is_summed_in_float32():
    log_probs = jnp.asarray(LOG_PROBS, jnp.bfloat16)
    weights = objectives.importance_weights(log_probs)
    assert weights.dtype == jnp.float32
    np.testing.assert_allclose(weights, weights_64(log_probs), rtol=1e-5)
    gradient = jax.grad(lambda lp: objectives.iw_log_likelihood(lp).sum())(log_probs)
    assert gradient.dtype == jnp.bfloat16


def test_jit_vmap_and_jvp():
    for function in (objectives.importance_weights, objectives.iw_log_likelihood):
        whole = function(LOG_PROBS)
        np.testing.assert_allclose(jax.jit(function)(LOG_PROBS), whole, rtol=1e-6)
        mapped = jax.vmap(function, in_axes=1, out_axes=-1)(LOG_PROBS)
        np.testing.assert_allclose(mapped, whole, rtol=1e-6)
        _, tangent = jax.jvp(function, (LOG_PROBS,), (np.ones_like(LOG_PROBS),))
        assert np.isfinite(tangent).all()


def test_effective_samples_run_from_1_to_s():
    weights = jnp.array([[1, 0.25, 0.5], [0, 0.25, 0.5], [0, 0.25, 0], [0, 0.25, 0]])
    np.testing.assert_array_equal(objectives.effective_samples(weights), [1, 4, 2])


@pytest.mark.parametrize(
    "function", [objectives.importance_weights, objectives.iw_log_likelihood]
)
def test_bad_arguments(function):
    with pytest.raises(TypeError, match="floating array is needed, got int32"):
        function(jnp.arange(3))
    with pytest.raises(ValueError, match=r"first axis, got shape \(\)"):
        function(jnp.float32(0))
    with pytest.raises(ValueError, match=r"first axis, got shape \(0, 4\)"):
        function(jnp.zeros((0, 4)))

"""The bound's curve over S, and Monte-Carlo predictions."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from noisejax import objectives

LOG_PROBS = np.random.default_rng(2).normal(size=(9, 6)).astype(np.float32)


def test_curve_in_numpy():
    curve = objectives.bound_curve(LOG_PROBS)
    np.testing.assert_array_equal(curve.num_samples, [1, 2, 4, 8])
    base = LOG_PROBS.mean(0)
    for i, size in enumerate((1, 2, 4, 8)):
        groups = [
            np.log(np.exp(np.float64(LOG_PROBS[g : g + size])).mean(0))
            for g in range(0, 9 - 9 % size, size)
        ]
        each = np.mean(groups, 0)
        np.testing.assert_allclose(curve.bound[i], each.mean(), rtol=1e-5)
        np.testing.assert_allclose(
            curve.standard_error[i], each.std(ddof=1) / np.sqrt(6), rtol=1e-5
        )
        np.testing.assert_allclose(
            curve.gain_standard_error[i],
            (each - base).std(ddof=1) / np.sqrt(6),
            rtol=1e-4,
            atol=1e-7,
        )


def test_the_bound_of_a_gaussian_rises_to_the_marginal():
    """log p ~ N(0, 1): E p = exp(1/2), so L(∞) = 1/2 and L(1) = 0."""
    log_probs = jax.random.normal(jax.random.key(1), (256, 400))
    curve = objectives.bound_curve(log_probs)
    gain = np.diff(curve.bound)
    assert (gain > 0).all()
    assert abs(curve.bound[0]) < 5 * curve.standard_error[0]
    assert abs(curve.bound[-1] - 0.5) < 5 * curve.standard_error[-1]
    assert curve.bound[-1] - curve.bound[0] > 5 * curve.gain_standard_error[-1]


def test_one_example_has_no_standard_error():
    curve = jax.jit(objectives.bound_curve)(LOG_PROBS[:, :1])
    assert np.isfinite(curve.bound).all() and np.isnan(curve.standard_error).all()


def test_prediction_in_numpy():
    p = np.random.default_rng(3).dirichlet(np.ones(4), size=(5, 3))
    prediction = jax.jit(objectives.predictive)(np.log(p).astype(np.float32))
    mean = p.mean(0)
    entropy = -(mean * np.log(mean)).sum(-1)
    conditional = -(p * np.log(p)).sum(-1).mean(0)
    np.testing.assert_allclose(np.exp(prediction.log_probs), mean, rtol=1e-5)
    np.testing.assert_allclose(prediction.entropy, entropy, rtol=1e-5)
    np.testing.assert_allclose(
        prediction.mutual_information, entropy - conditional, rtol=1e-4, atol=1e-6
    )


def test_samples_that_agree_and_that_contradict():
    agree = objectives.predictive(np.log(np.full((5, 2, 4), 0.25, np.float32)))
    np.testing.assert_allclose(agree.entropy, np.log(4), rtol=1e-6)
    np.testing.assert_allclose(agree.mutual_information, 0, atol=1e-6)
    sure = jnp.where(jnp.eye(2, dtype=bool), 0.0, -jnp.inf)[:, None]
    contradict = objectives.predictive(sure)
    np.testing.assert_allclose(contradict.entropy, np.log(2), rtol=1e-6)
    np.testing.assert_allclose(contradict.mutual_information, np.log(2), rtol=1e-6)


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"\[samples, examples\], got shape \(9,\)"):
        objectives.bound_curve(LOG_PROBS[:, 0])
    with pytest.raises(ValueError, match="samples first and classes last"):
        objectives.predictive(LOG_PROBS[:, 0])

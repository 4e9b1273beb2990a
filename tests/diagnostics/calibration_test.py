"""Calibration against the printed formula, and dead units in the noise report."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from noisejax import diagnostics

RNG = np.random.default_rng(5)
LOG_PROBS = jax.nn.log_softmax(jnp.asarray(2 * RNG.normal(size=(200, 4)), jnp.float32))
LABELS = jnp.asarray(RNG.integers(0, 4, 200))


@pytest.mark.parametrize("bins", [1, 7, 15])
def test_calibration_is_the_formula(bins):
    """Guo et al. 2017, eq. 3, bin by bin."""
    p = np.exp(np.asarray(LOG_PROBS, np.float64))
    labels, confidence = np.asarray(LABELS), p.max(-1)
    right, error = p.argmax(-1) == labels, 0.0
    found = diagnostics.calibration(LOG_PROBS, LABELS, num_bins=bins)
    for b in range(bins):
        inside = (confidence >= b / bins) & (confidence < (b + 1) / bins)
        assert found.count[b] == inside.sum()
        if inside.any():
            gap = abs(right[inside].mean() - confidence[inside].mean())
            error += inside.mean() * gap
            np.testing.assert_allclose(
                found.accuracy[b], right[inside].mean(), rtol=1e-5
            )
    np.testing.assert_allclose(found.error, error, rtol=1e-4)
    one_hot = np.eye(4)[labels]
    np.testing.assert_allclose(
        found.brier_score, ((p - one_hot) ** 2).sum(-1).mean(), rtol=1e-5
    )
    nll = -np.log(p[np.arange(200), labels]).mean()
    np.testing.assert_allclose(found.negative_log_likelihood, nll, rtol=1e-5)


def test_certain_and_right_predictions_are_calibrated():
    log_probs = jnp.log(jnp.eye(3))
    found = jax.jit(diagnostics.calibration)(log_probs, jnp.arange(3))
    assert found.error == 0 and found.brier_score == 0
    assert found.negative_log_likelihood == 0
    assert found.count.tolist() == [0] * 14 + [3]


def test_bad_calibration_arguments_are_errors():
    with pytest.raises(ValueError, match=r"\[B, C\] and labels \[B\].*\(200, 4\) and"):
        diagnostics.calibration(LOG_PROBS, LABELS[:3])
    with pytest.raises(ValueError, match="num_bins must be at least 1, got 0"):
        diagnostics.calibration(LOG_PROBS, LABELS, num_bins=0)


def test_the_report_warns_of_dead_units():
    """Two of four units of a layer are never active."""
    x, y = jnp.ones((5, 3)), jnp.zeros(5, int)
    signs = jnp.array([1.0, -1.0, -1.0, 1.0])

    def apply(w, key, x):
        net = (x @ w) * signs[None] + 0.01 * jax.random.normal(key, (5, 4))
        return net, {"first": net, "all": jnp.abs(net)}

    with pytest.warns(UserWarning, match="50% of the units of pre-activations first"):
        report = diagnostics.report_noise(
            jax.random.key(0), apply, jnp.ones((3, 4)), x, y, num_samples=2, num_draws=2
        )
    assert report.dead_share["first"] == 0.5 and report.dead_share["all"] == 0

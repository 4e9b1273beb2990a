"""Formulas of back-projection: steps, losses, residuals, limits, convergence."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from noisejax import backprojection as bp
from noisejax import noise
from tests.backprojection.networks import (
    conv_features,
    conv_problem,
    features_fn,
    inputs,
    make_key,
    make_params,
    noisy_features,
    problem,
)

pytestmark = pytest.mark.usefixtures("strict_promotion")


def numpy_descent(params, x, targets, rates, weights, num_steps):
    """Compute descent at given rates, with derivatives written by hand."""
    w1, w2 = (np.asarray(w, np.float64) for w in params)
    x = np.asarray(x, np.float64)
    t1, t2 = (np.asarray(t, np.float64) for t in targets)
    losses = []
    for i in range(num_steps + 1):
        h1 = np.maximum(x @ w1, 0)
        h2 = np.maximum(h1 @ w2, 0)
        e1, e2 = h1 - t1, h2 - t2
        losses.append(
            weights[0] * (e1**2).mean(1).sum() + weights[1] * (e2**2).mean(1).sum()
        )
        if i == num_steps:
            break
        g1 = (2 / e1.shape[1] * e1 * (h1 > 0)) @ w1.T
        back = (2 / e2.shape[1] * e2 * (h2 > 0)) @ w2.T
        g2 = (back * (h1 > 0)) @ w1.T
        x = x - rates[0] * weights[0] * g1 - rates[1] * weights[1] * g2
    residuals = [(e**2).sum(1) / (t**2).sum(1) for e, t in ((e1, t1), (e2, t2))]
    return x, np.array(losses), np.array(residuals)


def test_pinned_step_losses_and_residuals():
    params, x, targets = problem()
    rates, weights = (2.0, 1.5), (1.0, 0.5)
    expected = numpy_descent(params, x, targets, rates, weights, 7)
    found = bp.back_project(
        features_fn,
        params,
        x,
        targets,
        num_steps=7,
        method=bp.gradient_descent(rates),
        layer_weights=weights,
    )
    np.testing.assert_allclose(found.x_star, expected[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.loss, expected[1], rtol=1e-4)
    np.testing.assert_allclose(found.residual_after, expected[2], rtol=1e-4)
    before = numpy_descent(params, x, targets, rates, weights, 0)[2]
    np.testing.assert_allclose(found.residual_before, before, rtol=1e-4)


METHODS = {
    "stable": lambda *_: bp.stable_descent(),
    "momentum": lambda *_: bp.stable_descent(momentum=True),
    "preconditioned": lambda f, p, x: bp.preconditioned(bp.preconditioner(f, p, x)),
    "of the batch": lambda *_: bp.preconditioned(),
}


@pytest.mark.parametrize("name", METHODS)
def test_linear_layer_has_the_closed_form(name):
    rng = np.random.default_rng(0)
    w = jnp.asarray(np.eye(5) + 0.2 * rng.normal(size=(5, 5)), jnp.float32)
    linear = lambda w, x: (x @ w,)
    x = inputs(3, 5)
    target = noise.dropout(make_key(), x @ w, rate=0.5)
    found = bp.back_project(
        linear, w, x, (target,), num_steps=1000, method=METHODS[name](linear, w, x)
    )
    closed = np.asarray(target, np.float64) @ np.linalg.inv(np.asarray(w, np.float64))
    np.testing.assert_allclose(found.x_star, closed, atol=1e-3)


@pytest.mark.parametrize(
    "method",
    [
        bp.stable_descent(),
        bp.preconditioned(),
        bp.gradient_descent((300.0, 30.0)),
    ],
)
def test_rate_0_stays_at_once(method):
    params, x, targets = problem(scheme=noise.Dropout(0.0))
    found = jax.jit(
        lambda p, t: bp.back_project(features_fn, p, x, t, method=method, num_steps=3)
    )(params, targets)
    np.testing.assert_allclose(found.x_star, x, atol=1e-5)
    assert not found.diverged.any()
    np.testing.assert_array_less(found.residual_after, 1e-10)


def test_curvature_is_the_largest_eigenvalue():
    """Compare with explicit Jacobians of every example."""
    params, x = make_params(), inputs()
    weights = (0.7, 2.0)
    found = bp.curvature(features_fn, params, x, layer_weights=weights)
    joined = lambda x: jnp.concatenate(features_fn(params, x[None]), 1)[0]
    jacobians = np.asarray(jax.vmap(jax.jacobian(joined))(x))
    scales = np.repeat(2 * np.array(weights) / [30, 20], [30, 20])
    expected = np.linalg.eigvalsh(
        np.einsum("bui,u,buj->bij", jacobians, scales, jacobians)
    )[:, -1]
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_residuals_of_dropped_paths_are_finite():
    """Residuals are relative to the target or, if it is 0, to the activations at x."""

    def layers(params, x):
        return x, jax.nn.relu(x - params), 2 * x

    x = jnp.full((2, 3), 0.5)
    targets = (0.8 * x, jnp.zeros((2, 3)), jnp.zeros((2, 3)).at[0].set(0.5))
    found = bp.back_project(
        layers,
        jnp.float32(1),
        x,
        targets,
        num_steps=1,
        method=bp.gradient_descent((0.3, 0.3, 0.3)),
    )
    before, after = ([np.asarray(f) for f in layers(1.0, z)] for z in (x, found.x_star))
    for residual, features in (
        (found.residual_before, before),
        (found.residual_after, after),
    ):
        np.testing.assert_allclose(
            residual[0], ((features[0] - 0.4) ** 2).sum(1) / (3 * 0.16), rtol=1e-5
        )
        np.testing.assert_array_equal(residual[1], [0, 0])
        np.testing.assert_allclose(
            residual[2],
            [
                ((features[2][0] - 0.5) ** 2).sum() / (3 * 0.25),
                (features[2][1] ** 2).sum() / (before[2][1] ** 2).sum(),
            ],
            rtol=1e-5,
        )
    assert float(found.residual_before[2, 1]) == 1
    assert 0 < float(found.residual_after[2, 1]) < 1


RATES = (300.0, 30.0)
SIZES = (784, 2500, 2500)
"""Those of the paper, section 5.2."""


@pytest.mark.parametrize(("gain", "diverges"), [(1.0, False), (4.0, True)])
def test_the_papers_rates(gain, diverges):
    """Descent is stable for Glorot's weights, and unstable for four times those."""
    params = make_params(gain, SIZES)
    rng = np.random.default_rng(1)
    x = jnp.asarray(rng.random((4, 784)) < 0.19, jnp.float32)  # few bright pixels
    targets = noisy_features(make_key(), params, x, noise.Dropout(0.5))
    method = bp.gradient_descent(RATES)
    found = bp.back_project(features_fn, params, x, targets, method=method)
    curvature = bp.curvature(features_fn, params, x, layer_weights=RATES)
    assert bool((curvature > 2).any()) == diverges == bool(found.diverged.any())
    if not diverges:
        assert (np.diff(found.loss) < 0).all()
        assert float(found.loss[-1]) < 0.7 * float(found.loss[0])


def test_the_first_stable_step_is_one_over_the_largest_eigenvalue():
    params, x, targets = problem()
    largest = np.asarray(bp.curvature(features_fn, params, x))
    found = bp.back_project(features_fn, params, x, targets, num_steps=1)
    unit = bp.back_project(
        features_fn,
        params,
        x,
        targets,
        num_steps=1,
        method=bp.gradient_descent((1e-3, 1e-3)),
    )
    step, gradient = (np.asarray(f.x_star - x) for f in (found, unit))
    ratio = 1e-3 * (step * gradient).sum(1) / (gradient**2).sum(1)
    assert ((0.85 / largest < ratio) & (ratio < 1.2 / largest)).all()


def test_preconditioned_beats_stable_at_equal_steps():
    params, x, targets = problem(gain=2.0)
    setup = bp.preconditioner(features_fn, params, inputs(128))
    run = lambda m, n: bp.back_project(
        features_fn, params, x, targets, method=m, num_steps=n
    ).loss[-1]
    assert run(bp.preconditioned(setup), 5) < run(bp.stable_descent(), 5)
    assert run(bp.preconditioned(setup), 8) < run(bp.stable_descent(), 20)


def test_setup_is_the_mean_curvature():
    """Compare with explicit Jacobians; random probes require the tolerance."""
    params, x = make_params(), inputs(200)
    setup = bp.preconditioner(features_fn, params, x, damping=0.1)
    jac = jax.vmap(jax.jacobian(lambda x: features_fn(params, x[None])[1][0]))(x)
    mean = 2 / 20 * np.einsum("bui,buj->ij", jac, jac) / 200
    added = 0.1 * np.trace(mean) / 12 * np.eye(12)
    inverse = np.linalg.inv(setup.inverses[2])
    error = np.linalg.norm(inverse - mean - added) / np.linalg.norm(mean)
    assert error < 0.3, error


def test_convolutional():
    params, x, targets = conv_problem()
    setup = bp.preconditioner(conv_features, params, x)
    for method in (
        bp.preconditioned(setup),
        bp.stable_descent(momentum=True),
    ):
        found = bp.back_project(
            conv_features, params, x, targets, method=method, num_steps=10
        )
        assert found.x_star.shape == x.shape and not found.diverged.any()
        assert float(found.loss[-1]) < 0.5 * float(found.loss[0])

"""What is computed: the pinned step, losses, residuals, limits, laws of convergence."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from noisejax import backprojection as bp
from noisejax import noise, objectives, training
from noisejax.backprojection._objective import Objective
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
    """The step as it is pinned, with derivatives written by hand."""
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


def test_gradient_and_curvature_against_finite_differences():
    params, x, targets = problem()

    def smooth(x):
        hidden = jnp.tanh(x @ params[0])
        return hidden, jnp.tanh(hidden @ params[1])

    weights = jnp.array([0.7, 2.0])
    objective = Objective(smooth, targets, weights)
    _, gradient = objective.evaluate(x, weights)
    value = lambda x: objective.per_example(objective.squared_errors(x))
    v = jnp.asarray(np.random.default_rng(2).normal(size=x.shape), jnp.float32)
    numeric = (value(x + 1e-2 * v) - value(x - 1e-2 * v)) / 2e-2
    np.testing.assert_allclose((gradient * v).sum(1), numeric, rtol=2e-2, atol=1e-3)
    jacobians = jax.jacobian(lambda x: jnp.concatenate(smooth(x[None]), 1)[0])(x[0])
    scales = np.repeat(2 * np.asarray(weights) / [30, 20], [30, 20])
    curvature = np.asarray(jacobians).T @ (scales[:, None] * np.asarray(jacobians))
    got = objective.curvature(x)(v)[0]
    np.testing.assert_allclose(got, curvature @ np.asarray(v[0]), rtol=1e-4, atol=1e-5)


def test_nothing_to_reach_is_no_residual():
    zero = lambda params, x: (jax.nn.relu(x - params),)
    x = jnp.full((2, 3), 0.5)
    found = bp.back_project(zero, jnp.float32(1), x, (jnp.zeros((2, 3)),), num_steps=2)
    np.testing.assert_array_equal(found.residual_before, [[0, 0]])
    np.testing.assert_array_equal(found.residual_after, [[0, 0]])
    np.testing.assert_array_equal(found.x_star, x)


PAPER_RATES = (300.0, 30.0)
PAPER_SIZES = (784, 2500, 2500)


def strokes(batch):
    """Images of as few bright pixels as digits have, and classes."""
    rng = np.random.default_rng(1)
    prototypes = rng.random((10, 784)) < 0.19
    labels = rng.integers(0, 10, batch)
    bright = prototypes[labels] ^ (rng.random((batch, 784)) < 0.02)
    return jnp.asarray(bright, jnp.float32), jnp.asarray(labels)


def at_the_papers_rates(params, x, num_steps):
    targets = noisy_features(make_key(), params, x, noise.Dropout(0.5))
    found = jax.jit(
        lambda p, x, t: bp.back_project(
            features_fn,
            p,
            x,
            t,
            method=bp.gradient_descent(PAPER_RATES),
            num_steps=num_steps,
        )
    )(params, x, targets)
    bound = bp.curvature(features_fn, params, x, layer_weights=PAPER_RATES).max()
    return found, float(bound)


def test_the_papers_rates_converge_from_glorot_initialisation():
    x, _ = strokes(16)
    found, curvature = at_the_papers_rates(make_params(1.0, PAPER_SIZES), x, 20)
    assert curvature < 2 and not found.diverged.any()
    assert (np.diff(found.loss) < 0).all()
    assert float(found.loss[-1]) < 0.7 * float(found.loss[0])


def test_the_papers_rates_diverge_on_a_trained_net_and_the_error_says_so():
    """From He's initialisation, 30 steps of momentum: first weights grow."""
    x, labels = strokes(512)
    sizes = (*PAPER_SIZES, 10)
    rng = np.random.default_rng(0)
    params = [
        jnp.asarray(rng.normal(size=s) * np.sqrt(2 / s[0]), jnp.float32)
        for s in zip(sizes[:-1], sizes[1:], strict=True)
    ]

    def loss(params, key, x, labels):
        hidden = noisy_features(key, params[:2], x, noise.Dropout(0.5))[-1]
        return -objectives.label_log_prob(hidden @ params[2], labels).mean()

    @jax.jit
    def train(params):
        def step(state, i):
            params, velocity = state
            key_rows, key = jax.random.split(jax.random.fold_in(make_key(), i))
            rows = jax.random.randint(key_rows, (32,), 0, len(x))
            gradient = jax.grad(loss)(params, key, x[rows], labels[rows])
            velocity = jax.tree.map(lambda v, g: 0.9 * v + g, velocity, gradient)
            return (jax.tree.map(lambda p, v: p - 0.05 * v, params, velocity), velocity)

        start = params, jax.tree.map(jnp.zeros_like, params)
        return jax.lax.fori_loop(0, 30, lambda i, state: step(state, i), start)[0]

    trained = train(params)[:2]
    found, curvature = at_the_papers_rates(trained, x[:16], 20)
    assert curvature > 2 and found.diverged.any()
    run = lambda method: training.project_dataset(
        features_fn,
        trained,
        np.asarray(x[:16]),
        lambda params, key, x: noisy_features(key, params, x, noise.Dropout(0.5)),
        key=make_key(),
        method=method,
        progress=False,
    )
    with pytest.raises(FloatingPointError, match=r"300, 30 are too large.*stable"):
        run(bp.gradient_descent(PAPER_RATES))
    stable = run(bp.stable_descent())
    assert (stable.residual_after < stable.residual_before).all()
    assert stable.residual_after.mean() < 0.8 * stable.residual_before.mean()


def test_stable_step_follows_the_largest_eigenvalue():
    params, x, targets = problem()
    weights = jnp.ones(2)
    objective = Objective(lambda x: features_fn(params, x), targets, weights)
    _, gradient = objective.evaluate(x, weights)
    step = bp.stable_descent().first_step(objective, x, gradient)
    for i in range(x.shape[0]):
        jac = jax.jacobian(lambda x: jnp.concatenate(features_fn(params, x[None]), 1))
        j = np.asarray(jac(x[i])[0])
        scales = np.repeat([2 / 30, 2 / 20], [30, 20])
        largest = np.linalg.eigvalsh(j.T @ (scales[:, None] * j))[-1]
        assert 0.85 / largest < float(step[i]) < 1.2 / largest


def test_preconditioned_beats_stable_at_equal_steps():
    params, x, targets = problem(gain=2.0)
    setup = bp.preconditioner(features_fn, params, inputs(128))
    run = lambda m, n: bp.back_project(
        features_fn, params, x, targets, method=m, num_steps=n
    ).loss[-1]
    assert run(bp.preconditioned(setup), 5) < run(bp.stable_descent(), 5)
    assert run(bp.preconditioned(setup), 8) < run(bp.stable_descent(), 20)


def test_setup_is_the_mean_curvature():
    """Against Jacobians written out; the probes are random, hence the tolerance."""
    params, x = make_params(), inputs(200)
    setup = bp.preconditioner(features_fn, params, x, damping=0.1)
    jac = jax.vmap(jax.jacobian(lambda x: features_fn(params, x[None])[1][0]))(x)
    mean = 2 / 20 * np.einsum("bui,buj->ij", jac, jac) / 200
    added = 0.1 * np.trace(mean) / 12 * np.eye(12)
    inverse = np.linalg.inv(setup.solver.inverses[2])
    error = np.linalg.norm(inverse - mean - added) / np.linalg.norm(mean)
    assert error < 0.3, error


@pytest.mark.parametrize("kind", ["auto", "dense"])
def test_convolutional(kind):
    params, x, targets = conv_problem()
    setup = bp.preconditioner(conv_features, params, x, kind=kind)
    run = lambda m: bp.back_project(
        conv_features, params, x, targets, method=m, num_steps=15
    )
    found, plain = run(bp.preconditioned(setup)), run(bp.stable_descent())
    assert found.x_star.shape == x.shape and not found.diverged.any()
    assert float(plain.loss[-1]) < 0.5 * float(plain.loss[0])
    assert float(found.loss[-1]) < 0.5 * float(found.loss[0])
    if kind == "auto":
        assert type(setup.solver).__name__ == "Fourier"


def test_fourier_is_exact_where_all_places_are_alike():
    """A circular convolution, linear: one undamped step solves it."""
    kernel = jnp.asarray(np.random.default_rng(0).normal(size=(8, 8)), jnp.float32)

    def circular(kernel, x):
        waves = jnp.fft.rfft2(x[..., 0]) * jnp.fft.rfft2(kernel)[None]
        return (jnp.fft.irfft2(waves, (8, 8))[..., None],)

    x = jnp.asarray(np.random.default_rng(1).normal(size=(3, 8, 8, 1)), jnp.float32)
    setup = bp.preconditioner(circular, kernel, x, kind="fourier", damping=1e-4)
    targets = (jnp.flip(circular(kernel, x)[0], 1),)
    run = lambda m: bp.back_project(
        circular, kernel, x, targets, num_steps=12, method=m
    ).residual_after.max()
    assert run(bp.preconditioned(setup)) < 1e-2
    assert run(bp.stable_descent()) > 0.05

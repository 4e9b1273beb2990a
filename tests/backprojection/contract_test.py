"""Contract of back_project: transforms, layers, bounds, precision, errors."""

import re

import chex
import jax
import numpy as np
import optax
import pytest
from jax import numpy as jnp

from noisejax import backprojection as bp
from noisejax import models, noise
from tests.backprojection.networks import (
    features_fn,
    inputs,
    make_key,
    make_params,
    problem,
)

METHODS = [
    bp.stable_descent(),
    bp.preconditioned(),
    bp.gradient_descent((2.0, 1.0)),
    bp.from_optax(optax.adam(0.05)),
]


def project(params, x, targets, **options):
    return bp.back_project(
        features_fn, params, x, targets, **{"num_steps": 6} | options
    )


def close(a, b, **tolerance):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(
            a, b, **{"rtol": 1e-3, "atol": 1e-4} | tolerance
        ),
        a,
        b,
    )


@pytest.mark.parametrize("method", METHODS, ids=lambda m: type(m).__name__)
def test_jit_is_eager_and_vmap_a_loop(method):
    params, x, targets = problem()
    once = project(params, x, targets, method=method)
    assert float(once.loss[-1]) < 0.9 * float(once.loss[0])
    close(jax.jit(lambda *a: project(*a, method=method))(params, x, targets), once)
    both = jax.tree.map(lambda a: jnp.stack([a, 0.5 * a]), (params, x, targets))
    mapped = jax.vmap(lambda *a: project(*a, method=method))(*both)
    for i in range(2):
        alone = project(*jax.tree.map(lambda a, i=i: a[i], both), method=method)
        close(jax.tree.map(lambda a, i=i: a[i], mapped), alone)


@pytest.mark.parametrize("method", METHODS[:1] + METHODS[2:])
def test_examples_do_not_depend_on_each_other(method):
    params, x, targets = problem()
    together = project(params, x, targets, method=method)
    alone = project(params, x[2:3], [t[2:3] for t in targets], method=method)
    np.testing.assert_allclose(together.x_star[2:3], alone.x_star, rtol=1e-3, atol=1e-4)


def test_new_parameters_do_not_recompile():
    params, x, targets = problem()
    traced = chex.assert_max_traces(features_fn, n=8)
    counted = 0

    def counting(params, x):
        nonlocal counted
        counted += 1
        return traced(params, x)

    run = jax.jit(
        lambda p, m: bp.back_project(counting, p, x, targets, num_steps=2, method=m)
    )
    setups = [bp.preconditioner(features_fn, p, x) for p in (params, make_params(2.0))]
    run(params, bp.preconditioned(setups[0]))
    first = counted
    run(make_params(2.0), bp.preconditioned(setups[1]))
    assert counted == first
    bp.back_project(counting, params, x, targets, num_steps=2)
    eager = counted
    bp.back_project(counting, make_params(2.0), x, targets, num_steps=2)
    assert counted <= eager + 1, "only the shapes are looked at again"
    chex.clear_trace_counter()


def test_setup_within_jit_is_the_one_outside():
    params, x, targets = problem()

    @jax.jit
    def both(params):
        setup = bp.preconditioner(features_fn, params, x)
        return project(params, x, targets, method=bp.preconditioned(setup))

    setup = bp.preconditioner(features_fn, params, x)
    outside = project(params, x, targets, method=bp.preconditioned(setup))
    close(both(params), outside)


@pytest.mark.parametrize("method", METHODS[:3], ids=lambda m: type(m).__name__)
def test_per_layer_is_each_layer_alone(method):
    params, x, targets = problem()
    weights = (1.0, 3.0)
    found = project(
        params, x, targets, method=method, per_layer=True, layer_weights=weights
    )
    assert found.x_star.shape == (2, *x.shape) and found.loss.shape == (2, 7)
    assert found.residual_after.shape == (2, 6) and found.diverged.shape == (6,)
    for i in range(2):
        alone = bp.back_project(
            lambda p, x, i=i: (features_fn(p, x)[i],),
            params,
            x,
            (targets[i],),
            num_steps=6,
            method=method.layer(i) if "Gradient" in type(method).__name__ else method,
            layer_weights=(weights[i],),
        )
        # The random signs of a set-up for one layer are others than for two.
        random = isinstance(method, type(bp.preconditioned()))
        tolerance = 0.3 if random else 0.01
        np.testing.assert_allclose(found.loss[i], alone.loss, rtol=tolerance)
        if not random:
            close(found.x_star[i], alone.x_star)
            close(found.residual_after[i : i + 1], alone.residual_after)


@pytest.mark.parametrize("method", METHODS, ids=lambda m: type(m).__name__)
def test_bounds_are_kept_and_used(method):
    params, x, targets = problem(gain=2.0)
    bounds = (0.2, 0.7)
    found = project(params, x, targets, method=method, bounds=bounds, num_steps=10)
    x_star = np.asarray(found.x_star)
    assert x_star.min() >= np.float32(0.2) and x_star.max() <= np.float32(0.7)
    assert (x_star == np.float32(0.2)).any() and (x_star != np.asarray(x)).any()
    free = project(params, x, targets, method=method, num_steps=10)
    assert np.asarray(free.x_star).min() < 0.2


SCHEMES = [
    noise.Dropout(0.5),
    noise.Dropout(0.5, scale=False),
    noise.RandomDropout(0.5),
    noise.GaussianDropout(0.3),
    noise.GaussianNoise(0.1),
    noise.DropPath(0.3),
]


@pytest.mark.parametrize("scheme", SCHEMES, ids=repr)
def test_targets_from_each_scheme(scheme):
    found = project(*problem(scheme=scheme), num_steps=20)
    assert not found.diverged.any()
    assert float(found.loss[-1]) < float(found.loss[0])
    assert (np.diff(np.asarray(found.loss)) <= 1e-6).all()


def test_targets_from_replayed_and_hand_made_samples():
    params, x = make_params()[:1], inputs()
    h = features_fn(params, x)[0]
    unit = int(jnp.argmax(h[0]))
    mask = noise.mask_sample(jnp.arange(30)[None] != unit)
    target = noise.apply(h, mask)
    one = bp.back_project(features_fn, params, x, (target,), num_steps=200)
    before = np.asarray(h)[0, unit]
    after = np.asarray(features_fn(params, one.x_star)[0])[0, unit]
    assert after < 0.7 * before, "the unit that was shut off is less active"
    sample = noise.Dropout(0.5).sample(make_key(), h.shape)
    replayed = [
        bp.back_project(features_fn, params, x, (noise.apply(h, sample),))
        for _ in range(2)
    ]
    np.testing.assert_array_equal(replayed[0].x_star, replayed[1].x_star)


LAST = (((1,), (0,)), ((), ()))


def low_features(params, x):
    """The products are in bfloat16, and the network is in float32."""
    out = []
    for w in params:
        x = jax.nn.relu(models.bfloat16_products(x, w, LAST))
        out.append(x)
    return tuple(out)


def cast_features(params, x):
    """The whole network is in bfloat16."""
    cast = lambda a: a.astype(jnp.bfloat16)
    return features_fn(jax.tree.map(cast, params), cast(x))


@jax.custom_vjp
def reverse_only(x, w):
    """A user's product without a forward-mode derivative is accepted."""
    return x @ w


reverse_only.defvjp(
    lambda x, w: (reverse_only(x, w), (x, w)),
    lambda saved, g: (g @ saved[1].T, saved[0].T @ g),
)


def reverse_only_features(params, x):
    hidden = jax.nn.relu(reverse_only(x, params[0]))
    return hidden, jax.nn.relu(reverse_only(hidden, params[1]))


@pytest.mark.parametrize("method", METHODS[:2], ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("low", [low_features, cast_features, reverse_only_features])
def test_other_products_reach_the_same_objective(low, method):
    params, x, targets = problem(batch=64)
    full = project(params, x, targets, method=method, num_steps=20)
    found = bp.back_project(low, params, x, targets, method=method, num_steps=20)
    assert found.x_star.dtype == found.loss.dtype == jnp.float32
    reached = features_fn(params, found.x_star)
    loss = sum(
        ((f - t) ** 2).mean(1).sum() for f, t in zip(reached, targets, strict=True)
    )
    np.testing.assert_allclose(loss, full.loss[-1], rtol=0.01)


def test_a_backward_pass_without_derivative_is_an_error_that_helps():
    @jax.custom_vjp
    def kernel(x):
        return jnp.tanh(x)

    def backward(y, g):
        numpy = lambda y, g: g * (1 - y**2)
        return (jax.pure_callback(numpy, g, y, g),)

    kernel.defvjp(lambda x: (kernel(x), kernel(x)), backward)
    f = lambda params, x: (kernel(x @ params[0]),)
    params, x = make_params(), inputs()
    targets = tuple(0.5 * t for t in f(params, x))
    for method in METHODS[:2]:
        with pytest.raises(TypeError, match=r"gradient_descent\(rates\) or from_optax"):
            bp.back_project(f, params, x, targets, method=method)
    found = bp.back_project(
        f, params, x, targets, method=bp.gradient_descent(1.0), num_steps=5
    )
    assert (np.diff(found.loss) < 0).all()


def test_no_gradient_of_a_weight_is_computed():
    """No product in the compiled program has the shape of a weight."""
    params, x, targets = problem()

    def shapes(function, *args):
        text = jax.jit(function).lower(*args).as_text()
        results = re.findall(r"dot_general.*-> tensor<(\S+)xf32>", text)
        return {tuple(map(int, result.split("x"))) for result in results}

    weights = {w.shape for w in params} | {w.shape[::-1] for w in params}
    found = shapes(lambda p: project(p, x, targets).x_star, params)
    assert (6, 30) in found and not found & weights
    gradient = jax.grad(lambda p: features_fn(p, x)[1].sum())
    assert shapes(gradient, params) & weights, "the test would see one"


TRANSFORMATIONS = {
    "lbfgs": optax.lbfgs(),
    "lbfgs with backtracking": optax.lbfgs(
        linesearch=optax.scale_by_backtracking_linesearch(max_backtracking_steps=10)
    ),
    "polyak_sgd": optax.polyak_sgd(max_learning_rate=2.0),
    "reduce_on_plateau": optax.chain(
        optax.sgd(2.0), optax.contrib.reduce_on_plateau(patience=2)
    ),
    "backtracking": optax.chain(
        optax.sgd(50.0), optax.scale_by_backtracking_linesearch(10)
    ),
}


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_optax_transformations_that_need_values(name):
    """The result equals an Optax loop over each example."""
    params, x, targets = problem()
    tx = TRANSFORMATIONS[name]
    found = project(params, x, targets, method=bp.from_optax(tx), num_steps=4)
    assert float(found.loss[-1]) < 0.9 * float(found.loss[0])

    def objective(x):
        pairs = zip(features_fn(params, x[None]), targets, strict=True)
        return sum(((f[0] - t[2]) ** 2).mean() for f, t in pairs)

    @jax.jit
    def step(x, state):
        value, gradient = jax.value_and_grad(objective)(x)
        updates, state = optax.with_extra_args_support(tx).update(
            gradient, state, x, value=value, grad=gradient, value_fn=objective
        )
        return x + updates, state

    state = one, _ = x[2], tx.init(x[2])
    for _ in range(4):
        state = one, _ = step(*state)
    np.testing.assert_allclose(found.x_star[2], one, rtol=1e-3, atol=1e-4)


def test_divergence_is_flagged():
    params, x, targets = problem()
    wild = project(params, x, targets, method=bp.gradient_descent((1e4, 1e4)))
    assert wild.diverged.all()
    broken = project(params, x.at[0].set(jnp.nan), targets)
    np.testing.assert_array_equal(broken.diverged, [True] + 5 * [False])


def test_methods_are_hashable_values():
    assert bp.gradient_descent([3, 2]) == bp.gradient_descent((3.0, 2.0))
    assert len({hash(bp.stable_descent()), hash(bp.stable_descent())}) == 1
    setup = bp.preconditioner(features_fn, make_params(), inputs())
    assert jax.tree.leaves(bp.preconditioned(setup)) and not jax.tree.leaves(METHODS[0])
    hash(bp.preconditioned(setup))


PARAMS, X, TARGETS = problem()

ERRORS = {
    "number of targets": (dict(targets=TARGETS[:1]), ValueError, "got 1 for 2 layers"),
    "shape of targets": (
        dict(targets=(TARGETS[0], TARGETS[0])),
        ValueError,
        r"layer 1 has features \(6, 20\) and a target \(6, 30\)",
    ),
    "targets an array": (dict(targets=TARGETS[0]), TypeError, "must be a tuple"),
    "integer targets": (
        dict(targets=tuple(jnp.ones(t.shape, int) for t in TARGETS)),
        TypeError,
        "floating array .*; the target of layer 0",
    ),
    "number of weights": (dict(layer_weights=(1.0,)), ValueError, "2 finite numbers"),
    "negative weight": (dict(layer_weights=(1.0, -1.0)), ValueError, "not below 0"),
    "infinite weight": (dict(layer_weights=(1.0, np.inf)), ValueError, "finite"),
    "no steps": (dict(num_steps=0), ValueError, "integer above 0; got 0"),
    "half a step": (dict(num_steps=0.5), TypeError, "integer above 0; got 0.5"),
    "bounds": (dict(bounds=(1.0, 0.0)), ValueError, r"lo < hi; got \(1, 0\)"),
    "one bound": (dict(bounds=1.0), TypeError, "pair of numbers"),
    "rates": (
        dict(method=bp.gradient_descent((1.0,))),
        ValueError,
        r"rate per layer, here 2; got \(1",
    ),
    "method": (dict(method="stable"), TypeError, "stable_descent, .*got str"),
    "no tuple": (dict(features_fn=lambda p, x: x), TypeError, "must return a tuple"),
    "no batch": (
        dict(features_fn=lambda p, x: (x.sum(0),)),
        ValueError,
        "the 6 examples of x; layer 0",
    ),
    "no function": (dict(features_fn=3), TypeError, "got int"),
    "integer x": (dict(x=jnp.ones((6, 12), int)), TypeError, "floating array"),
    "scalar examples": (dict(x=jnp.ones(6)), ValueError, r"\[B, ...\]"),
    "setup": (
        dict(
            method=bp.preconditioned(
                bp.preconditioner(lambda p, x: (x,), None, inputs(8, 5))
            )
        ),
        ValueError,
        r"it is for 1 layers and examples of shape \(5,\), got 2 layers",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    changes, error, match = ERRORS[name]
    arguments = dict(features_fn=features_fn, params=PARAMS, x=X, targets=TARGETS)
    arguments |= changes
    positional = [arguments.pop(k) for k in ("features_fn", "params", "x", "targets")]
    with pytest.raises(error, match=match):
        bp.back_project(*positional, **arguments)


@pytest.mark.parametrize("rates", [(), (0.0,), (-1.0,), (np.nan,), (np.inf,), [[1.0]]])
def test_bad_rates(rates):
    with pytest.raises(ValueError, match="numbers above 0, one per layer"):
        bp.gradient_descent(rates)


def test_errors_of_the_makers():
    with pytest.raises(TypeError, match="numbers above 0"):
        bp.gradient_descent("fast")
    with pytest.raises(TypeError, match="preconditioner.*got ndarray"):
        bp.preconditioned(np.eye(3))
    with pytest.raises(TypeError, match="optax.adam.*got float"):
        bp.from_optax(0.1)
    f = lambda p, x: (x,)
    with pytest.raises(ValueError, match=r"at most 4096; got 5000.*stable_descent\("):
        bp.preconditioner(f, None, jnp.ones((1, 5000)))
    with pytest.raises(ValueError, match="damping must be"):
        bp.preconditioner(f, None, X, damping=0.0)


def test_augmentation_measures():
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(9, 4)).astype("f"), np.arange(9) % 3
    got = bp.class_distances(jnp.asarray(x), jnp.asarray(labels), num_classes=3)
    for i in range(3):
        for j in range(3):
            a, b = x[labels == i], x[labels == j]
            squares = ((a[:, None] - b[None]) ** 2).sum(-1)
            pairs = squares.size - (len(a) if i == j else 0)
            np.testing.assert_allclose(
                got[i, j], np.sqrt(squares.sum() / pairs), rtol=1e-4
            )
    star = jnp.asarray(rng.normal(size=(2, 9, 4)), jnp.float32)
    expected = np.linalg.norm(np.asarray(star) - x, axis=-1)
    np.testing.assert_allclose(bp.distances(jnp.asarray(x), star), expected, rtol=1e-5)
    with pytest.raises(ValueError, match="x_star must have"):
        bp.distances(jnp.asarray(x), star[0, :3])
    with pytest.raises(ValueError, match="labels must be one per example"):
        bp.class_distances(jnp.asarray(x), jnp.arange(3), num_classes=3)
    with pytest.raises(ValueError, match="outputs of x and x"):
        bp.agreement(jnp.ones((2, 3)), jnp.ones((2, 2)))

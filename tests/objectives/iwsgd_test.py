"""IWSGD: eqs. 4, 7, 8; one sample is dropout; all exact strategies agree."""

import functools

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from noisejax import noise, objectives
from tests.noise.schemes import SCHEMES
from tests.objectives.networks import (
    BATCH,
    batch,
    draw,
    key,
    log_prob,
    make_log_prob,
    params,
)

EXACT = ("vmap", "map", "fold")
STRATEGIES = (*EXACT, "resample")
S = 4


def stacked(scheme, num_samples=S):
    keys = jax.random.split(key(3), num_samples)
    return jax.vmap(lambda k: draw(scheme, k, BATCH))(keys)


def value_and_grad(strategy, noise_, *, num_samples=S, fn=log_prob, **kwargs):
    loss_fn = objectives.iwsgd(fn, num_samples=num_samples, strategy=strategy, **kwargs)
    return jax.jit(jax.value_and_grad(loss_fn, has_aux=True))(
        params(), noise_, *batch()
    )


def with_aux(p, noise_, x, y):
    log_probs = log_prob(p, noise_, x, y)
    return log_probs, {"x": x, "log_probs": log_probs}


@functools.cache
def keyed(strategy):
    """Return one result per strategy, which several tests read."""
    return value_and_grad(strategy, key(5), fn=with_aux, has_aux=True)


def assert_trees_close(a, b, **tolerance):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(x, y, **tolerance)


@functools.cache
def samples_one_by_one():
    """Return noise, log-likelihoods and Jacobians of each sample, in float64."""
    p, (x, y) = params(jnp.float64), batch(jnp.float64)
    samples = stacked(noise.Dropout(0.4))
    run = lambda fn: jax.jit(jax.vmap(fn, (None, 0, None, None)))(p, samples, x, y)
    return samples, np.asarray(run(log_prob)), run(jax.jacobian(log_prob))


@pytest.mark.parametrize("strategy", EXACT)
def test_gradient_is_the_explicit_weighted_sum(strategy):
    """Eq. 7 in float64: Σ_s w_s ∇ log p_s, to 1e-10."""
    with jax.enable_x64(True):
        p, (x, y) = params(jnp.float64), batch(jnp.float64)
        samples, log_probs, jacobians = samples_one_by_one()
        for weighting in ("importance", "equal"):
            loss_fn = objectives.iwsgd(
                log_prob, num_samples=S, strategy=strategy, weighting=weighting
            )
            (loss, aux), gradient = jax.jit(jax.value_and_grad(loss_fn, has_aux=True))(
                p, samples, x, y
            )
            if weighting == "importance":
                weights = np.exp(log_probs) / np.exp(log_probs).sum(0)
                expected = -np.log(np.exp(log_probs).mean(0)).mean()
            else:
                weights, expected = np.full((S, BATCH), 1 / S), -log_probs.mean()
            np.testing.assert_allclose(loss, expected, rtol=1e-12)
            np.testing.assert_allclose(aux.weights, weights, rtol=1e-10)
            np.testing.assert_allclose(aux.log_probs, log_probs, rtol=1e-12)
            for g, jac in zip(gradient, jacobians, strict=True):
                total = np.einsum("sb,sb...->...", weights, jac)
                np.testing.assert_allclose(g, -total / BATCH, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("strategy", EXACT)
def test_one_sample_is_dropout_training_bit_for_bit(strategy):
    def dropout_loss(p, key, x, y):
        return -jnp.mean(log_prob(p, key, x, y))

    seen = key(7) if strategy == "fold" else jax.random.split(key(7), 1)[0]
    expected = jax.jit(jax.value_and_grad(dropout_loss))(params(), seen, *batch())
    (loss, aux), gradient = value_and_grad(strategy, key(7), num_samples=1)
    np.testing.assert_array_equal(loss, expected[0])
    assert_trees_close(gradient, expected[1], rtol=0, atol=0)
    np.testing.assert_array_equal(aux.weights, np.ones((1, BATCH)))


def test_resampling_one_sample_is_dropout_under_a_key_per_example():
    noise_key, _ = jax.random.split(key(7))
    keys = jax.random.split(noise_key, (1, BATCH))

    def loss(p, x, y):
        each = jax.vmap(lambda k, x, y: log_prob(p, k, x[None], y[None])[0])
        return -jnp.mean(each(keys[0], x, y))

    expected = jax.jit(jax.value_and_grad(loss))(params(), *batch())
    (value, _), gradient = value_and_grad("resample", key(7), num_samples=1)
    np.testing.assert_allclose(value, expected[0], rtol=1e-6)
    assert_trees_close(gradient, expected[1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("strategy", ["vmap", "map"])
def test_sample_s_gets_its_split_of_the_key(strategy):
    (_, aux), _ = keyed(strategy)
    passed = jax.jit(jax.vmap(log_prob, (None, 0, None, None)))
    expected = passed(params(), jax.random.split(key(5), S), *batch())
    np.testing.assert_allclose(aux.log_probs, expected, rtol=1e-5, atol=1e-6)


def test_fold_calls_once_with_the_key_and_copies_beside_each_other():
    """Copy b·S + s is sample s of example b."""
    copies = (jnp.repeat(a, S, axis=0) for a in batch())
    whole = jax.jit(log_prob)(params(), key(5), *copies)
    (_, aux), _ = keyed("fold")
    expected = whole.reshape(BATCH, S).T
    np.testing.assert_allclose(aux.log_probs, expected, rtol=1e-5, atol=1e-6)


def test_fold_replays_leaves_in_the_order_of_the_copies():
    """[S, B, ...] becomes [B·S, ...]; a batch axis of size 1 is expanded first."""
    full = jnp.arange(S * BATCH, dtype=jnp.float32).reshape(S, BATCH, 1)
    shared = jnp.arange(S, dtype=jnp.float32).reshape(S, 1, 1)

    def fn(p, noise_, x, y):
        return noise_[0][:, 0], noise_

    loss_fn = objectives.iwsgd(fn, num_samples=S, strategy="fold", has_aux=True)
    _, aux = loss_fn(None, [full, shared], *batch())
    np.testing.assert_array_equal(aux.log_probs, full[..., 0])
    seen, expanded = (leaf[:, 0].reshape(BATCH, S) for leaf in aux.user_aux)
    np.testing.assert_array_equal(seen, full[..., 0].T)
    np.testing.assert_array_equal(expanded, np.tile(np.arange(S), (BATCH, 1)))


def test_resample_gives_every_sample_of_every_example_its_own_key():
    noise_key, _ = jax.random.split(key(5))
    keys = jax.random.split(noise_key, (S, BATCH))

    def of_example(k, x, y):
        return log_prob(params(), k, x[None], y[None])[0]

    samples = jax.vmap(jax.vmap(of_example), (0, None, None))
    expected = jax.jit(samples)(keys, *batch())
    (_, aux), _ = keyed("resample")
    np.testing.assert_allclose(aux.log_probs, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_raw_keys_serve_like_typed_ones(strategy):
    """With S = 2 a raw uint32[2] has a first axis of S, but is a key."""
    loss_fn = objectives.iwsgd(log_prob, num_samples=2, strategy=strategy)
    raw = np.asarray(jax.random.PRNGKey(5))
    typed, found = (
        jax.jit(loss_fn)(params(), k, *batch()) for k in (jax.random.key(5), raw)
    )
    assert_trees_close(found, typed, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["random_dropout", "gaussian_noise"])
def test_strategies_agree_on_replayed_samples(name):
    samples = stacked(SCHEMES[name])
    first = value_and_grad("vmap", samples)
    for strategy in ("map", "fold"):
        other = value_and_grad(strategy, samples)
        assert_trees_close(other, first, rtol=2e-5, atol=1e-6)


def test_resample_has_the_loss_of_the_others():
    samples = stacked(noise.Dropout(0.4))
    for weighting in ("importance", "equal"):
        losses = [
            jax.jit(
                objectives.iwsgd(
                    log_prob, num_samples=S, strategy=strategy, weighting=weighting
                )
            )(params(), samples, *batch())
            for strategy in ("vmap", "resample")
        ]
        assert_trees_close(*losses, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("strategy", ["fold", "resample"])
def test_eager_is_jit(strategy):
    loss_fn = objectives.iwsgd(with_aux, num_samples=S, strategy=strategy, has_aux=True)
    eager = loss_fn(params(), key(5), *batch())
    assert_trees_close(eager, keyed(strategy)[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("strategy", ["map", "resample"])
def test_vmapped_seeds_are_single_runs(strategy):
    loss_fn = objectives.iwsgd(with_aux, num_samples=S, strategy=strategy, has_aux=True)
    run = lambda k: jax.value_and_grad(loss_fn, has_aux=True)(params(), k, *batch())
    several = jax.jit(jax.vmap(run))(jax.vmap(jax.random.key)(jnp.array([2, 5])))
    second = jax.tree.map(lambda leaf: leaf[1], several)
    assert_trees_close(second, keyed(strategy), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("strategy", ["map", "fold", "resample"])
def test_forward_mode_is_reverse_mode(strategy):
    loss_fn = objectives.iwsgd(log_prob, num_samples=S, strategy=strategy)
    direction = [jnp.cos(w) for w in params()]
    along = lambda p: loss_fn(p, key(5), *batch())[0]
    _, slope = jax.jit(lambda p: jax.jvp(along, (p,), (direction,)))(params())
    _, gradient = keyed(strategy)
    pairs = zip(gradient, direction, strict=True)
    expected = sum(jnp.vdot(g, d) for g, d in pairs)
    np.testing.assert_allclose(slope, expected, rtol=1e-4)


def test_microbatches_with_a_new_key_each_add_up():
    """The mean over microbatches is the loss of the whole batch on their samples."""
    x, y = batch()
    loss_fn = objectives.iwsgd(log_prob, num_samples=S, strategy="fold")
    grad_fn = jax.jit(jax.value_and_grad(loss_fn, has_aux=True))
    parts, keys = [(x[:3], y[:3]), (x[3:], y[3:])], jax.random.split(key(2))
    outs = [grad_fn(params(), k, *part) for k, part in zip(keys, parts, strict=True)]
    mean = jax.tree.map(lambda a, b: (a + b) / 2, *[g for _, g in outs])
    samples = [
        jax.tree.map(
            lambda leaf: leaf.reshape(3, S, -1).swapaxes(0, 1),
            draw(noise.Dropout(0.4), k, S * 3),
        )
        for k in jax.random.split(key(2))
    ]
    whole = jax.tree.map(lambda a, b: jnp.concatenate([a, b], 1), *samples)
    (loss, _), gradient = value_and_grad("vmap", whole)
    np.testing.assert_allclose(loss, (outs[0][0][0] + outs[1][0][0]) / 2, rtol=1e-6)
    assert_trees_close(mean, gradient, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_user_aux(strategy):
    (_, aux), _ = keyed(strategy)
    shapes = jax.tree.map(jnp.shape, aux.user_aux)
    lead = {"vmap": (S, BATCH), "map": (S, BATCH), "fold": (BATCH * S,)}
    lead = lead.get(strategy, (BATCH,))
    assert shapes == {"x": (*lead, 5), "log_probs": lead}
    found = np.asarray(aux.user_aux["log_probs"])
    if strategy == "resample":
        chosen = np.abs(aux.log_probs - found[None]).min(0)
        np.testing.assert_allclose(chosen, 0, atol=1e-5)
    else:
        found = found.reshape(BATCH, S).T if strategy == "fold" else found
        np.testing.assert_array_equal(found, aux.log_probs)


def test_aux_holds_the_bounds():
    (loss, aux), _ = keyed("vmap")
    np.testing.assert_allclose(loss, -aux.bound.mean(), rtol=1e-6)
    assert (aux.bound >= aux.bound_at_1).all()
    np.testing.assert_allclose(
        aux.effective_samples, 1 / np.square(aux.weights).sum(0), rtol=1e-6
    )
    equal_fn = objectives.iwsgd(log_prob, num_samples=S, weighting="equal")
    equal, even = jax.jit(equal_fn)(params(), key(1), *batch())
    np.testing.assert_allclose(equal, -even.bound_at_1.mean(), rtol=1e-6)
    np.testing.assert_array_equal(even.effective_samples, S)
    assert even.user_aux is None


@pytest.mark.parametrize("strategy", EXACT)
def test_keys_to_replay_and_numbers_in_the_batch(strategy):
    """A key array is a pytree that leads with S; a number in the batch is shared."""
    fn = lambda p, noise_, x, y, t: log_prob(p, noise_, x, y) / t
    loss_fn = jax.jit(
        objectives.iwsgd(fn, num_samples=S, strategy=strategy), static_argnums=4
    )
    keys = jax.random.split(key(5), S)
    noises = [key(5)] if strategy == "fold" else [keys, jax.random.key_data(keys)]
    (_, aux), _ = keyed(strategy)
    bound = objectives.iw_log_likelihood(aux.log_probs / 2).mean()
    for noise_ in noises:
        loss, _ = loss_fn(params(), noise_, *batch(), 2.0)
        np.testing.assert_allclose(loss, -bound, rtol=1e-5)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_log_likelihoods_of_minus_1e4_and_minus_infinity(strategy):
    """Three examples: very unlikely, one possible sample, no possible sample."""
    samples = jnp.array([[[0.0, 0.0, 1.0]] * 2, [[0.0, 1.0, 1.0]] * 2]).swapaxes(1, 2)
    x = jnp.array([-1e4, -2.0, 3.0])

    def fn(w, mask, x):
        possible = mask[:, 0] == 0
        return jnp.where(possible, x * w, -jnp.inf)

    loss_fn = objectives.iwsgd(fn, num_samples=2, strategy=strategy)
    (loss, aux), gradient = jax.jit(jax.value_and_grad(loss_fn, has_aux=True))(
        jnp.float32(1), samples, x
    )
    assert loss == np.inf
    np.testing.assert_array_equal(aux.impossible, [False, False, True])
    np.testing.assert_array_equal(aux.weights, [[0.5, 1, 0.5], [0.5, 0, 0.5]])
    np.testing.assert_allclose(aux.bound, [-1e4, -2 - np.log(2), -np.inf], rtol=1e-6)
    np.testing.assert_allclose(gradient, -(-1e4 - 2) / 3, rtol=1e-6)


def test_bfloat16_networks():
    cast = lambda tree: jax.tree.map(lambda a: a.astype(jnp.bfloat16), tree)
    loss_fn = objectives.iwsgd(log_prob, num_samples=S, strategy="map")
    x, y = batch()
    (loss, aux), gradient = jax.jit(jax.value_and_grad(loss_fn, has_aux=True))(
        cast(params()), key(5), cast(x), y
    )
    assert loss.dtype == aux.log_probs.dtype == jnp.float32
    assert gradient[0].dtype == jnp.bfloat16
    np.testing.assert_allclose(loss, keyed("map")[0][0], rtol=0.1)


def test_half_precision_log_likelihoods_are_averaged_in_float32():
    fn = lambda p, noise_, x, y: log_prob(p, noise_, x, y).astype(jnp.bfloat16)
    for strategy, weighting in (("vmap", "equal"), ("resample", "importance")):
        loss_fn = objectives.iwsgd(
            fn, num_samples=S, strategy=strategy, weighting=weighting
        )
        loss, aux = jax.eval_shape(loss_fn, params(), key(), *batch())
        assert loss.dtype == aux.log_probs.dtype == jnp.float32


def test_traces_once():
    traces = []

    def counted(*args):
        traces.append(None)
        return log_prob(*args)

    loss_fn = jax.jit(objectives.iwsgd(counted, num_samples=S))
    for seed in range(3):
        loss_fn(params(), key(seed), *batch())
    assert len(traces) == 1


def test_the_bound_rises_with_samples():
    """Eq. 6, over many draws: L(4) > L(2) > L(1)."""
    fn = make_log_prob(SCHEMES["random_dropout"])
    loss_fn = objectives.iwsgd(fn, num_samples=4)
    run = jax.jit(jax.vmap(lambda k: loss_fn(params(), k, *batch())[1].log_probs))
    log_probs = run(jax.random.split(key(9), 200))
    bounds = []
    for num_samples in (1, 2, 4):
        bound = objectives.iw_log_likelihood(log_probs[:, :num_samples].swapaxes(0, 1))
        each = bound.mean(1)
        bounds.append((each.mean(), each.std() / np.sqrt(len(each))))
    for (low, e), (high, f) in zip(bounds, bounds[1:], strict=False):
        assert high - low > 3 * np.hypot(e, f)

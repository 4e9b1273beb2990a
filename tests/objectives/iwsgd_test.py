"""IWSGD: eqs. 4, 7, 8; one sample is dropout; all exact strategies agree."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp
from jax.test_util import check_grads

from noisejax import noise, objectives
from tests.noise.schemes import SCHEMES
from tests.objectives.networks import batch, draw, key, log_prob, make_log_prob, params

EXACT = ("vmap", "map", "fold")
STRATEGIES = (*EXACT, "resample")
S = 4


def stacked(scheme, num_samples=S, size=6, level=None):
    keys = jax.random.split(key(3), num_samples)
    return jax.vmap(lambda k: draw(scheme, k, size, level))(keys)


def value_and_grad(strategy, noise_, *, num_samples=S, fn=log_prob, **kwargs):
    loss_fn = objectives.iwsgd(fn, num_samples=num_samples, strategy=strategy, **kwargs)
    return jax.jit(jax.value_and_grad(loss_fn, has_aux=True))(
        params(), noise_, *batch()
    )


def assert_trees_close(a, b, **tolerance):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(x, y, **tolerance)


@pytest.mark.parametrize("strategy", EXACT)
@pytest.mark.parametrize("weighting", ["importance", "equal"])
def test_gradient_is_the_explicit_weighted_sum(strategy, weighting):
    """Eq. 7 in float64: Σ_s w_s ∇ log p_s, to 1e-10."""
    with jax.enable_x64(True):
        p, (x, y) = params(jnp.float64), batch(jnp.float64)
        samples = stacked(noise.Dropout(0.4))
        loss_fn = objectives.iwsgd(
            log_prob, num_samples=S, strategy=strategy, weighting=weighting
        )
        (loss, aux), gradient = jax.value_and_grad(loss_fn, has_aux=True)(
            p, samples, x, y
        )
        log_probs = np.empty((S, len(x)))
        jacobians = []
        for s in range(S):
            one = jax.tree.map(lambda leaf, s=s: leaf[s], samples)
            log_probs[s] = log_prob(p, one, x, y)
            jacobians.append(jax.jacobian(log_prob)(p, one, x, y))
        if weighting == "importance":
            weights = np.exp(log_probs) / np.exp(log_probs).sum(0)
            expected = -np.log(np.exp(log_probs).mean(0)).mean()
        else:
            weights, expected = np.full((S, len(x)), 1 / S), -log_probs.mean()
        np.testing.assert_allclose(loss, expected, rtol=1e-12)
        np.testing.assert_allclose(aux.weights, weights, rtol=1e-10)
        np.testing.assert_allclose(aux.log_probs, log_probs, rtol=1e-12)
        for i, g in enumerate(gradient):
            total = sum(
                np.einsum("b,b...->...", weights[s], jacobians[s][i]) for s in range(S)
            )
            np.testing.assert_allclose(g, -total / len(x), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("strategy", EXACT)
@pytest.mark.parametrize("weighting", ["importance", "equal"])
def test_one_sample_is_dropout_training_bit_for_bit(strategy, weighting):
    def dropout_loss(p, key, x, y):
        return -jnp.mean(log_prob(p, key, x, y))

    seen = key(7) if strategy == "fold" else jax.random.split(key(7), 1)[0]
    expected = jax.jit(jax.value_and_grad(dropout_loss))(params(), seen, *batch())
    (loss, aux), gradient = value_and_grad(
        strategy, key(7), num_samples=1, weighting=weighting
    )
    np.testing.assert_array_equal(loss, expected[0])
    assert_trees_close(gradient, expected[1], rtol=0, atol=0)
    np.testing.assert_array_equal(aux.weights, np.ones((1, 6)))


def test_resampling_one_sample_is_dropout_under_a_key_per_example():
    noise_key, _ = jax.random.split(key(7))
    keys = jax.random.split(noise_key, (1, 6))

    def loss(p, x, y):
        each = jax.vmap(lambda k, x, y: log_prob(p, k, x[None], y[None])[0])
        return -jnp.mean(each(keys[0], x, y))

    expected = jax.jit(jax.value_and_grad(loss))(params(), *batch())
    (value, _), gradient = value_and_grad("resample", key(7), num_samples=1)
    np.testing.assert_allclose(value, expected[0], rtol=1e-6)
    assert_trees_close(gradient, expected[1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("strategy", ["vmap", "map"])
def test_sample_s_sees_its_split_of_the_key(strategy):
    (_, aux), _ = value_and_grad(strategy, key(5))
    for s in range(S):
        one = jax.jit(log_prob)(params(), jax.random.split(key(5), S)[s], *batch())
        np.testing.assert_allclose(aux.log_probs[s], one, rtol=1e-5, atol=1e-6)


def test_fold_calls_once_with_the_key_and_copies_behind_each_other():
    x, y = batch()
    whole = log_prob(params(), key(5), jnp.tile(x, (S, 1)), jnp.tile(y, S))
    (_, aux), _ = value_and_grad("fold", key(5))
    np.testing.assert_allclose(
        aux.log_probs, whole.reshape(S, -1), rtol=1e-5, atol=1e-6
    )


def test_resample_gives_every_sample_of_every_example_its_own_key():
    x, y = batch()
    noise_key, _ = jax.random.split(key(5))
    keys = jax.random.split(noise_key, (S, 6))
    (_, aux), _ = value_and_grad("resample", key(5))
    for s, b in ((0, 0), (1, 3), (3, 5)):
        one = log_prob(params(), keys[s, b], x[b : b + 1], y[b : b + 1])
        np.testing.assert_allclose(aux.log_probs[s, b], one[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_raw_keys_serve_like_typed_ones(strategy):
    typed = value_and_grad(strategy, jax.random.key(5))
    for raw in (jax.random.PRNGKey(5), np.asarray(jax.random.PRNGKey(5))):
        assert_trees_close(value_and_grad(strategy, raw), typed, rtol=0, atol=0)


@pytest.mark.parametrize("strategy", EXACT)
def test_a_raw_key_is_never_taken_for_a_leaf(strategy):
    """With S = 2 a uint32[2] leads with S, and still it is a key."""
    raw = value_and_grad(strategy, jax.random.PRNGKey(5), num_samples=2)
    typed = value_and_grad(strategy, jax.random.key(5), num_samples=2)
    assert_trees_close(raw, typed, rtol=0, atol=0)


@pytest.mark.parametrize("traced", [False, True], ids=["static", "traced"])
@pytest.mark.parametrize("name", [n for n in SCHEMES if n != "spatial_dropout"])
def test_strategies_agree_on_replayed_samples(name, traced):
    if traced and "8_bits" in name:
        pytest.skip("one traced level for all is enough")
    scheme = SCHEMES[name]
    level = jnp.full(S, 0.3) if traced else None
    keys = jax.random.split(key(3), S)
    if traced:
        samples = jax.vmap(lambda k, r: draw(scheme, k, 6, r))(keys, level)
    else:
        samples = jax.vmap(lambda k: draw(scheme, k, 6))(keys)
    first = value_and_grad("vmap", samples)
    for strategy in ("map", "fold"):
        other = value_and_grad(strategy, samples)
        assert_trees_close(other, first, rtol=2e-5, atol=1e-6)


def test_spatial_dropout_of_images():
    x = jax.random.normal(key(1), (3, 4, 4, 2))
    scheme = noise.SpatialDropout(0.5)
    samples = jax.vmap(lambda k: scheme.sample(k, x.shape))(jax.random.split(key(), S))

    def images_log_prob(p, sample, x):
        return -jnp.sum(jnp.square(noise.apply(x, sample) * p - 1), axis=(1, 2, 3))

    results = [
        jax.value_and_grad(
            objectives.iwsgd(images_log_prob, num_samples=S, strategy=strategy),
            has_aux=True,
        )(jnp.float32(0.3), samples, x)
        for strategy in EXACT
    ]
    for other in results[1:]:
        assert_trees_close(other, results[0], rtol=1e-5)


@pytest.mark.parametrize("weighting", ["importance", "equal"])
def test_resample_has_the_loss_of_the_others(weighting):
    samples = stacked(noise.Dropout(0.4))
    exact, _ = value_and_grad("vmap", samples, weighting=weighting)
    chosen, _ = value_and_grad("resample", samples, weighting=weighting)
    assert_trees_close(chosen, exact, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_jit_is_eager(strategy):
    loss_fn = objectives.iwsgd(log_prob, num_samples=2, strategy=strategy)
    eager = jax.value_and_grad(loss_fn, has_aux=True)(params(), key(1), *batch())
    jitted = value_and_grad(strategy, key(1), num_samples=2)
    assert_trees_close(jitted, eager, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_vmapped_seeds_are_single_runs(strategy):
    loss_fn = objectives.iwsgd(log_prob, num_samples=S, strategy=strategy)
    run = lambda k: jax.value_and_grad(loss_fn, has_aux=True)(params(), k, *batch())
    several = jax.jit(jax.vmap(run))(jax.random.split(key(2), 3))
    single = jax.jit(run)(jax.random.split(key(2), 3)[1])
    assert_trees_close(
        jax.tree.map(lambda leaf: leaf[1], several), single, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("strategy", EXACT)
def test_forward_and_reverse_mode(strategy):
    with jax.enable_x64(True):
        loss_fn = objectives.iwsgd(log_prob, num_samples=2, strategy=strategy)
        x, y = batch(jnp.float64)
        samples = stacked(noise.Dropout(0.4), 2)
        check_grads(
            lambda p, x: loss_fn(p, samples, x, y)[0],
            (params(jnp.float64), x),
            order=1,
            rtol=1e-4,
        )


def test_microbatches_with_a_new_key_each_add_up():
    """The mean over microbatches is the loss of the whole batch on their samples."""
    x, y = batch()
    loss_fn = objectives.iwsgd(log_prob, num_samples=S, strategy="fold")
    grad_fn = jax.jit(jax.value_and_grad(loss_fn, has_aux=True))
    parts, keys = [(x[:3], y[:3]), (x[3:], y[3:])], jax.random.split(key(2))
    outs = [grad_fn(params(), k, *part) for k, part in zip(keys, parts, strict=True)]
    mean = jax.tree.map(lambda a, b: (a + b) / 2, *[g for _, g in outs])
    samples = [
        [
            jax.tree.map(lambda leaf: leaf.reshape(S, 3, -1), sample)
            for sample in draw(noise.Dropout(0.4), k, S * 3)
        ]
        for k in jax.random.split(key(2))
    ]
    whole = jax.tree.map(lambda a, b: jnp.concatenate([a, b], 1), *samples)
    (loss, _), gradient = value_and_grad("vmap", whole)
    np.testing.assert_allclose(loss, (outs[0][0][0] + outs[1][0][0]) / 2, rtol=1e-6)
    assert_trees_close(mean, gradient, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_user_aux(strategy):
    def with_aux(p, noise_, x, y):
        log_probs = log_prob(p, noise_, x, y)
        return log_probs, {"x": x, "log_probs": log_probs}

    (_, aux), _ = value_and_grad(strategy, key(1), fn=with_aux, has_aux=True)
    shapes = jax.tree.map(jnp.shape, aux.user_aux)
    lead = {"vmap": (S, 6), "map": (S, 6), "fold": (S * 6,), "resample": (6,)}[strategy]
    assert shapes == {"x": (*lead, 5), "log_probs": lead}
    if strategy == "resample":
        chosen = jnp.argmin(jnp.abs(aux.log_probs - aux.user_aux["log_probs"][None]), 0)
        np.testing.assert_allclose(
            aux.log_probs[chosen, jnp.arange(6)], aux.user_aux["log_probs"], rtol=1e-5
        )
    else:
        np.testing.assert_array_equal(
            aux.user_aux["log_probs"].reshape(S, 6), aux.log_probs
        )


def test_aux_holds_the_bounds():
    (loss, aux), _ = value_and_grad("vmap", key(1))
    np.testing.assert_allclose(loss, -aux.bound.mean(), rtol=1e-6)
    assert (aux.bound >= aux.bound_at_1).all()
    assert aux.user_aux is None
    np.testing.assert_allclose(
        aux.effective_samples, 1 / np.square(aux.weights).sum(0), rtol=1e-6
    )
    (equal, even), _ = value_and_grad("vmap", key(1), weighting="equal")
    np.testing.assert_allclose(equal, -even.bound_at_1.mean(), rtol=1e-6)
    np.testing.assert_array_equal(even.effective_samples, S)


@pytest.mark.parametrize("strategy", EXACT)
def test_keys_to_replay_and_numbers_in_the_batch(strategy):
    """A key array is a pytree that leads with S; a number in the batch is shared."""
    fn = lambda p, noise_, x, y, t: log_prob(p, noise_, x, y) / t
    loss_fn = objectives.iwsgd(fn, num_samples=S, strategy=strategy)
    expected, _ = value_and_grad(strategy, key(1))
    if strategy == "fold":
        loss, _ = loss_fn(params(), key(1), *batch(), 2.0)
    else:
        loss, _ = loss_fn(params(), jax.random.split(key(1), S), *batch(), 2.0)
        if strategy == "vmap":
            np.testing.assert_allclose(
                loss_fn(
                    params(),
                    jax.random.key_data(jax.random.split(key(1), S)),
                    *batch(),
                    2.0,
                )[0],
                loss,
            )
    bound = objectives.iw_log_likelihood(expected[1].log_probs / 2).mean()
    np.testing.assert_allclose(loss, -bound, rtol=1e-5)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_log_likelihoods_of_minus_1e4_and_minus_infinity(strategy):
    """Three examples: all far away, one sample possible, none possible."""
    samples = jnp.array([[[0.0, 0.0, 1.0]] * 2, [[0.0, 1.0, 1.0]] * 2]).swapaxes(1, 2)
    x = jnp.array([-1e4, -2.0, 3.0])

    def fn(w, mask, x):
        possible = mask[:, 0] == 0
        return jnp.where(possible, x * w, -jnp.inf)

    loss_fn = objectives.iwsgd(fn, num_samples=2, strategy=strategy)
    (loss, aux), gradient = jax.value_and_grad(loss_fn, has_aux=True)(
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
    (loss, aux), gradient = jax.value_and_grad(loss_fn, has_aux=True)(
        cast(params()), key(1), cast(x), y
    )
    assert loss.dtype == aux.log_probs.dtype == jnp.float32
    assert gradient[0].dtype == jnp.bfloat16
    np.testing.assert_allclose(loss, value_and_grad("map", key(1))[0][0], rtol=0.1)


def test_traces_once():
    traces = []

    def counted(*args):
        traces.append(None)
        return log_prob(*args)

    loss_fn = jax.jit(objectives.iwsgd(counted, num_samples=S))
    for seed in range(3):
        loss_fn(params(), key(seed), *batch())
    assert len(traces) == 1


@pytest.mark.parametrize("name", ["gaussian_noise", "random_dropout"])
def test_the_bound_rises_with_samples(name):
    """Eq. 6, over many draws: L(4) > L(2) > L(1)."""
    fn = make_log_prob(SCHEMES[name])
    keys = jax.random.split(key(9), 200)
    bounds = []
    for num_samples in (1, 2, 4):
        loss_fn = objectives.iwsgd(fn, num_samples=num_samples)
        losses = jax.jit(jax.vmap(lambda k, f=loss_fn: f(params(), k, *batch())[0]))(
            jax.random.clone(keys)
        )
        bounds.append((-losses.mean(), losses.std() / np.sqrt(len(losses))))
    for (low, e), (high, f) in zip(bounds, bounds[1:], strict=False):
        assert high - low > 5 * np.hypot(e, f)

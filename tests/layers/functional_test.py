"""Existing models become pure functions."""

import jax
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx
from jax import numpy as jnp

from noisejax import layers, objectives
from noisejax.layers import nnx as nnx_layers
from tests.layers.networks import Annealed, Net, NnxNet, X, key, run


def test_functional_is_apply(variables, quiet):
    apply = layers.functional(Net(), mutable=["batch_stats"])
    ours = apply(variables, key(2), X, train=True)
    theirs = run(variables, train=True, mutable=["batch_stats"])
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)
    without = layers.functional(Net(), off="*")
    np.testing.assert_array_equal(without(variables, None, X, train=False), quiet)


def test_functional_takes_parameters_alone_or_all_variables():
    net = nn.Sequential([nn.Dropout(0.5, deterministic=False), nn.Dense(3)])
    variables = net.init({"params": key(), "dropout": key(1)}, X)
    apply = layers.functional(net)
    alone = apply(variables["params"], key(2), X)
    np.testing.assert_array_equal(alone, apply(variables, key(2), X))


def test_functional_replays_samples(variables):
    _, updated = run(variables, train=True, mutable=["noise", "batch_stats"])
    off = ["*/Dropout_0", "last"]  # Flax's dropout records nothing
    apply = layers.functional(Net(), off=off, mutable=["batch_stats"])
    first, _ = apply(variables, {"noise": updated["noise"]}, X, train=True)
    again, _ = apply(variables, updated["noise"], X, train=True)
    np.testing.assert_array_equal(first, again)


def test_functional_under_vmap_grad_and_jit(variables):
    apply = layers.functional(Net())

    def loss(params, key):
        return apply(variables | {"params": params}, key, X, train=False).sum()

    keys = jax.random.split(key(3), 2)
    gradients = jax.jit(jax.vmap(jax.grad(loss), (None, 0)))(variables["params"], keys)
    assert all(g.shape[0] == 2 for g in jax.tree.leaves(gradients))


class Stepped(nn.Module):
    """A model with an argument `step`, and a schedule inside."""

    @nn.compact
    def __call__(self, x, step=0.0):
        return step + Annealed()(x)

    def scaled(self, x, *, step):
        return step * x


class Forwarding(nn.Module):
    @nn.compact
    def __call__(self, *args, **kwargs):
        return Stepped()(*args, **kwargs)


@pytest.mark.parametrize(
    "net", [Stepped(), Forwarding(), nn.Sequential([Stepped()]), nn.remat(Stepped)()]
)
def test_the_step_of_the_model_reaches_it_and_the_schedules(net):
    y = layers.functional(net)({}, key(), X, step=10.0)  # at 10 the schedule is 0
    np.testing.assert_array_equal(y, X + 10)


def test_the_step_of_a_method_or_of_schedules_only():
    scaled = layers.functional(Stepped(), method="scaled")
    np.testing.assert_array_equal(scaled({}, None, X, step=3.0), 3 * X)
    scaled = layers.functional(Stepped(), method=Stepped.scaled)
    np.testing.assert_array_equal(scaled({}, None, X, step=3.0), 3 * X)
    net = nn.Sequential([Annealed(), nn.relu])
    y = layers.functional(net)({}, key(), X, step=10)
    np.testing.assert_array_equal(y, nn.relu(X))


class Cell(nn.Module):
    """A recurrent cell with dropout and an extra key stream "sample"."""

    @nn.compact
    def __call__(self, carry, x):
        x = nn.Dropout(0.5, deterministic=False)(x)
        return carry, x + jax.random.normal(self.make_rng("sample"), x.shape)


class Recurrent(nn.Module):
    @nn.compact
    def __call__(self, x):
        split = {"params": False, "dropout": True, "sample": True}
        return nn.scan(Cell, variable_broadcast="params", split_rngs=split)()((), x)[1]


def test_a_model_with_several_key_collections_runs():
    x = jnp.zeros((3, 500))
    apply = layers.functional(Recurrent())
    y = apply({}, key(), x)
    assert abs(np.corrcoef(y)[0, 1]) < 0.2  # steps draw anew, as `split_rngs` says
    np.testing.assert_array_equal(y, jax.jit(apply)({}, key(), x))
    rngs = {"dropout": key(1), "sample": key(2)}
    np.testing.assert_array_equal(
        apply({}, rngs, x), Recurrent().apply({}, x, rngs=rngs)
    )
    ones = jnp.ones((3, 500))
    sampled = y - apply({}, key(), x * 0)
    np.testing.assert_array_equal(sampled, 0 * sampled)
    same_masks = Recurrent().apply({}, ones, rngs={"dropout": key(), "sample": key(2)})
    mine = apply({}, {"dropout": key(), "sample": key(2)}, ones)
    np.testing.assert_array_equal(mine, same_masks)
    with pytest.raises(Exception, match='needs PRNG for "sample"'):
        apply({}, {"dropout": key()}, x)  # a mapping is taken as it is


def test_samples_and_keys_together():
    class Both(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = layers.Dropout(0.5, deterministic=False)(x)
            return x + jax.random.normal(self.make_rng("sample"), x.shape)

    rngs = {"dropout": key(1), "sample": key(2)}
    y, recorded = Both().apply({}, X, rngs=rngs, mutable=["noise"])
    apply = layers.functional(Both())
    for noise_ in (recorded, recorded["noise"]):
        np.testing.assert_array_equal(apply({}, {**noise_, "sample": key(2)}, X), y)
    other = apply({}, {**recorded, "sample": key(3)}, X)
    assert (other != y).all()


def test_a_key_collection_of_another_name():
    net = layers.Dropout(0.5, deterministic=False, rng_collection="mask")
    y = net.apply({}, X, rngs={"mask": key()})
    apply = layers.functional(net, rng_collection="mask")
    np.testing.assert_array_equal(apply({}, key(), X), y)


def test_iwsgd_of_a_model_with_two_streams():
    apply = layers.functional(Recurrent())

    def log_prob(params, noise_, x):
        return apply(params, noise_, x[None])[0].sum(-1)

    loss = objectives.iwsgd(log_prob, num_samples=2)
    assert np.isfinite(loss({}, key(), X)[0])
    keys = {
        name: jax.random.split(key(i), 2)
        for i, name in enumerate(("dropout", "sample"))
    }
    assert np.isfinite(loss({}, keys, X)[0])


def test_functional_refuses_what_is_no_model_and_no_key():
    with pytest.raises(TypeError, match="Linen module.*layers.nnx.functional"):
        layers.functional(nnx_layers.Dropout(0.5))
    with pytest.raises(TypeError, match="NNX module.*noisejax.layers.functional"):
        nnx_layers.functional(layers.Dropout(0.5))
    with pytest.raises(TypeError, match="key must be a JAX random key"):
        layers.functional(Annealed())({}, 0, X, step=0)
    apply, params = nnx_layers.functional(nnx.Dropout(0.5, rngs=nnx.Rngs(0)))
    with pytest.raises(TypeError, match="key must be a JAX random key"):
        apply(params, 0, X)


# NNX


def test_nnx_functional_seeds_every_stream_and_needs_no_key_without_noise(net):
    apply, params = nnx_layers.functional(net)
    y = apply(params, key(1), X)
    np.testing.assert_array_equal(y, apply(params, jax.random.PRNGKey(1), X))
    assert (y != apply(params, key(2), X)).any()
    assert jax.tree.leaves(params) and int(net.first.rngs.count[...]) == 0
    apply, params = nnx_layers.functional(net, off="*")
    np.testing.assert_array_equal(apply(params, None, X), net.linear(X))


def test_nnx_layers_have_masks_of_their_own_that_survive_a_new_layer():
    rngs = nnx.Rngs(0)
    pair = [nnx.Dropout(0.5, rngs=rngs) for _ in range(2)]
    apply, params = nnx_layers.functional(nnx.Sequential(*pair))
    x = jnp.ones(10_000)
    kept = apply(params, key(), x)
    assert abs((kept == 4).mean() - 0.25) < 0.03
    first, params = nnx_layers.functional(nnx.Sequential(pair[0]))
    assert (kept[first(params, key(), x) == 0] == 0).all()


def test_nnx_functional_under_transforms():
    apply, params = nnx_layers.functional(NnxNet())
    loss = lambda params, key: apply(params, key, X).sum()
    keys = jax.random.split(key(3), 2)
    gradients = jax.jit(jax.vmap(jax.grad(loss), (None, 0)))(params, keys)
    assert all(g.shape[0] == 2 for g in jax.tree.leaves(gradients))


class NnxStepped(nnx.Module):
    """A model with arguments `step`, `state` and `rngs`, and no stream of keys."""

    def __init__(self):
        self.drop = nnx_layers.Dropout(lambda step: 0.5 - step / 20)
        self.norm = nnx.BatchNorm(6, rngs=nnx.Rngs(0))

    def __call__(self, x, *, step=0.0, state=0.0, rngs=None):
        self.norm(x)
        return self.drop(x, rngs=rngs) + step + state


def test_nnx_arguments_step_and_state_of_the_model_reach_it():
    apply, params = nnx_layers.functional(NnxStepped())
    y = apply(params, key(), X, step=10.0, state=1.0)  # at 10 the schedule is 0
    np.testing.assert_array_equal(y, X + 11)
    apply, params = nnx_layers.functional(NnxStepped(), mutable=nnx.BatchStat)
    y, state = apply(params, key(), X, step=10.0, state=1.0)
    np.testing.assert_array_equal(y, X + 11)
    y, further = apply(params, key(), X, step=10.0, state=state)
    np.testing.assert_array_equal(y, X + 10)
    assert (further["norm"]["mean"][...] != state["norm"]["mean"][...]).any()


def test_nnx_models_that_take_their_rngs_in_the_call():
    """As in Flax's MNIST example; also a Sequential of layers without streams."""
    for model, step in (
        (NnxStepped(), {"step": 0}),
        (nnx.Sequential(nnx.Linear(6, 6, rngs=nnx.Rngs(0)), nnx.Dropout(0.5)), {}),
    ):
        apply, params = nnx_layers.functional(model)
        y = apply(params, key(1), X, **step)
        np.testing.assert_array_equal(y, apply(params, key(1), X, **step))
        assert (y != apply(params, key(2), X, **step)).any() and (y == 0).any()
        own = apply(params, None, X, rngs=nnx.Rngs(dropout=1), **step)
        assert (own == 0).any()


def test_nnx_models_without_any_stream_are_refused():
    class Model(nnx.Module):
        def __init__(self):
            self.drop = nnx.Dropout(0.5)

        def __call__(self, x):
            return self.drop(x)

    apply, params = nnx_layers.functional(Model())
    with pytest.raises(
        ValueError, match="key streams for nothing .* let its call take"
    ):
        apply(params, key(), X)


class Sampling(nnx.Module):
    """A model with dropout and an extra key stream "sample"."""

    def __init__(self):
        rngs = nnx.Rngs(dropout=0, sample=1)
        self.drop = nnx.Dropout(0.5, rngs=rngs)
        self.sample = rngs.sample.fork()

    def __call__(self, x):
        return self.drop(x), jax.random.normal(self.sample(), x.shape)


def test_nnx_keys_by_the_name_of_the_stream():
    apply, params = nnx_layers.functional(Sampling())
    ones = np.ones_like(X)
    first = apply(params, {"dropout": key(1), "sample": key(2)}, ones)
    second = apply(params, {"dropout": key(1), "sample": key(3)}, ones)
    np.testing.assert_array_equal(first[0], second[0])
    assert (first[1] != second[1]).all()
    default = apply(params, {"default": key(2), "dropout": key(1)}, ones)
    jax.tree.map(np.testing.assert_array_equal, default, first)
    with pytest.raises(ValueError, match="keys for .'samples'., but .*'sample'"):
        apply(params, {"samples": key()}, ones)


def test_nnx_functional_returns_batch_statistics():
    rngs = nnx.Rngs(0)
    net = nnx.Sequential(nnx.BatchNorm(6, rngs=rngs), nnx.Dropout(0.5, rngs=rngs))
    before = nnx.state(net, nnx.BatchStat)
    apply, params = nnx_layers.functional(net, mutable=nnx.BatchStat)
    y, state = jax.jit(apply)(params, key(), X, state=None)
    assert y.shape == X.shape
    assert jax.tree.structure(state) == jax.tree.structure(before)
    _, further = apply(params, key(), X, state=state)
    assert (further["layers"][0]["mean"][...] != state["layers"][0]["mean"][...]).any()
    np.testing.assert_array_equal(net.layers[0].mean[...], np.zeros(6))

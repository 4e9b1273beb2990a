"""Samples of Linen layers are recorded and replayed in the collection "noise"."""

import jax
import numpy as np
import pytest
from flax import linen as nn
from jax import numpy as jnp

from noisejax import layers, noise


def key(seed=0):
    return jax.random.key(seed)


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, train=True):
        x = layers.RandomDropout(0.5)(x, not train)
        x = nn.Dense(8)(x)
        shared = layers.Noise(noise.GaussianDropout(0.5), shift=True, name="shared")
        x = shared(shared(x, not train), not train)
        return layers.Dropout(0.5)(x, not train)


X = np.asarray(jax.random.normal(jax.random.key(9), (4, 6)))


@pytest.fixture(scope="module")
def variables():
    return Net().init({"params": key(), "dropout": key(1)}, X)


def run(variables, seed=2, **kwargs):
    return Net().apply(variables, X, rngs={"dropout": key(seed)}, **kwargs)


@pytest.mark.parametrize(
    "mutable", [True, ["params"], ["params", "noise"], nn.DenyList([])]
)
def test_init_never_freezes_a_sample(mutable):
    rngs = {"params": key(), "dropout": key(1)}
    assert "noise" not in Net().init(rngs, X, mutable=mutable)


def test_what_is_recorded_is_replayed(variables):
    y, recorded = run(variables, mutable=["noise"])
    assert set(recorded) == {"noise"}
    assert len(recorded["noise"]["shared"]["sample"]) == 2  # called twice
    for seed in (2, 3):  # whatever the key
        np.testing.assert_array_equal(run(variables | recorded, seed), y)
    np.testing.assert_array_equal(Net().apply(variables | recorded, X), y)  # or none
    np.testing.assert_array_equal(run(variables), y)  # recording changes nothing


@pytest.mark.parametrize(
    "mutable", ["noise", ["noise"], ("noise", "params"), {"noise"}]
)
def test_asked_for_by_name(variables, mutable):
    _, updated = run(variables, mutable=mutable)
    assert "noise" in updated


@pytest.mark.parametrize(
    "mutable", [True, ["batch_stats"], nn.DenyList(["params"]), nn.DenyList([])]
)
def test_not_asked_for_by_name(variables, mutable):
    _, updated = run(variables, mutable=mutable)
    assert "noise" not in updated


def test_while_recording_a_given_sample_is_replayed(variables):
    y, recorded = run(variables, mutable=["noise"])
    again, kept = run(variables | recorded, seed=7, mutable=["noise"])
    np.testing.assert_array_equal(again, y)
    assert_equal(kept, recorded)


def assert_equal(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    jax.tree.map(np.testing.assert_array_equal, a, b)


def test_noise_that_is_off_is_neither_recorded_nor_replayed(variables):
    y, recorded = Net().apply(variables, X, train=False, mutable=["noise"])
    assert not recorded.get("noise")
    _, drawn = run(variables, mutable=["noise"])
    np.testing.assert_array_equal(Net().apply(variables | drawn, X, train=False), y)


def test_a_hand_made_sample_for_one_layer(variables):
    """Unit 2 of the input is dropped, and the other layers draw."""
    sample = noise.mask_sample(np.arange(6)[None] != 2)
    with_sample = variables | {"noise": {"RandomDropout_0": {"sample": sample}}}
    y = run(with_sample)
    jacobian = jax.jacobian(
        lambda x: Net().apply(with_sample, x, rngs={"dropout": key(2)}).sum()
    )(X)
    assert y.shape == (4, 8)
    assert (jacobian[:, 2] == 0).all() and (jacobian[:, 1] != 0).any()


def test_more_calls_than_samples(variables):
    _, recorded = run(variables, mutable=["noise"])
    recorded["noise"]["shared"]["sample"] = recorded["noise"]["shared"]["sample"][:1]
    with pytest.raises(ValueError, match="call 2 of shared: .* holds 1 sample"):
        run(variables | recorded)


def test_a_sample_of_another_shape(variables):
    _, recorded = run(variables, mutable=["noise"])
    with pytest.raises(ValueError, match="a sample's axes must be those of x"):
        Net().apply(variables | recorded, X[:3])


def test_samples_stack_under_vmap_and_map(variables):
    """S samples of the whole network, replayed one by one and together."""

    def record(k):
        return Net().apply(variables, X, rngs={"dropout": k}, mutable=["noise"])

    ys, recorded = jax.vmap(record)(jax.random.split(key(3), 5))
    assert all(leaf.shape[0] == 5 for leaf in jax.tree.leaves(recorded))
    replay = lambda r: Net().apply(variables | r, X)
    np.testing.assert_allclose(jax.vmap(replay)(recorded), ys, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(jax.lax.map(replay, recorded), ys, rtol=1e-5, atol=1e-6)


def test_samples_fold_into_the_batch(variables):
    def record(k):
        return Net().apply(variables, X, rngs={"dropout": k}, mutable=["noise"])

    ys, recorded = jax.vmap(record)(jax.random.split(key(3), 5))
    fold = lambda leaf: jnp.reshape(leaf, (-1, *leaf.shape[2:]))
    folded = Net().apply(variables | jax.tree.map(fold, recorded), np.tile(X, (5, 1)))
    np.testing.assert_allclose(folded.reshape(ys.shape), ys, rtol=1e-5, atol=1e-6)


def test_modules_made_outside_remember_nothing_between_applies():
    net = nn.Sequential([layers.Dropout(0.5, deterministic=False), nn.Dense(3)])
    variables = net.init({"params": key(), "dropout": key(1)}, X)
    for seed in range(3):
        y, recorded = net.apply(
            variables, X, rngs={"dropout": key(seed)}, mutable=["noise"]
        )
        (sample,) = recorded["noise"]["layers_0"]["sample"]
        assert sample.mask.shape == X.shape
        np.testing.assert_array_equal(net.apply(variables | recorded, X), y)


# Lifted transforms.


class Block(nn.Module):
    @nn.compact
    def __call__(self, x, _=None):
        return layers.Dropout(0.5, deterministic=False)(nn.Dense(6)(x)), None


class Scanned(nn.Module):
    @nn.compact
    def __call__(self, x):
        blocks = nn.scan(
            Block,
            variable_axes={"params": 0, "noise": 0},
            split_rngs={"params": True, "dropout": True},
            length=3,
        )
        return blocks()(x, None)[0]


class Mapped(nn.Module):
    @nn.compact
    def __call__(self, x):
        block = nn.vmap(
            Block,
            variable_axes={"params": None, "noise": 0},
            split_rngs={"params": False, "dropout": True},
        )
        return block()(x)[0]


class Rematerialised(nn.Module):
    @nn.compact
    def __call__(self, x):
        x, _ = nn.remat(Block)()(x)
        return nn.remat(layers.Dropout)(0.5, deterministic=False)(x)


class Jitted(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.jit(Block)()(x)[0]


@pytest.mark.parametrize(
    "net", [Scanned(), Mapped(), Rematerialised(), Jitted()], ids=repr
)
def test_lifted_transforms_record_and_replay(net):
    rngs = {"params": key(), "dropout": key(1)}
    for mutable in (True, ["params", "noise"]):
        variables = net.init(rngs, X, mutable=mutable)
        assert "noise" not in variables  # init is safe
    variables = net.init(rngs, X)

    def run(variables, seed, **kwargs):
        return net.apply(variables, X, rngs={"dropout": key(seed)}, **kwargs)

    assert (run(variables, 2) != run(variables, 3)).any()
    y, recorded = run(variables, 2, mutable=["noise"])
    assert jax.tree.leaves(recorded)
    np.testing.assert_allclose(run(variables, 2), y, rtol=1e-6)
    np.testing.assert_allclose(net.apply(variables | recorded, X), y, rtol=1e-6)

    def loss(x):
        return net.apply(variables | recorded, x).sum()

    assert np.isfinite(jax.jit(jax.grad(loss))(X)).all()


class TwiceLifted(nn.Module):
    @nn.compact
    def __call__(self, x):
        layer = nn.remat(layers.Dropout)(0.5, deterministic=False)
        return layer(layer(x))


def test_a_lifted_layer_called_twice_draws_twice_but_does_not_record():
    ones = jnp.ones((1, 1000))
    y = TwiceLifted().apply({}, ones, rngs={"dropout": key()})
    assert 0.2 < (y == 4).mean() < 0.3  # two masks
    with pytest.raises(ValueError, match="makes noise a second time"):
        TwiceLifted().apply({}, ones, rngs={"dropout": key()}, mutable=["noise"])


def test_one_sample_across_time_in_a_scan():
    class Cell(nn.Module):
        @nn.compact
        def __call__(self, carry, x):
            return carry, layers.Dropout(0.5, deterministic=False)(x)

    cell = nn.scan(Cell, variable_broadcast="params", split_rngs={"dropout": False})
    _, y = cell().apply({}, (), jnp.ones((7, 4, 50)), rngs={"dropout": key()})
    np.testing.assert_array_equal(y, np.broadcast_to(y[:1], y.shape))
    assert 0 < (y == 0).mean() < 1

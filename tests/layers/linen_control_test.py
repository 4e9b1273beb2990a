"""Reaching the noise in other people's Linen models; models as pure functions."""

import jax
import numpy as np
import optax
import pytest
from flax import linen as nn

from noisejax import layers, noise


def key(seed=0):
    return jax.random.key(seed)


class Block(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        x = nn.Dense(6)(x)
        x = nn.Dropout(0.5)(x, deterministic=not train)
        return layers.RandomDropout(0.5)(x, not train)


class Net(nn.Module):
    """Flax's dropout and ours, nested, with batch statistics."""

    @nn.compact
    def __call__(self, x, train=True):
        x = Block()(x, train)
        x = nn.BatchNorm(use_running_average=not train)(x)
        x = nn.remat(Block, static_argnums=(2,))(name="second")(x, train)
        return nn.Dropout(0.5, deterministic=False, name="last")(x)


X = np.asarray(jax.random.normal(jax.random.key(9), (4, 6)))


@pytest.fixture(scope="module")
def variables():
    return Net().init({"params": key(), "dropout": key(1)}, X)


def run(variables, **kwargs):
    kwargs = {"train": False, "rngs": {"dropout": key(2)}} | kwargs
    return Net().apply(variables, X, **kwargs)


def silent(variables):
    with layers.control_noise(off="*"):
        return run(variables)


def test_off_silences_the_named_layers_and_no_others(variables):
    with layers.control_noise(off="last"):
        y = run(variables, rngs=None)  # with train=False nothing else draws
    np.testing.assert_array_equal(y, silent(variables))
    with layers.control_noise(off=["*/Dropout_0", "last"]):
        y, recorded = run(variables, train=True, mutable=["noise", "batch_stats"])
    assert set(recorded["noise"]) == {"Block_0", "second"}
    assert (y != silent(variables)).any()


def test_only_switches_named_layers_on_whatever_the_model_says(variables):
    """Noise of one layer, batch statistics of test time."""
    with layers.control_noise(only="Block_0/RandomDropout_0"):
        y, recorded = run(variables, mutable=["noise"])
    assert list(recorded["noise"]) == ["Block_0"]
    assert (y != silent(variables)).any()
    with layers.control_noise(only="last"):
        last = run(variables)
    mask = np.asarray(last != 0)
    np.testing.assert_allclose(
        last, np.where(mask, 2 * silent(variables), 0), rtol=1e-6
    )
    assert 0 < mask.mean() < 1


def test_the_name_of_a_module_covers_what_is_inside(variables):
    with layers.control_noise(only="second"):
        inside = run(variables)
    with layers.control_noise(only=["second/Dropout_0", "second/RandomDropout_0"]):
        named = run(variables)
    np.testing.assert_array_equal(inside, named)
    assert (inside != silent(variables)).any()


def test_forced_flax_dropout_draws_flaxs_mask(variables):
    with layers.control_noise(only="last"):
        forced = run(variables)
    with layers.control_noise(off=["Block_0", "second"]):
        own = run(variables)
    np.testing.assert_array_equal(forced, own)


@pytest.mark.parametrize("argument", ["only", "off"])
def test_names_that_match_no_layer(variables, argument):
    message = r"'Dense_0' names no noise layer; there are .*'Block_0/Dropout_0'.*'last'"
    control = layers.control_noise(**{argument: ["last", "Dense_0"]})
    with pytest.raises(ValueError, match=message), control:
        run(variables)


def test_an_error_inside_is_not_hidden_by_unmatched_names():
    with pytest.raises(ZeroDivisionError), layers.control_noise(off="a"):
        raise ZeroDivisionError


def test_the_step_reaches_schedules_in_any_model():
    class Inner(nn.Module):
        @nn.compact
        def __call__(self, x):
            schedule = optax.linear_schedule(0.5, 0.0, 10)
            return layers.Dropout(schedule, deterministic=False)(x)

    net = nn.Sequential([nn.Dense(50), nn.remat(Inner)()])
    with layers.control_noise(step=0):
        variables = net.init({"params": key(), "dropout": key()}, X)

    @jax.jit
    def noisy(step):
        with layers.control_noise(step=step):
            return net.apply(variables, X, rngs={"dropout": key()})

    shares = [float((noisy(step) == 0).mean()) for step in (0, 5, 10)]
    np.testing.assert_allclose(shares, [0.5, 0.25, 0], atol=0.12)


# functional


def test_functional_is_apply(variables):
    apply = layers.functional(Net(), mutable=["batch_stats"])
    ours = apply(variables, key(2), X, train=True)
    theirs = run(variables, train=True, mutable=["batch_stats"])
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def test_functional_takes_parameters_alone_or_all_variables():
    net = nn.Sequential([nn.Dropout(0.5, deterministic=False), nn.Dense(3)])
    variables = net.init({"params": key(), "dropout": key(1)}, X)
    apply = layers.functional(net)
    np.testing.assert_array_equal(
        apply(variables["params"], key(2), X), apply(variables, key(2), X)
    )


def test_functional_replays_samples_and_needs_no_key_without_noise(variables):
    y, updated = run(variables, train=True, mutable=["noise", "batch_stats"])
    recorded = {"noise": updated["noise"]}
    apply = layers.functional(
        Net(), off=["*/Dropout_0", "last"], mutable=["batch_stats"]
    )
    first, _ = apply(variables, recorded, X, train=True)
    again, _ = apply(variables, recorded["noise"], X, train=True)
    np.testing.assert_array_equal(first, again)
    quiet = layers.functional(Net(), off="*")
    np.testing.assert_array_equal(
        quiet(variables, None, X, train=False), silent(variables)
    )


def test_functional_under_vmap_grad_and_jit(variables):
    apply = layers.functional(Net())
    keys = jax.random.split(key(3), 5)

    def loss(params, key):
        return apply(variables | {"params": params}, key, X, train=False).sum()

    gradients = jax.jit(jax.vmap(jax.grad(loss), (None, 0)))(variables["params"], keys)
    assert all(g.shape[0] == 5 for g in jax.tree.leaves(gradients))


def test_functional_passes_the_step_and_other_methods():
    class Methods(nn.Module):
        def setup(self):
            self.drop = layers.Dropout(lambda step: step / 10, deterministic=False)

        def __call__(self, x):
            return self.drop(x)

        def twice(self, x, scale):
            return scale * self.drop(x)

    apply = layers.functional(Methods(), method="twice")
    np.testing.assert_array_equal(apply({}, key(), X, scale=2.0, step=0), 2 * X)
    dropped = layers.functional(Methods())({}, key(), X, step=9)
    assert (dropped == 0).mean() > 0.5


def test_functional_takes_linen_modules_only():
    with pytest.raises(TypeError, match="Linen module.*layers.nnx.functional"):
        layers.functional(lambda x: x)


# Attention


class Attention(nn.Module):
    attention_fn: object = nn.dot_product_attention
    broadcast: bool = True

    @nn.compact
    def __call__(self, x, deterministic=False):
        return nn.MultiHeadDotProductAttention(
            num_heads=2,
            dropout_rate=0.5,
            broadcast_dropout=self.broadcast,
            attention_fn=self.attention_fn,
        )(x, deterministic=deterministic)


TOKENS = np.asarray(jax.random.normal(jax.random.key(9), (2, 5, 8)))


@pytest.mark.parametrize("broadcast", [True, False])
@pytest.mark.parametrize("deterministic", [True, False])
def test_attention_is_flaxs(broadcast, deterministic):
    theirs = Attention(broadcast=broadcast)
    ours = Attention(layers.NoisyAttention(), broadcast)
    variables = theirs.init(key(), TOKENS, True)
    outputs = [
        net.apply(variables, TOKENS, deterministic, rngs={"dropout": key(2)})
        for net in (ours, theirs)
    ]
    np.testing.assert_allclose(*outputs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "scheme", [None, noise.RandomDropout(0.5), noise.GaussianNoise(0.1)]
)
def test_attention_records_and_replays_any_scheme(scheme):
    net = Attention(layers.NoisyAttention(scheme))
    variables = net.init({"params": key(), "dropout": key(1)}, TOKENS)
    assert "noise" not in variables
    y, recorded = net.apply(
        variables, TOKENS, rngs={"dropout": key(2)}, mutable=["noise"]
    )
    apply = layers.functional(net)
    np.testing.assert_array_equal(apply(variables, recorded, TOKENS), y)
    silent = apply(variables, None, TOKENS, deterministic=True)
    assert (silent != y).any()
    off = layers.functional(net, off="*/attention_noise")
    np.testing.assert_array_equal(off(variables, key(), TOKENS), silent)


def test_attention_without_samples_asks_for_a_key_as_flax_does():
    net = Attention(layers.NoisyAttention())
    variables = net.init({"params": key(), "dropout": key(1)}, TOKENS)
    with pytest.raises(Exception, match="needs PRNG for .*dropout"):
        layers.functional(net)(variables, None, TOKENS)

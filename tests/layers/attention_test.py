"""Attention with noise of any scheme on its weights, in Linen and NNX."""

import jax
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx

from noisejax import layers, noise
from noisejax.layers import nnx as nnx_layers

TOKENS = np.asarray(jax.random.normal(jax.random.key(9), (2, 5, 8)))


def key(seed=0):
    return jax.random.key(seed)


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


@pytest.fixture(scope="module")
def variables():
    return Attention().init(key(), TOKENS, True)


@pytest.mark.parametrize("broadcast", [True, False])
@pytest.mark.parametrize("deterministic", [True, False])
def test_linen_attention_is_that_of_flax(variables, broadcast, deterministic):
    outputs = [
        net.apply(variables, TOKENS, deterministic, rngs={"dropout": key(2)})
        for net in (
            Attention(layers.NoisyAttention(), broadcast),
            Attention(broadcast=broadcast),
        )
    ]
    np.testing.assert_allclose(*outputs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "scheme", [None, noise.RandomDropout(0.5), noise.GaussianNoise(0.1)]
)
def test_linen_attention_records_and_replays_any_scheme(variables, scheme):
    """Replayed noise needs no key, with `apply` and with `functional`."""
    net = Attention(layers.NoisyAttention(scheme))
    assert "noise" not in net.init({"params": key(), "dropout": key(1)}, TOKENS)
    rngs = {"dropout": key(2)}
    y, recorded = net.apply(variables, TOKENS, rngs=rngs, mutable=["noise"])
    np.testing.assert_array_equal(net.apply(variables | recorded, TOKENS), y)
    apply = layers.functional(net)
    np.testing.assert_array_equal(apply(variables, recorded, TOKENS), y)
    quiet = apply(variables, None, TOKENS, deterministic=True)
    assert (quiet != y).any()
    off = layers.functional(net, off="*/attention_noise")
    for noise_ in (None, key()):
        np.testing.assert_array_equal(off(variables, noise_, TOKENS), quiet)


class Stack(nn.Module):
    """One attention function for several modules, inside lifted transforms."""

    attention_fn: object

    @nn.compact
    def __call__(self, x):
        x = nn.remat(Attention)(self.attention_fn)(x)
        blocks = nn.scan(
            lambda block, x, _: (block(x), None),
            variable_axes={"params": 0, "noise": 0},
            split_rngs={"params": True, "dropout": True},
            length=2,
        )
        return blocks(Attention(self.attention_fn), x, None)[0]


def test_replay_without_a_key_in_lifted_transforms():
    net = Stack(layers.NoisyAttention())
    variables = net.init({"params": key(), "dropout": key(1)}, TOKENS)
    rngs = {"dropout": key(2)}
    y, recorded = net.apply(variables, TOKENS, rngs=rngs, mutable=["noise"])
    assert len(jax.tree.leaves(recorded)) == 2
    np.testing.assert_allclose(net.apply(variables | recorded, TOKENS), y, rtol=1e-6)


def test_linen_attention_without_samples_asks_for_a_key_as_flax_does(variables):
    net = Attention(layers.NoisyAttention())
    with pytest.raises(Exception, match="needs PRNG for .*dropout"):
        net.apply(variables, TOKENS)
    with pytest.raises(Exception, match="needs PRNG for .*dropout"):
        Attention().apply(variables, TOKENS)  # Flax's own is as it was


def nnx_attention(attention_fn, broadcast=True, **kwargs):
    return nnx.MultiHeadAttention(
        num_heads=4,
        in_features=8,
        dropout_rate=0.5,
        broadcast_dropout=broadcast,
        deterministic=False,
        decode=False,
        attention_fn=attention_fn,
        rngs=nnx.Rngs(0),
        **kwargs,
    )


@pytest.mark.parametrize(
    ("broadcast", "kv_heads", "causal"), [(True, None, False), (False, 2, True)]
)
def test_nnx_attention_is_that_of_flax(broadcast, kv_heads, causal):
    outputs = [
        nnx_attention(fn, broadcast, num_kv_heads=kv_heads)(TOKENS, is_causal=causal)
        for fn in (nnx_layers.NoisyAttention(), nnx.dot_product_attention)
    ]
    np.testing.assert_allclose(*outputs, rtol=1e-5, atol=1e-6)


def test_nnx_attention_applies_any_scheme_and_given_samples():
    random = nnx_attention(layers.NoisyAttention(noise.RandomDropout(0.5)))
    assert (random(TOKENS) != random(TOKENS)).any()
    sample = noise.RandomDropout(0.5).sample(key(), (2, 4, 5, 5))
    replayed = nnx_attention(nnx_layers.NoisyAttention(sample=sample))
    y = replayed(TOKENS)
    np.testing.assert_array_equal(replayed(TOKENS), y)
    assert (nnx.view(replayed, deterministic=True)(TOKENS) != y).any()


def test_a_scheme_that_is_none_is_refused():
    for attention in (
        lambda fn: nnx_attention(fn)(TOKENS),
        lambda fn: Attention(fn).init(key(), TOKENS),
    ):
        with pytest.raises(TypeError, match="scheme must be a noise scheme"):
            attention(layers.NoisyAttention(0.5))

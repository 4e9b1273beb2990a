"""Flax's dropout layers of a user's model are replaced by other noise."""

import jax
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx
from jax import numpy as jnp

from noisejax import layers, noise

X = jnp.ones((4, 6))
KEYS = {"params": jax.random.key(0), "dropout": jax.random.key(1)}


class Block(nn.Module):
    """A residual block that uses one dropout layer twice."""

    rate: float

    @nn.compact
    def __call__(self, x, train):
        drop = nn.Dropout(self.rate, deterministic=not train)
        return x + drop(nn.Dense(6)(drop(nn.LayerNorm()(x))))


class Stranger(nn.Module):
    """A model with a dropout layer from setup, and one of rate 0."""

    rate: float = 0.5

    def setup(self):
        self.blocks = [Block(self.rate), Block(0.0)]
        self.drop = nn.Dropout(self.rate)

    def __call__(self, x, train=False, *, scale=1.0):
        for block in self.blocks:
            x = block(x, train)
        return self.drop(scale * x, deterministic=not train)


@pytest.fixture(autouse=True)
def _flax_promotes(strict_promotion):
    with jax.numpy_dtype_promotion("standard"), jax.debug_key_reuse(False):
        yield


def test_plain_dropout_in_its_place_gives_the_same_bits():
    model = Stranger()
    same = layers.replace_dropout(model, noise.Dropout)
    variables = model.init(KEYS, X)
    jax.tree.map(np.testing.assert_array_equal, same.init(KEYS, X), variables)
    key = {"dropout": jax.random.key(2)}
    for call in ({"train": True, "scale": 2.0}, {}):
        expected = model.apply(variables, X, rngs=key, **call)
        np.testing.assert_array_equal(
            same.apply(variables, X, rngs=key, **call), expected
        )
    assert isinstance(same, Stranger) and same.rate == 0.5


def test_samples_are_of_the_scheme_and_replay():
    noisy = layers.replace_dropout(Stranger(), noise.RandomDropout(0.3))
    variables = noisy.init(KEYS, X)
    apply = lambda variables, **kw: noisy.apply(variables, X, True, **kw)
    key = {"dropout": jax.random.key(2)}
    y, found = apply(variables, rngs=key, mutable=["noise"])
    first, second = found["noise"]["blocks_0"]["Dropout_0"]["sample"]
    assert first.scale.shape == (4, 1) and (first.scale <= 1 / 0.7).all()
    assert (first.scale != second.scale).any()
    assert set(found["noise"]) == {"blocks_0", "drop"}, "a layer of rate 0 stays"
    np.testing.assert_array_equal(apply({**variables, **found}), y)
    with layers.control_noise(off="*"):
        quiet = apply(variables)
    np.testing.assert_array_equal(quiet, noisy.apply(variables, X))
    functional = layers.functional(noisy)
    expected = apply(variables, rngs=key)
    np.testing.assert_array_equal(
        functional(variables["params"], key["dropout"], X, True), expected
    )


def test_a_replaced_model_is_a_part_of_another():
    class Outer(nn.Module):
        @nn.compact
        def __call__(self, x):
            alone = Stranger(parent=None)
            return layers.replace_dropout(alone, noise.RandomDropout)(x, True)

    variables = Outer().init(KEYS, X)
    assert set(variables["params"]) == {"Stranger_0"}
    loss = lambda v: Outer().apply(v, X, rngs={"dropout": jax.random.key(1)}).sum()
    assert all(
        jnp.isfinite(g).all() for g in jax.tree.leaves(jax.grad(loss)(variables))
    )


class Nnx(nnx.Module):
    """A model with a shared dropout layer, one in a list, and one of rate 0."""

    def __init__(self, rngs):
        self.drop = nnx.Dropout(0.5, rngs=rngs)
        self.again = self.drop
        self.parts = nnx.List(
            [nnx.Linear(6, 6, rngs=rngs), nnx.Dropout(0.2, rngs=rngs)]
        )
        self.none = nnx.Dropout(0.0, rngs=rngs)

    def __call__(self, x):
        for part in (self.drop, *self.parts, self.again, self.none):
            x = part(x)
        return x


def test_nnx_models_keep_their_bits_and_gain_a_scheme():
    model = Nnx(nnx.Rngs(0))
    same = layers.replace_dropout(model, noise.Dropout)
    noisy = layers.replace_dropout(model, lambda rate: noise.RandomDropout(rate / 2))
    assert isinstance(model.drop, nnx.Dropout), "the model itself stays"
    np.testing.assert_array_equal(same(X), model(X))
    assert noisy.drop is noisy.again and isinstance(noisy.none, nnx.Dropout)
    assert noisy.parts[1].scheme == noise.RandomDropout(0.1)
    assert (noisy(X) != noisy(X)).any()
    noisy.eval(), model.eval()
    np.testing.assert_array_equal(noisy(X), model(X))
    alone = layers.replace_dropout(nnx.Dropout(0.5, rngs=nnx.Rngs(0)), noise.Dropout)
    assert alone.scheme == noise.Dropout(0.5)


def test_errors():
    class Outer(nn.Module):
        @nn.compact
        def __call__(self, x):
            return layers.replace_dropout(Stranger(), noise.Dropout)(x)

    with pytest.raises(ValueError, match="a part of Outer: replace its layers before"):
        Outer().init(KEYS, X)
    with pytest.raises(TypeError, match="takes a Linen or NNX module, got int"):
        layers.replace_dropout(3, noise.Dropout)
    for scheme in (0.5, lambda rate: rate):
        with pytest.raises(TypeError, match="scheme must be a noise scheme"):
            model = layers.replace_dropout(Stranger(), scheme)
            model.init(KEYS, X, True)

"""Ours in the place of flax.linen.Dropout: same keys, masks, values, errors."""

import inspect

import flax
import jax
import numpy as np
import pytest
from flax import linen as nn
from jax import numpy as jnp

from noisejax import layers


def key(seed=0):
    return jax.random.key(seed)


class Net(nn.Module):
    """A net that uses dropout in all the ways that Flax's nets do."""

    dropout: type

    @nn.compact
    def __call__(self, x, train):
        x = nn.Dense(8)(x)
        x = self.dropout(0.3, deterministic=not train)(x)
        x = nn.Dense(8)(x)
        x = self.dropout(rate=0.5, broadcast_dims=(0,))(x, deterministic=not train)
        shared = self.dropout(0.2, (), not train, "other")
        return self.dropout(0.0)(shared(shared(x)), not train)


@pytest.fixture(params=[nn.Dropout, layers.Dropout], ids=["flax", "noisejax"])
def dropout(request):
    return request.param


@pytest.mark.parametrize("keys", [jax.random.key, jax.random.PRNGKey])
@pytest.mark.parametrize("jit", [False, True])
def test_same_key_same_output(keys, jit):
    x = jax.random.normal(key(9), (4, 6))
    outputs = []
    for dropout in (nn.Dropout, layers.Dropout):
        net = Net(_renamed(dropout))
        variables = net.init(key(), x, train=False)

        def f(x, net=net, variables=variables):
            rngs = {"dropout": keys(1), "other": keys(2)}
            return net.apply(variables, x, train=True, rngs=rngs)

        outputs.append((jax.jit(f) if jit else f)(x))
    np.testing.assert_array_equal(outputs[0] == 0, outputs[1] == 0)
    np.testing.assert_allclose(outputs[0], outputs[1], rtol=2e-6)


def _renamed(dropout):
    """Both are called Dropout, so that their automatic names and keys agree."""
    assert dropout.__name__ == "Dropout"
    return dropout


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 0.77])
def test_float32_outputs_are_flaxs_bit_for_bit(rate):
    x = jax.random.normal(key(9), (64, 65))
    ours, theirs = (
        jax.jit(
            lambda x, d=d: d(rate, deterministic=False).apply(
                {}, x, rngs={"dropout": key()}
            )
        )(x)
        for d in (layers.Dropout, nn.Dropout)
    )
    np.testing.assert_array_equal(ours, theirs)


def test_ours_takes_the_constructor_and_call_arguments_of_flaxs():
    ours = inspect.signature(layers.Dropout).parameters
    for name, parameter in inspect.signature(nn.Dropout).parameters.items():
        assert ours[name].default == parameter.default, name
    positional = list(inspect.signature(nn.Dropout).parameters)[:4]
    assert list(ours)[:4] == positional
    call = list(inspect.signature(nn.Dropout.__call__).parameters)
    assert (
        list(inspect.signature(layers.Dropout.__call__).parameters)[: len(call)] == call
    )


def test_same_errors(dropout):
    x = jnp.ones((2, 3))
    with pytest.raises(
        ValueError, match="must be passed to the constructor or at call"
    ):
        dropout(0.5).apply({}, x)
    with pytest.raises(flax.errors.InvalidRngError):
        dropout(0.5, deterministic=False).apply({}, x)
    with pytest.raises(flax.errors.InvalidRngError):
        dropout(0.5, deterministic=False, rng_collection="a").apply(
            {}, x, rngs={"dropout": key()}
        )


def test_rates_0_and_1(dropout):
    x = jax.random.normal(key(9), (2, 3))
    kept = dropout(0.0, deterministic=False).apply({}, x)  # needs no key
    np.testing.assert_array_equal(kept, x)

    def f(x):
        layer = dropout(1.0, deterministic=False)
        return layer.apply({}, x, rngs={"dropout": key()})

    np.testing.assert_array_equal(f(x), jnp.zeros_like(x))
    np.testing.assert_array_equal(jax.grad(lambda x: f(x).sum())(x), jnp.zeros_like(x))


def test_a_call_may_bring_its_own_key(dropout):
    x = jnp.ones((4, 5))
    y = dropout(0.5).apply({}, x, deterministic=False, rng=key(3))
    np.testing.assert_array_equal(
        y > 0, jax.random.bernoulli(key(3), np.float32(0.5), (4, 5))
    )

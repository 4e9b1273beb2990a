"""Any pure function: Linen, NNX, Equinox and plain JAX, with their own dropout."""

import equinox as eqx
import jax
import numpy as np
import optax
import pytest
from flax import linen as nn
from flax import nnx

from noisejax import layers, noise, objectives
from noisejax.layers import nnx as noisy_nnx
from tests.objectives.networks import CLASSES, FEATURES, HIDDEN, batch, key


@pytest.fixture(autouse=True)
def as_their_users_run_them():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def linen_with(dropout):
    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.relu(nn.Dense(HIDDEN)(x))
            return nn.Dense(CLASSES)(dropout(0.5, deterministic=False)(x))

    net = Net()
    rngs = {"params": key(), "dropout": key(1)}
    return net.init(rngs, batch()[0]), layers.functional(net)


def nnx_with(dropout):
    class Net(nnx.Module):
        def __init__(self, rngs):
            self.first = nnx.Linear(FEATURES, HIDDEN, rngs=rngs)
            self.dropout = dropout(0.5, rngs=rngs)
            self.second = nnx.Linear(HIDDEN, CLASSES, rngs=rngs)

        def __call__(self, x):
            return self.second(self.dropout(nnx.relu(self.first(x))))

    apply, params = noisy_nnx.functional(Net(nnx.Rngs(0)))
    return params, apply


def of_equinox():
    class Net(eqx.Module):
        first: eqx.nn.Linear
        dropout: eqx.nn.Dropout
        second: eqx.nn.Linear

        def __call__(self, x, key):
            hidden = self.dropout(jax.nn.relu(self.first(x)), key=key)
            return self.second(hidden)

    keys = jax.random.split(key())
    net = Net(
        eqx.nn.Linear(FEATURES, HIDDEN, key=keys[0]),
        eqx.nn.Dropout(0.5),
        eqx.nn.Linear(HIDDEN, CLASSES, key=keys[1]),
    )
    params, static = eqx.partition(net, eqx.is_inexact_array)

    def apply(params, key, x):
        net = eqx.combine(params, static)
        return jax.vmap(net)(x, jax.random.split(key, len(x)))

    return params, apply


def of_plain_jax():
    def apply(params, key, x):
        hidden = jax.nn.relu(x @ params["first"])
        return noise.dropout(key, hidden, rate=0.5) @ params["second"]

    keys = jax.random.split(key())
    params = {
        "first": jax.random.normal(keys[0], (FEATURES, HIDDEN)),
        "second": jax.random.normal(keys[1], (HIDDEN, CLASSES)),
    }
    return params, apply


MODELS = {
    "linen": lambda: linen_with(layers.Dropout),
    "linen, its own dropout": lambda: linen_with(nn.Dropout),
    "nnx": lambda: nnx_with(noisy_nnx.Dropout),
    "nnx, its own dropout": lambda: nnx_with(nnx.Dropout),
    "equinox": of_equinox,
    "plain jax": of_plain_jax,
}


CASES = [
    *((name, "vmap") for name in MODELS),
    *(("linen", strategy) for strategy in ("map", "fold", "resample")),
    ("nnx", "fold"),
    ("equinox", "resample"),
]


@pytest.mark.parametrize(("name", "strategy"), CASES)
def test_a_user_trains(name, strategy):
    """Ten steps of Optax lower the loss; the samples differ."""
    params, apply = MODELS[name]()
    x, y = batch()

    def log_prob(params, key, x, y):
        return objectives.label_log_prob(apply(params, key, x), y)

    loss_fn = objectives.iwsgd(log_prob, num_samples=4, strategy=strategy)
    optimizer = optax.sgd(0.3)

    @jax.jit
    def step(carry, key):
        params, state = carry
        (loss, aux), gradient = jax.value_and_grad(loss_fn, has_aux=True)(
            params, key, x, y
        )
        updates, state = optimizer.update(gradient, state)
        return (optax.apply_updates(params, updates), state), (loss, aux.log_probs)

    carry = params, optimizer.init(params)
    _, (losses, log_probs) = jax.lax.scan(step, carry, jax.random.split(key(2), 10))
    assert losses[-3:].mean() < losses[:3].mean()
    assert (np.ptp(log_probs[0], axis=0) > 0).any()


@pytest.mark.parametrize("strategy", ["vmap", "fold"])
def test_linen_batch_statistics(strategy):
    """Under vmap each sample has its own statistics; folded, all copies share them."""

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.BatchNorm(use_running_average=False, momentum=0.0)(x)
            return nn.Dense(CLASSES)(layers.Dropout(0.5, deterministic=False)(x))

    net, (x, y) = Net(), batch()
    variables = net.init({"params": key(), "dropout": key(1)}, x)

    def log_prob(params, key, x, y):
        logits, new = net.apply(
            {"params": params, "batch_stats": variables["batch_stats"]},
            x,
            rngs={"dropout": key},
            mutable=["batch_stats"],
        )
        return objectives.label_log_prob(logits, y), new["batch_stats"]

    loss_fn = objectives.iwsgd(log_prob, num_samples=3, strategy=strategy, has_aux=True)
    _, aux = loss_fn(variables["params"], key(4), x, y)
    means = aux.user_aux["BatchNorm_0"]["mean"]
    expected = np.broadcast_to(x.mean(0), means.shape)
    np.testing.assert_allclose(means, expected, rtol=1e-5, atol=1e-6)
    assert means.shape == ((3, FEATURES) if strategy == "vmap" else (FEATURES,))


def test_nnx_batch_statistics():
    class Net(nnx.Module):
        def __init__(self, rngs):
            self.norm = nnx.BatchNorm(FEATURES, momentum=0.0, rngs=rngs)
            self.dropout = noisy_nnx.Dropout(0.5, rngs=rngs)
            self.out = nnx.Linear(FEATURES, CLASSES, rngs=rngs)

        def __call__(self, x):
            return self.out(self.dropout(self.norm(x)))

    x, y = batch()
    graph, params, stats, rest = nnx.split(
        Net(nnx.Rngs(0)), nnx.Param, nnx.BatchStat, ...
    )

    def log_prob(params, key, x, y):
        model = nnx.merge(graph, params, stats, rest, copy=True)
        nnx.reseed(model, default=key)
        logits = model(x)
        return objectives.label_log_prob(logits, y), nnx.state(model, nnx.BatchStat)

    loss_fn = objectives.iwsgd(log_prob, num_samples=3, strategy="fold", has_aux=True)
    _, aux = jax.jit(loss_fn)(params, key(4), x, y)
    mean = aux.user_aux["norm"]["mean"][...]
    np.testing.assert_allclose(mean, x.mean(0), rtol=1e-5, atol=1e-6)

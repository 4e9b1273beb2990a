"""Batch statistics under several noise samples, by every strategy."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from noisejax import models, noise

NET = models.MLP(
    (7, 6),
    3,
    batch_norm=True,
    hidden_noise=(noise.Dropout(0.5), noise.Dropout(0.5)),
)
X = jax.random.normal(jax.random.key(5), (8, 4))
SAMPLES = 3


@pytest.fixture(scope="module")
def variables():
    return NET.init(jax.random.key(1), X, train=False)


def one_pass(variables, key, x=X):
    (_, activations), updated = NET.apply(
        variables, x, train=True, rngs={"dropout": key}, mutable=["batch_stats"]
    )
    return activations, updated["batch_stats"]


def test_training_normalises_by_the_batch(variables):
    activations, stats = one_pass(variables, jax.random.key(2))
    net = np.asarray(activations["net_0"])
    np.testing.assert_allclose(net.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(net.std(0), 1, atol=1e-2)
    kernel = np.asarray(variables["params"]["dense_0"]["kernel"])
    raw = np.asarray(X) @ kernel
    np.testing.assert_allclose(
        stats["norm_0"]["mean"], 0.1 * raw.mean(0), rtol=1e-4, atol=1e-6
    )
    np.testing.assert_allclose(
        stats["norm_0"]["var"], 0.9 + 0.1 * raw.var(0), rtol=1e-4
    )


def test_testing_uses_the_running_averages_and_leaves_them(variables):
    trained = {**variables, "batch_stats": one_pass(variables, jax.random.key(2))[1]}
    _, activations = NET.apply(trained, X, train=False)
    stats = jax.tree.map(np.asarray, trained["batch_stats"]["norm_0"])
    kernel = np.asarray(variables["params"]["dense_0"]["kernel"])
    expected = (np.asarray(X) @ kernel - stats["mean"]) / np.sqrt(stats["var"] + 1e-5)
    np.testing.assert_allclose(activations["net_0"], expected, rtol=1e-4, atol=1e-5)
    single, _ = NET.apply(trained, X[:1], train=False)
    batch, _ = NET.apply(trained, X, train=False)
    np.testing.assert_allclose(single[0], batch[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("strategy", ["vmap", "map"])
def test_mapped_samples_have_statistics_of_their_own(variables, strategy):
    keys = jax.random.split(jax.random.key(3), SAMPLES)
    passed = lambda key: one_pass(variables, key)
    if strategy == "vmap":
        activations, stats = jax.vmap(passed)(keys)
    else:
        activations, stats = jax.lax.map(jax.checkpoint(passed), keys)
    np.testing.assert_allclose(activations["net_1"].mean(1), 0, atol=1e-5)
    means = np.asarray(stats["norm_1"]["mean"])
    assert means.shape == (SAMPLES, 6)
    assert np.abs(means[0] - means[1]).max() > 1e-4
    singles = [one_pass(variables, key)[1] for key in keys]
    averaged = jax.tree.map(lambda leaf: leaf.mean(0), stats)
    for path, leaf in jax.tree_util.tree_flatten_with_path(averaged)[0]:
        expected = sum(dict(flat(s))[jax.tree_util.keystr(path)] for s in singles)
        np.testing.assert_allclose(leaf, expected / SAMPLES, rtol=1e-4, atol=1e-6)


def flat(tree):
    paths = jax.tree_util.tree_flatten_with_path(tree)[0]
    return [(jax.tree_util.keystr(path), leaf) for path, leaf in paths]


def test_folded_samples_share_the_statistics_of_all_copies(variables):
    copies = jnp.concatenate([X] * SAMPLES)
    activations, _ = one_pass(variables, jax.random.key(3), copies)
    net = np.asarray(activations["net_1"])
    np.testing.assert_allclose(net.mean(0), 0, atol=1e-5)
    per_sample = net.reshape(SAMPLES, len(X), -1).mean(1)
    assert np.abs(per_sample).max() > 1e-2

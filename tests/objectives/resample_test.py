"""Resampling: unbiased, its variance known, refused where it would be wrong."""

import jax
import numpy as np
import pytest
from flax import linen as nn
from jax import numpy as jnp

from noisejax import layers, noise, objectives
from tests.objectives.networks import batch, draw, key, log_prob, params

S, DRAWS, COPIES = 4, 1000, 400


def test_it_is_unbiased_and_has_more_variance():
    """Over keys, its mean gradient is that of vmap, to 5 standard errors."""
    x, y = batch()

    def mean_and_variance(strategy):
        loss_fn = objectives.iwsgd(log_prob, num_samples=S, strategy=strategy)
        gradient = jax.grad(lambda p, k: loss_fn(p, k, x, y)[0])
        draws = jax.random.split(key(3), DRAWS)
        drawn = jax.jit(jax.vmap(gradient, in_axes=(None, 0)))(params(), draws)
        return [(g.mean(0), g.var(0, ddof=1) / DRAWS) for g in drawn]

    pairs = zip(mean_and_variance("resample"), mean_and_variance("vmap"), strict=True)
    for (mean, variance), (exact, exact_variance) in pairs:
        error = np.sqrt(variance + exact_variance)
        assert (np.abs(mean - exact) < 5 * error + 1e-6).all()
        assert variance.sum() > exact_variance.sum()


def test_chosen_for_replayed_samples_it_is_unbiased_too():
    """The samples of each example fixed, the batch many copies: eq. 7 on the mean."""
    x, y = batch()
    scheme = noise.Dropout(0.4)
    samples = jax.vmap(lambda k: draw(scheme, k, len(x)))(jax.random.split(key(4), S))

    def copies(leaf, axis):
        return jnp.concatenate([leaf] * COPIES, axis)

    many = jax.tree.map(lambda leaf: copies(leaf, 1), samples)
    args = (many, copies(x, 0), copies(y, 0))

    def per_copy(strategy, noise_, x, y):
        loss_fn = objectives.iwsgd(log_prob, num_samples=S, strategy=strategy)
        gradient = jax.jit(jax.grad(lambda p, *rest: loss_fn(p, *rest)[0]))
        return gradient(params(), noise_, x, y)

    exact = per_copy("vmap", samples, x, y)
    for mean, g in zip(per_copy("resample", *args), exact, strict=True):
        scale = np.abs(g).max()
        np.testing.assert_allclose(mean, g, atol=8 * scale / np.sqrt(COPIES))


def test_the_backward_pass_is_of_one_sample():
    """Operations on a net wide enough for its products to count: S + 3 of 3 S."""
    deep = [jnp.ones((512, 512)) for _ in range(3)]
    x, y = jnp.ones((32, 512)), jnp.zeros(32, jnp.int32)

    def operations(strategy):
        loss_fn = objectives.iwsgd(deep_log_prob, num_samples=8, strategy=strategy)
        gradient = jax.jit(jax.grad(lambda p, k: loss_fn(p, k, x, y)[0]))
        return gradient.lower(deep, key()).compile().cost_analysis()["flops"]

    assert operations("resample") < 0.6 * operations("vmap")


def deep_log_prob(params, key, x, y):
    *weights, last = params
    for w, k in zip(weights, jax.random.split(key, len(weights)), strict=True):
        x = jax.nn.relu(noise.dropout(k, x, rate=0.5) @ w)
    return objectives.label_log_prob(x @ last, y)


def with_statistics(params, key, x, y):
    h = x @ params[0]
    h = noise.dropout(key, h - h.mean(0, keepdims=True), rate=0.5)
    return objectives.label_log_prob(h @ params[1], y)


def with_a_level_of_the_batch(params, key, x, y):
    h = noise.random_dropout(key, x @ params[0], rate=0.5, batch_dims=0)
    return objectives.label_log_prob(h @ params[1], y)


def with_noise_on_weights(params, key, x, y):
    h = x @ noise.dropconnect(key, params[0], rate=0.5)
    return objectives.label_log_prob(h @ params[1], y)


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (with_statistics, "reduce_sum over the batch"),
        (with_a_level_of_the_batch, "shares noise of shape"),
        (with_noise_on_weights, "shares noise of shape|over the batch"),
    ],
)
def test_what_mixes_examples_is_refused(function, reason):
    loss_fn = objectives.iwsgd(function, num_samples=2, strategy="resample")
    with pytest.raises(ValueError, match=f"(?s){reason}.*use strategy="):
        loss_fn(params(), key(), *batch())
    for strategy in ("vmap", "map", "fold"):
        other = objectives.iwsgd(function, num_samples=2, strategy=strategy)
        assert np.isfinite(other(params(), key(), *batch())[0])


def test_batch_normalisation_is_refused():
    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.BatchNorm(use_running_average=False)(nn.Dense(4)(x))
            return layers.Dropout(0.5, deterministic=False)(x)

    net, (x, y) = Net(), batch()
    variables = net.init(key(), x)

    def function(variables, key, x, y):
        logits, _ = net.apply(
            variables, x, rngs={"dropout": key}, mutable=["batch_stats"]
        )
        return objectives.label_log_prob(logits, y)

    loss_fn = objectives.iwsgd(function, num_samples=2, strategy="resample")
    with pytest.raises(ValueError, match="over the batch"):
        loss_fn(variables, key(), x, y)

"""Resampling: unbiased, with known variance; independence of examples is checked."""

import jax
import numpy as np
import pytest
from flax import linen as nn
from jax import numpy as jnp

from noisejax import layers, noise, objectives
from tests.objectives.networks import batch, draw, key, log_prob, params

S, DRAWS, COPIES = 4, 1000, 400


def test_it_is_unbiased_and_has_more_variance():
    """The mean gradient over keys equals that of vmap within 5 standard errors."""
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


def test_replayed_samples_are_chosen_without_bias():
    """For fixed samples and many copies of a batch, the mean gradient is eq. 7."""
    x, y = batch()
    scheme = noise.Dropout(0.4)
    samples = jax.vmap(lambda k: draw(scheme, k, len(x)))(jax.random.split(key(4), S))

    def copies(leaf, axis):
        return jnp.concatenate([leaf] * COPIES, axis)

    many = jax.tree.map(lambda leaf: copies(leaf, 1), samples)
    args = (many, copies(x, 0), copies(y, 0))

    def gradient(strategy, noise_, x, y):
        loss_fn = objectives.iwsgd(log_prob, num_samples=S, strategy=strategy)
        gradient = jax.jit(jax.grad(lambda p, *rest: loss_fn(p, *rest)[0]))
        return gradient(params(), noise_, x, y)

    exact = gradient("vmap", samples, x, y)
    for mean, g in zip(gradient("resample", *args), exact, strict=True):
        scale = np.abs(g).max()
        np.testing.assert_allclose(mean, g, atol=8 * scale / np.sqrt(COPIES))


def test_the_backward_pass_is_of_one_sample():
    """If products dominate, the operations are S + 3 of 3 S."""
    weights = [jnp.ones((256, 256)) for _ in range(3)]
    x, y = jnp.ones((16, 256)), jnp.zeros(16, jnp.int32)

    def fn(weights, key, x, y):
        *hidden, last = weights
        for w, k in zip(hidden, jax.random.split(key, len(hidden)), strict=True):
            x = jax.nn.relu(noise.dropout(k, x, rate=0.5) @ w)
        return objectives.label_log_prob(x @ last, y)

    def operations(strategy):
        loss_fn = objectives.iwsgd(fn, num_samples=8, strategy=strategy)
        gradient = jax.jit(jax.grad(lambda p, k: loss_fn(p, k, x, y)[0]))
        return gradient.lower(weights, key()).compile().cost_analysis()["flops"]

    assert operations("resample") < 0.6 * operations("vmap")


def scored(mix):
    """Return a log-likelihood that applies `mix` to hidden activations."""

    def function(params, key, x, y):
        hidden = mix(noise.dropout(key, x @ params[0], rate=0.5))
        return objectives.label_log_prob(hidden @ params[1], y)

    return function


def in_batch_negatives(params, key, x, y):
    hidden = noise.dropout(key, jnp.tanh(x @ params[0]), rate=0.5)
    return jnp.diagonal(jax.nn.log_softmax(hidden @ hidden.T))


def batch_normalised(params, key, x, y):
    net = nn.BatchNorm(use_running_average=False, use_bias=False, use_scale=False)
    normalise = lambda h: net.apply({}, h, mutable=["batch_stats"])[0]
    return scored(normalise)(params, key, x, y)


def segments(h):
    index = jnp.arange(len(h)) // 4
    return jax.ops.segment_sum(h, index, num_segments=len(h))[index]


MIXING = {
    "in-batch negatives": in_batch_negatives,
    "roll": scored(lambda h: jnp.roll(h, 1, axis=0)),
    "roll by two": scored(lambda h: jnp.roll(h, -2, axis=0)),
    "sort": scored(lambda h: jnp.sort(h, axis=0)),
    "cumulative sum": scored(lambda h: jnp.cumsum(h, axis=0)),
    "reversed cumulative sum": scored(lambda h: jnp.cumsum(h[::-1], axis=0)[::-1]),
    "segment sum": scored(segments),
    "mean": scored(lambda h: h - h.mean(0, keepdims=True)),
    "maximum": scored(lambda h: h - h.max(0, keepdims=True)),
    "batch normalisation": batch_normalised,
}


@pytest.mark.parametrize("name", MIXING)
def test_mixing_is_found(name):
    with pytest.raises(ValueError, match=r"example \d changed from .*strategy='vmap'"):
        objectives.check_independence(MIXING[name], params(), key(2), *batch(size=8))


def test_resample_gives_no_gradient_to_in_batch_negatives():
    """The check detects this fault."""
    losses = {}
    for strategy in ("resample", "vmap"):
        loss_fn = objectives.iwsgd(in_batch_negatives, num_samples=2, strategy=strategy)
        losses[strategy] = loss_fn(params(), key(), *batch(size=8))[0]
    assert losses["resample"] == 0 and losses["vmap"] > 0.1


@pytest.mark.parametrize("size", [2, 3, 8])
def test_one_example_that_reads_another_is_found(size):
    """This holds for every pair of examples."""
    x = jax.random.normal(key(), (size, 2))
    for reads in range(size):
        for other in set(range(size)) - {reads}:
            fn = lambda p, k, x, i=reads, j=other: x[:, 0].at[i].add(x[j, 1])
            with pytest.raises(ValueError, match=f"example {reads} changed"):
                objectives.check_independence(fn, None, key(), x)


class Tokens(nn.Module):
    """A network with integer inputs, attention, layer normalisation and dropout."""

    @nn.compact
    def __call__(self, tokens):
        x = nn.Embed(7, 8)(tokens)
        x = x + nn.MultiHeadDotProductAttention(2)(x)
        x = layers.Dropout(0.5, deterministic=False)(nn.LayerNorm()(x))
        return nn.Dense(7)(x)


def test_independent_functions_pass():
    tokens = jax.random.randint(key(), (6, 5), 0, 7)
    net = Tokens()
    variables = net.init(key(), tokens)

    def fn(variables, key, batch, smoothing):
        logits = net.apply(variables, batch["tokens"], rngs={"dropout": key})
        found = objectives.sequence_log_prob(logits, batch["tokens"], batch["counts"])
        return found * smoothing, logits

    inputs = {"tokens": tokens, "counts": np.asarray(tokens) > 2}
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        objectives.check_independence(fn, variables, key(), inputs, 0.9, has_aux=True)


def test_independent_functions_of_replayed_noise_and_impossible_examples_pass():
    x, y = batch()
    sample = draw(noise.Dropout(0.4), key(), len(x))

    def fn(p, sample, x, y):
        return jnp.where(y == y[:1], -jnp.inf, log_prob(p, sample, x, y))

    with pytest.raises(ValueError, match="example"):
        objectives.check_independence(fn, params(), sample, x, y)
    objectives.check_independence(log_prob, params(), sample, x, y)
    impossible = lambda p, k, x: jnp.full(len(x), -jnp.inf)
    objectives.check_independence(impossible, None, key(), x)


def test_noise_that_the_batch_shares_is_drawn_for_each_example():
    """Each example keeps its law, so the loss has the same mean: 0.5 is E of a mask."""

    def fn(w, key, x):
        kept = jax.random.bernoulli(key, 0.5, (1,)).astype(jnp.float32)
        return jnp.log(0.1 + kept * w * x)

    x = jnp.ones(256)
    loss_fn = jax.jit(objectives.iwsgd(fn, num_samples=1, strategy="resample"))
    loss, aux = loss_fn(jnp.float32(1), key(), x)
    assert len(np.unique(aux.log_probs)) == 2
    expected = -(np.log(0.1) + np.log(1.1)) / 2
    assert abs(loss - expected) < 5 * np.log(11) / 2 / 16


def test_checks_of_the_check():
    x, y = batch()
    with pytest.raises(ValueError, match="two or more examples, got 1"):
        objectives.check_independence(log_prob, params(), key(), x[:1], y[:1])
    with pytest.raises(ValueError, match="take no mean over the batch"):
        fn = lambda *arguments: log_prob(*arguments).mean()
        objectives.check_independence(fn, params(), key(), x, y)
    with pytest.raises(TypeError, match="must be a function"):
        objectives.check_independence(None, params(), key(), x, y)

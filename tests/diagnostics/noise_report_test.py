"""The noise report of a model: bound against S, effective samples, net variance."""

import jax
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx
from jax import numpy as jnp

from noisejax import diagnostics, layers

X = jnp.asarray(np.random.default_rng(6).normal(size=(12, 5)), jnp.float32)
Y = jnp.arange(12) % 3


@pytest.fixture(autouse=True)
def _standard_promotion(strict_promotion):
    """Allow promotion of dtypes, which Flax needs."""
    with jax.numpy_dtype_promotion("standard"):
        yield


def test_effective_samples_are_numpys():
    """A model with known likelihoods of the samples."""

    def apply(params, key, x):
        return x[:, 0] + jax.random.normal(key, x.shape[:1])

    def log_prob(outputs, y):
        return outputs * y

    y = jnp.linspace(0.0, 3.0, 12)
    report = diagnostics.report_noise(
        jax.random.key(1), apply, (), X, y, log_prob_fn=log_prob, num_samples=8
    )
    bound_key, _ = jax.random.split(jax.random.key(1))
    keys = jax.random.split(bound_key, 8)
    log_probs = [log_prob(apply((), keys[i], X), y) for i in range(8)]
    wide = np.exp(np.stack(log_probs).astype(np.float64))
    for i, s in enumerate((1, 2, 4, 8)):
        groups = wide.reshape(-1, s, 12)
        weights = groups / groups.sum(axis=1, keepdims=True)
        effective = (1 / (weights**2).sum(axis=1)).mean()
        np.testing.assert_allclose(report.effective_samples[i], effective, rtol=1e-4)
        bound = np.log(groups.mean(axis=1)).mean()
        np.testing.assert_allclose(report.bound.bound[i], bound, rtol=1e-4)


class Net(nn.Module):
    """A model with its own flag, which also returns pre-activations."""

    @nn.compact
    def __call__(self, x, training):
        x = nn.Dropout(0.5, deterministic=not training)(x)
        net = nn.Dense(7)(x)
        x = nn.Dropout(0.5, deterministic=not training)(nn.relu(net))
        logits = nn.Dense(3)(x)
        return logits, {"first": net, "logits": logits}


def test_a_linen_model_with_net_values():
    model = Net()
    params = model.init(jax.random.key(0), X, False)["params"]
    functional = layers.functional(model)
    apply = lambda params, key, x: functional(params, key, x, True)
    few = dict(num_samples=8, num_draws=3)
    report = diagnostics.report_noise(jax.random.key(1), apply, params, X, Y, **few)
    assert (np.diff(report.bound.bound) >= 0).all()
    assert 1 < float(report.effective_samples[-1]) < 8
    assert set(report.net_variance) == {"first", "logits"}
    assert float(report.net_variance["first"].measured.mean()) > 0
    silent = lambda params, key, x: functional(params, key, x, False)
    quiet = diagnostics.report_noise(jax.random.key(1), silent, params, X, Y, **few)
    assert not quiet.net_variance["logits"].measured.any()
    np.testing.assert_allclose(quiet.bound.bound, quiet.bound.bound[0], rtol=1e-5)


def test_an_nnx_model():
    rngs = nnx.Rngs(0)
    drop, linear = nnx.Dropout(0.5, rngs=rngs), nnx.Linear(5, 3, rngs=rngs)
    apply, params = layers.nnx.functional(nnx.Sequential(drop, linear))
    report = diagnostics.report_noise(
        jax.random.key(1), apply, params, X, Y, num_samples=4, num_draws=3
    )
    assert report.net_variance.measured.shape == (12, 3)
    assert report.bound.bound.shape == (3,)


def test_another_likelihood():
    def apply(params, key, x):
        return x + jax.random.normal(key, x.shape)

    def log_prob(outputs, y):
        return -0.5 * ((outputs - y) ** 2).sum(axis=-1)

    report = diagnostics.report_noise(
        jax.random.key(1),
        apply,
        (),
        X,
        (X, Y),
        log_prob_fn=lambda outputs, y: log_prob(outputs, y[0]),
        num_draws=500,
    )
    np.testing.assert_allclose(report.bound.bound[0], -2.5, atol=0.4)
    np.testing.assert_allclose(report.net_variance.measured.mean(), 1, rtol=0.05)


def test_errors():
    with pytest.raises(ValueError, match="num_samples must be at least 1, got 0"):
        diagnostics.report_noise(
            jax.random.key(0), lambda p, k, x: x, (), X, Y, num_samples=0
        )
    with pytest.raises(TypeError, match="JAX random key"):
        diagnostics.report_noise(0, lambda p, k, x: x, (), X, Y)


def test_a_report_is_printed_drawn_and_compiled_once():
    traces = []

    def apply(params, key, x):
        traces.append(0)
        net = params * x + jax.random.normal(key, x.shape)
        return net[:, :3], {"first": net, "a longer name": net[:, :3]}

    def report(seed, scale):
        key = jax.random.key(seed)
        return diagnostics.report_noise(key, apply, scale, X, Y, num_samples=4)

    found, count = report(0, 1.0), len(traces)
    assert report(1, 2.0).bound.bound.shape == (3,) and len(traces) == count
    text = str(found).splitlines()
    assert text[1].split() == ["1", f"{found.bound.bound[0]:.4f}", "1.00"]
    assert [line.split("  ")[0] for line in text[-2:]] == ["a longer name", "first"]
    left, right = found.plot().axes
    np.testing.assert_allclose(left.lines[0].get_ydata(), found.bound.bound)
    np.testing.assert_allclose(right.lines[0].get_ydata(), found.effective_samples)
    outputs = lambda params, key, x: apply(params, key, x)[0]
    alone = diagnostics.report_noise(jax.random.key(0), outputs, 1.0, X, Y)
    assert str(alone).splitlines()[-1].split()[::2] == ["outputs", "-"]


@pytest.mark.parametrize(
    "result",
    [
        lambda x: (x, x, x),
        lambda x: (x, Y),
        lambda x: (x, x.sum()),
        lambda x: (x, {"carry": x[:4]}),
        lambda x: (x, ()),
    ],
)
def test_a_tuple_that_is_no_pair_of_outputs_and_nets_is_an_error(result):
    with pytest.raises(ValueError, match=r"a pair \(outputs, pre-activations\)"):
        diagnostics.report_noise(
            jax.random.key(0), lambda p, k, x: result(x), (), X, Y, num_samples=2
        )


def test_weights_that_collapse_are_warned_of():
    """A log-likelihood of long targets varies so much that one sample wins."""

    def apply(params, key, x):
        return x + params * jax.random.normal(key, x.shape)

    x, y = jnp.zeros((5, 2)), jnp.zeros((5, 2))

    def report(scale):
        return diagnostics.report_noise(
            *(jax.random.key(0), apply, jnp.float32(scale), x, y),
            log_prob_fn=lambda outputs, y: -jnp.sum((outputs - y) ** 2, axis=-1),
            num_samples=8,
        )

    assert report(0.1).effective_samples[-1] > 7
    with pytest.warns(UserWarning, match="8 noise samples count as 1"):
        report(100.0)

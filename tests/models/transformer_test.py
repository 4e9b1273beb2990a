"""Transformers: the formula, masks, noise sites, schedules and errors."""

import functools

import jax
import numpy as np
import pytest
from flax import linen as nn
from jax import numpy as jnp

from noisejax import layers, models, noise, objectives

SHAPE = (3, 5, 8)
RANDOM = noise.RandomDropout(0.5)
NOISY = {
    "hidden_noise": (RANDOM, RANDOM),
    "attention_noise": RANDOM,
    "residual_noise": RANDOM,
    "embedding_noise": RANDOM,
    "path_rate": 0.5,
}


@functools.cache
def network(**options):
    net = models.Transformer(2, 8, 2, max_length=6, **NOISY | options)
    x = jax.random.normal(jax.random.key(1), SHAPE)
    return net, net.init(jax.random.key(2), x, train=False), x


def run(net, variables, x, mask=None, seed=3):
    rngs = {"dropout": jax.random.key(seed)}
    return net.apply(variables, x, mask, train=True, rngs=rngs)[0]


def normalise(x, p):
    mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(var + 1e-6) * p["scale"] + p["bias"]


def test_one_block_is_the_formula():
    net = models.Transformer(1, 8, 2, activation=nn.tanh, max_length=5)
    x = jax.random.normal(jax.random.key(1), SHAPE)
    variables = net.init(jax.random.key(2), x, train=False)
    p = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), variables["params"])
    h = np.asarray(x, np.float64) + p["positions"]
    n, a = normalise(h, p["norm_0_attention"]), p["attention_0"]
    q, k, v = (
        np.einsum("btd,dhe->bthe", n, a[name]["kernel"]) + a[name]["bias"]
        for name in ("query", "key", "value")
    )
    logits = np.einsum("bqhe,bkhe->bhqk", q, k) / np.sqrt(4)
    weights = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    mixed = np.einsum("bhqk,bkhe->bqhe", weights, v)
    h = h + np.einsum("bqhe,hed->bqd", mixed, a["out"]["kernel"]) + a["out"]["bias"]
    n = normalise(h, p["norm_0_mlp"])
    hidden = np.tanh(n @ p["dense_0_0"]["kernel"] + p["dense_0_0"]["bias"])
    h = h + hidden @ p["dense_0_1"]["kernel"] + p["dense_0_1"]["bias"]
    expected = normalise(h, p["norm_output"])
    output, activations = net.apply(variables, x, train=False)
    np.testing.assert_allclose(output, expected, rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(activations["hidden_0"], hidden, rtol=2e-5, atol=2e-5)


def test_noise_is_made_at_every_site():
    net, variables, x = network()
    with noise.count_samples() as count:
        jax.eval_shape(functools.partial(run, net), variables, x)
    assert count.applied == net.num_noise_sites == 1 + 2 * (1 + 1 + 2) + 2


def test_rates_of_drop_path_rise_with_depth():
    net = models.Transformer(3, 8, 2, path_rate=0.4)
    x = jnp.ones((2000, 1, 8))
    variables = net.init(jax.random.key(0), x[:1], train=False)
    rngs = {"dropout": jax.random.key(1)}
    _, recorded = net.apply(variables, x, train=True, rngs=rngs, mutable=["noise"])
    kept = {name: s["sample"][0].mask.mean() for name, s in recorded["noise"].items()}
    assert set(kept) == {f"{k}_path_{i}" for k in ("attention", "mlp") for i in (1, 2)}
    for name, share in kept.items():
        rate = 0.2 * int(name[-1])
        assert abs(share - (1 - rate)) < 5 * np.sqrt(rate * (1 - rate) / 2000), name


def test_causal_mask_leaks_nothing_under_noise():
    net, variables, x = network()
    mask = nn.make_causal_mask(x[..., 0])
    before = run(net, variables, x, mask)
    after = run(net, variables, x.at[:, 3:].add(1.0), mask)
    np.testing.assert_array_equal(before[:, :3], after[:, :3])
    assert np.abs(before[:, 3:] - after[:, 3:]).min(axis=-1).max() > 0


def test_padding_mask_hides_padding_under_noise():
    net, variables, x = network()
    is_token = jnp.arange(x.shape[1]) < 4
    is_token = jnp.broadcast_to(is_token, x.shape[:2])
    mask = nn.make_attention_mask(is_token, is_token)
    before = run(net, variables, x, mask)
    after = run(net, variables, x.at[:, 4:].add(1.0), mask)
    np.testing.assert_array_equal(before[:, :4], after[:, :4])


def test_a_shorter_sequence_uses_the_first_positions():
    net, variables, x = network()
    mask = nn.make_causal_mask(x[..., 0])
    whole = net.apply(variables, x, mask, train=False)[0]
    part = net.apply(variables, x[:, :3], mask[..., :3, :3], train=False)[0]
    np.testing.assert_allclose(part, whole[:, :3], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "make", [None, models.MLP((6, 5), 3, hidden_noise=(RANDOM,) * 2)]
)
def test_noise_factor_scales_every_level(make):
    """Factor 0 drops nothing, and factor 1 equals a model without a schedule."""
    if make is None:
        net, variables, x = network()
    else:
        net, x = make, jnp.ones((4, 7))
        variables = net.init(jax.random.key(0), x, train=False)

    def output(net, step=None):
        rngs = {"dropout": jax.random.key(3)}
        with layers.control_noise(step=step):
            return net.apply(variables, x, train=True, rngs=rngs)[0]

    scheduled = net.clone(noise_factor=lambda step: step / 10)
    clean = net.apply(variables, x, train=False)[0]
    np.testing.assert_allclose(output(scheduled, 0), clean, rtol=1e-6, atol=1e-6)
    noisy = output(net)
    np.testing.assert_allclose(output(scheduled, 10), noisy, rtol=1e-5, atol=1e-5)
    assert np.abs(np.asarray(noisy - clean)).max() > 0.01


def test_a_frozen_encoder_runs_once_for_all_samples():
    """Count the operations of the gradient of a noisy head by XLA."""
    net = models.ViT(2, 16, 2, 3)
    head = models.MLP((16,), 3, hidden_noise=(RANDOM,))
    x, y = jnp.ones((4, 8, 8, 1)), jnp.zeros(4, int)
    frozen = net.init(jax.random.key(0), x, train=False)
    params = head.init(jax.random.key(1), jnp.ones((4, 16)), train=False)["params"]

    def log_prob(params, key, x, y):
        hidden = net.apply(frozen, x, train=False)[1]["pooled"]
        rngs = {"dropout": key}
        logits, _ = head.apply({"params": params}, hidden, train=True, rngs=rngs)
        return objectives.label_log_prob(logits, y)

    def flops(num_samples):
        loss_fn = objectives.iwsgd(log_prob, num_samples=num_samples, strategy="vmap")
        gradient = jax.jit(jax.grad(loss_fn, has_aux=True))
        compiled = gradient.lower(params, jax.random.key(2), x, y).compile()
        return compiled.cost_analysis()["flops"]

    encoder = jax.jit(lambda x: net.apply(frozen, x, train=False)[0])
    once = encoder.lower(x).compile().cost_analysis()["flops"]
    assert flops(8) - flops(1) < 0.5 * once  # not 7 times


def test_mean_pooling_ignores_the_order_of_equal_patches():
    net = models.ViT(1, 8, 2, 3, pooling="mean")
    x = jax.random.normal(jax.random.key(0), (2, 8, 8, 1))
    variables = net.init(jax.random.key(1), x, train=False)
    variables["params"]["positions"] *= 0
    output = net.apply(variables, x, train=False)[0]
    swapped = net.apply(variables, jnp.roll(x, 4, axis=1), train=False)[0]
    np.testing.assert_allclose(output, swapped, rtol=1e-5, atol=1e-5)


def test_bad_networks_and_inputs_are_errors():
    with pytest.raises(ValueError, match="heads that divide its width"):
        models.Transformer(1, 8, 3)
    with pytest.raises(ValueError, match="pooling must be"):
        models.ViT(1, 8, 2, 3, pooling="max")
    with pytest.raises(ValueError, match="rate"):
        models.ViT(1, 8, 2, 3, path_rate=1.5)
    net, key = models.ViT(1, 8, 2, 3), jax.random.key(0)
    with pytest.raises(ValueError, match="multiples of patch=4; got shape"):
        net.init(key, jnp.ones((1, 8, 6, 1)), train=False)
    variables = net.init(key, jnp.ones((1, 8, 8, 1)), train=False)
    with pytest.raises(ValueError, match="5 learned positions"):
        net.apply(variables, jnp.ones((1, 8, 12, 1)), train=False)
    net, variables, x = network()
    with pytest.raises(ValueError, match="7 tokens, more than the 6"):
        net.apply(variables, jnp.ones((3, 7, 8)), train=False)

"""NNX layers: the contract of all, drop-in for Flax's, views, functional, attention."""

import inspect

import jax
import numpy as np
import optax
import pytest
from flax import nnx
from jax import numpy as jnp

from noisejax import layers as linen_layers
from noisejax import noise
from noisejax.layers import nnx as layers
from tests.layers.layers import ARGUMENTS, RATED, of_nnx

SHAPE = (4, 5, 6)
X = np.asarray(jax.random.normal(jax.random.key(9), SHAPE))


def key(seed=0):
    return jax.random.key(seed)


@pytest.fixture(params=ARGUMENTS)
def name(request):
    return request.param


def test_the_names_are_those_of_linen():
    def public(module):
        names = {name for name in dir(module) if not name.startswith("_")}
        return names - {"nnx", "importlib"}

    assert public(layers) == public(linen_layers)


def test_each_call_draws_anew_and_seeds_decide(name):
    first, same, other = (of_nnx(name, seed) for seed in (0, 0, 1))
    y = first(X)
    np.testing.assert_array_equal(y, same(X))
    assert (y != first(X)).any() and (y != other(X)).any()


def test_train_and_eval(name):
    layer = of_nnx(name)
    layer.eval()
    np.testing.assert_array_equal(layer(X), X)
    layer.train()
    assert (layer(X) != X).any()
    np.testing.assert_array_equal(layer(X, deterministic=True), X)
    view = nnx.view(layer, deterministic=True)
    np.testing.assert_array_equal(view(X), X)
    assert not layer.deterministic


def test_it_applies_the_sample_that_it_is_handed_and_creates_nothing(name):
    layer = of_nnx(name, rngs=None)
    before = jax.tree.structure(nnx.state(layer))
    sample = layer.scheme.sample(key(3), X.shape)
    np.testing.assert_array_equal(layer(X, sample=sample), noise.apply(X, sample))
    assert jax.tree.structure(nnx.state(layer)) == before


def test_keys_come_from_the_call_or_the_layer(name):
    layer = of_nnx(name, rngs=None)
    expected = noise.apply(X, layer.scheme.sample(key(3), X.shape))
    np.testing.assert_array_equal(layer(X, rngs=key(3)), expected)
    for rngs in (nnx.Rngs(dropout=3), nnx.Rngs(3), nnx.Rngs(dropout=3).dropout):
        layer(X, rngs=rngs)
    with pytest.raises(ValueError, match="`deterministic` is False, but no `rngs`"):
        layer(X)
    with pytest.raises(TypeError, match="rngs must be a Rngs, RngStream or jax.Array"):
        layer(X, rngs="key")
    with pytest.raises(TypeError, match="rngs must be a Rngs, RngStream or None"):
        of_nnx(name, rngs=0)
    with pytest.raises(ValueError, match="No `deterministic` argument"):
        of_nnx(name, deterministic=None)(X)


def test_jit_grad_vmap_and_remat(name):
    layer, again = of_nnx(name), of_nnx(name)
    y = nnx.jit(lambda m, x: m(x))(layer, X)
    np.testing.assert_allclose(y, again(X), rtol=1e-5, atol=1e-6)
    gradient = jax.grad(lambda x: of_nnx(name)(x).sum())(X)
    assert np.isfinite(gradient).all()
    remat = nnx.remat(lambda m, x: m(x))(of_nnx(name), X)
    np.testing.assert_allclose(remat, of_nnx(name)(X), rtol=1e-5, atol=1e-6)
    layer = of_nnx(name, rngs=None)
    keys = jax.random.split(key(), 3)
    ys = jax.vmap(lambda k: layer(X, rngs=k))(keys)
    assert ys.shape == (3, *SHAPE) and (ys[0] != ys[1]).any()


def test_layers_in_a_stack_scanned_have_masks_of_their_own(name):
    @nnx.split_rngs(splits=3)
    @nnx.vmap
    def stack(rngs):
        return of_nnx(name, rngs=rngs)

    @nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
    def run(x, layer):
        return layer(x)

    y = run(jnp.asarray(X), stack(nnx.Rngs(0)))
    assert y.shape == SHAPE


@pytest.mark.parametrize("rated", RATED)
@pytest.mark.parametrize("rate", [-0.1, 1.5, np.nan])
def test_a_bad_rate_fails_when_the_layer_is_made(rated, rate):
    _, needed = ARGUMENTS[rated]
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\)"):
        getattr(layers, rated)(rate, **needed)


def test_other_bad_arguments():
    with pytest.raises(TypeError, match="scheme must be a noise scheme"):
        layers.Noise(0.5)
    with pytest.raises(ValueError, match="shift must be one of .*'mean'"):
        layers.Noise(noise.Dropout(0.5), shift="mean", num_features=3)
    with pytest.raises(ValueError, match="needs num_features"):
        layers.Noise(noise.Dropout(0.5), shift=True)


@pytest.mark.parametrize("rated", RATED)
def test_a_schedule_of_the_step(rated):
    _, needed = ARGUMENTS[rated]
    schedule = optax.linear_schedule(0.5, 0.0, 10)
    layer = getattr(layers, rated)(schedule, **needed)
    fixed = getattr(layers, rated)(0.25, **needed)
    noisy = nnx.jit(lambda m, step: m(X, rngs=key(), step=step))
    expected = fixed(X, rngs=key())
    np.testing.assert_allclose(noisy(layer, 5), expected, rtol=1e-5, atol=1e-6)
    view = nnx.view(layer, step=5)
    np.testing.assert_allclose(view(X, rngs=key()), expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="is a schedule and needs the training step"):
        layer(X, rngs=key())
    array = getattr(layers, rated)(jnp.float32(0.25), **needed)
    np.testing.assert_allclose(array(X, rngs=key()), expected, rtol=1e-5, atol=1e-6)


def test_shifts():
    layer = layers.InvariantDropout(0.5, num_features=6)
    layer.beta[...] = jnp.full(6, 2.0)
    np.testing.assert_allclose(layer(X, deterministic=True), X + 2.0)
    expected = noise.invariant_dropout(key(3), X, jnp.full(6, 2.0), rate=0.5)
    np.testing.assert_array_equal(layer(X, rngs=key(3)), expected)
    assert isinstance(layer.beta, nnx.Param)
    per_position = layers.Noise(noise.Dropout(0.5), shift=True, num_features=(5, 6))
    assert per_position.beta.shape == (5, 6)


def test_the_running_average():
    layer = layers.Noise(noise.Dropout(0.5), "running_average", num_features=6)
    x = X + 3.0
    y = layer(x, rngs=key(3))
    mean = noise.update_running_mean(jnp.zeros(6), x)
    np.testing.assert_allclose(layer.mean[...], mean, rtol=1e-6)
    np.testing.assert_allclose(
        y, noise.dropout(key(3), x - mean[None, None], rate=0.5), rtol=1e-5
    )
    layer.eval()
    np.testing.assert_allclose(layer(x), x - mean[None, None], rtol=1e-6)
    np.testing.assert_allclose(layer.mean[...], mean, rtol=1e-6)


def test_dropconnect():
    layer = layers.DropConnect(6, 7, rate=0.5, rngs=nnx.Rngs(0))
    kernel, x = layer.linear.kernel[...], jnp.asarray(X)
    np.testing.assert_allclose(
        layer(x, deterministic=True), jnp.einsum("bti,io->bto", x, kernel), atol=1e-6
    )
    dropped = noise.dropconnect(key(3), kernel, rate=0.5)
    np.testing.assert_allclose(
        layer(x, rngs=key(3)), jnp.einsum("bti,io->bto", x, dropped), atol=1e-6
    )


# In the place of flax.nnx.Dropout.


def test_ours_takes_the_constructor_and_call_arguments_of_flaxs():
    for method in ("__init__", "__call__"):
        ours = inspect.signature(getattr(layers.Dropout, method)).parameters
        theirs = inspect.signature(getattr(nnx.Dropout, method)).parameters
        for name, parameter in theirs.items():
            assert ours[name].default == parameter.default, name
            assert ours[name].kind == parameter.kind, name


class Net(nnx.Module):
    def __init__(self, dropout, rngs):
        self.linear = nnx.Linear(6, 8, rngs=rngs)
        self.first = dropout(0.3, rngs=rngs)
        self.blocks = nnx.List(
            [dropout(0.5, broadcast_dims=(0,), rngs=rngs), dropout(0.2, rngs=rngs)]
        )

    def __call__(self, x):
        x = self.first(self.linear(x))
        for block in self.blocks:
            x = block(block(x))
        return x


@pytest.mark.parametrize("rngs", [{"params": 0, "dropout": 1}, {"default": 3}])
def test_same_seed_same_masks(rngs):
    outputs = []
    for dropout in (nnx.Dropout, layers.Dropout):
        net = Net(dropout, nnx.Rngs(**rngs))
        outputs.append([nnx.jit(lambda m, x: m(x))(net, X) for _ in range(2)])
    np.testing.assert_allclose(*outputs, rtol=2e-6)
    np.testing.assert_array_equal(*[np.asarray(y) == 0 for y in outputs])


def test_rates_0_and_1():
    for dropout in (nnx.Dropout, layers.Dropout):
        np.testing.assert_array_equal(dropout(0.0)(X), X)  # needs no key
        layer = dropout(1.0)
        np.testing.assert_array_equal(layer(X), jnp.zeros_like(X))
        gradient = jax.grad(lambda x, m=layer: m(x).sum())(X)
        np.testing.assert_array_equal(gradient, np.zeros_like(X))


# Reaching the noise inside a model; a model as a pure function.


@pytest.fixture(params=[nnx.Dropout, layers.Dropout], ids=["flax", "noisejax"])
def net(request):
    return Net(request.param, nnx.Rngs(0))


def test_control_by_name(net):
    silent = layers.control_noise(net, off="*")
    np.testing.assert_array_equal(silent(X), net.linear(X))
    only = layers.control_noise(silent, only="blocks/1")
    assert [m.deterministic for m in (only.first, *only.blocks)] == [True, True, False]
    off = layers.control_noise(net, off="blocks")
    assert [m.deterministic for m in (off.first, *off.blocks)] == [False, True, True]
    assert not net.first.deterministic
    with pytest.raises(
        ValueError, match="'linear' names no noise layer; there are .*first"
    ):
        layers.control_noise(net, off="linear")


def test_functional_reseeds_every_stream(net):
    apply, params = layers.functional(net)
    y = apply(params, key(1), X)
    np.testing.assert_array_equal(y, apply(params, key(1), X))
    np.testing.assert_array_equal(y, apply(params, jax.random.PRNGKey(1), X))
    assert (y != apply(params, key(2), X)).any()
    assert jax.tree.leaves(params) and int(net.first.rngs.count[...]) == 0


def test_functional_gives_equal_layers_masks_of_their_own():
    """nnx.reseed by one key would too; a raw key handed to each layer would not."""
    rngs = nnx.Rngs(0)
    net = nnx.Sequential(*[nnx.Dropout(0.5, rngs=rngs) for _ in range(2)])
    apply, params = layers.functional(net)
    kept = apply(params, key(), jnp.ones(10_000))
    assert abs((kept == 4).mean() - 0.25) < 0.03


def test_functional_masks_of_other_layers_survive_a_new_one():
    small = nnx.Sequential(nnx.Dropout(0.5, rngs=nnx.Rngs(0)))
    large = nnx.Sequential(
        nnx.Dropout(0.5, rngs=nnx.Rngs(0)), nnx.Dropout(0.0, rngs=nnx.Rngs(1))
    )
    outputs = [
        apply(params, key(), X)
        for apply, params in map(layers.functional, (small, large))
    ]
    np.testing.assert_array_equal(*outputs)


def test_functional_under_transforms(net):
    apply, params = layers.functional(net)
    keys = jax.random.split(key(3), 5)
    loss = lambda params, key: apply(params, key, X).sum()
    gradients = jax.jit(jax.vmap(jax.grad(loss), (None, 0)))(params, keys)
    assert all(g.shape[0] == 5 for g in jax.tree.leaves(gradients))


def test_functional_can_be_silent_and_take_a_step(net):
    apply, params = layers.functional(net, off="*")
    np.testing.assert_array_equal(apply(params, None, X), net.linear(X))
    net.eval()
    apply, params = layers.functional(net)
    np.testing.assert_array_equal(apply(params, None, X), net.linear(X))
    annealed = nnx.Sequential(layers.Dropout(lambda step: step / 10, rngs=nnx.Rngs(0)))
    apply, params = layers.functional(annealed)
    np.testing.assert_array_equal(apply(params, key(), X, step=0), X)


def test_functional_returns_batch_statistics():
    rngs = nnx.Rngs(0)
    net = nnx.Sequential(nnx.BatchNorm(6, rngs=rngs), nnx.Dropout(0.5, rngs=rngs))
    before = nnx.state(net, nnx.BatchStat)
    apply, params = layers.functional(net, mutable=nnx.BatchStat)
    y, state = jax.jit(apply)(params, key(), X)
    assert y.shape == X.shape
    assert jax.tree.structure(state) == jax.tree.structure(before)
    assert (state["layers"][0]["mean"][...] != 0).any()
    _, further = apply(params, key(), X, state=state)
    assert (further["layers"][0]["mean"][...] != state["layers"][0]["mean"][...]).any()
    np.testing.assert_array_equal(net.layers[0].mean[...], np.zeros(6))


def test_functional_bad_input():
    with pytest.raises(TypeError, match="NNX module.*noisejax.layers.functional"):
        layers.functional(lambda x: x)
    apply, params = layers.functional(nnx.Sequential(nnx.Dropout(0.5)))
    with pytest.raises(ValueError, match="holds no stream of keys"):
        apply(params, key(), X)
    with pytest.raises(TypeError, match="key must be a JAX random key"):
        apply(params, 0, X)


# Attention


def attention(attention_fn, broadcast=True, **kwargs):
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


TOKENS = np.asarray(jax.random.normal(jax.random.key(9), (2, 5, 8)))


@pytest.mark.parametrize("broadcast", [True, False])
@pytest.mark.parametrize("kv_heads", [None, 2])
@pytest.mark.parametrize("causal", [True, False])
def test_attention_is_flaxs(broadcast, kv_heads, causal):
    outputs = [
        attention(fn, broadcast, num_kv_heads=kv_heads)(TOKENS, is_causal=causal)
        for fn in (layers.NoisyAttention(), nnx.dot_product_attention)
    ]
    np.testing.assert_allclose(*outputs, rtol=1e-5, atol=1e-6)


def test_attention_under_any_scheme_and_replayed():
    random = attention(layers.NoisyAttention(noise.RandomDropout(0.5)))
    assert random(TOKENS).shape == TOKENS.shape
    sample = noise.RandomDropout(0.5).sample(key(), (2, 4, 5, 5))
    replayed = attention(layers.NoisyAttention(sample=sample))
    np.testing.assert_array_equal(replayed(TOKENS), replayed(TOKENS))
    silent = nnx.view(replayed, deterministic=True)
    assert (silent(TOKENS) != replayed(TOKENS)).any()

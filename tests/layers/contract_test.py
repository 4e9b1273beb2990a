"""Contract of all layers in Linen and NNX, and properties of single layers."""

import inspect
import pickle

import jax
import numpy as np
import optax
import pytest
from flax import linen as nn
from flax import nnx
from jax import numpy as jnp

from noisejax import layers, noise
from noisejax.layers import nnx as nnx_layers
from tests.layers.frameworks import ARGUMENTS, FRAMEWORKS, RATED, SHAPE, X, key


@pytest.fixture(params=FRAMEWORKS)
def framework(request):
    return FRAMEWORKS[request.param]


@pytest.fixture(params=ARGUMENTS)
def name(request):
    return request.param


def test_both_frameworks_have_the_same_names():
    def public(module):
        names = {name for name in dir(module) if not name.startswith("_")}
        of_both = {"Schedule", "from_model", "replace_dropout"}
        return names - {"nnx", "importlib", "types"} - of_both

    assert public(nnx_layers) == public(layers)


def test_nnx_layers_take_the_arguments_of_the_linen_layers(name):
    linen, others = (
        set(inspect.signature(getattr(module, name).__init__).parameters)
        for module in (layers, nnx_layers)
    )
    assert linen - others <= {"parent", "name", "shift_axes"}
    assert others - linen <= {"rngs", "num_features"}
    scheme = getattr(layers, name)(ARGUMENTS[name]).scheme
    assert name == "Noise" or {*vars(scheme)} <= linen


def test_a_layer_applies_the_sample_of_its_scheme(framework, name):
    layer = framework.make(name)
    sample = layer.scheme.sample(key(3), SHAPE)
    drawn = framework.apply(layer, X, key(3))
    np.testing.assert_array_equal(drawn, noise.apply(X, sample))
    given = framework.apply(layer, X, None, sample=sample)  # needs no key
    np.testing.assert_array_equal(given, drawn)
    assert (framework.apply(layer, X, key(4)) != drawn).any()
    if isinstance(layer, nnx.Module):
        before = jax.tree.structure(nnx.state(framework.make(name)))
        assert jax.tree.structure(nnx.state(layer)) == before  # a call creates nothing


def test_deterministic_is_the_identity_in_any_dtype_and_needs_no_key(framework, name):
    x = jnp.asarray(X, jnp.bfloat16)
    layer = framework.make(name, deterministic=True)
    y = framework.apply(layer, x, None)
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(y, x)


def test_jit_equals_eager_and_gradients_are_finite_in_bfloat16(framework, name):
    layer = framework.make(name)
    x = jnp.asarray(X, jnp.bfloat16)

    @jax.jit
    @jax.value_and_grad
    def loss_and_gradient(x):
        y = framework.apply(layer, x, key(3))
        assert y.dtype == x.dtype
        return y.astype(jnp.float32).sum()

    loss, gradient = loss_and_gradient(x)
    eager = framework.apply(layer, x, key(3)).astype(jnp.float32)
    np.testing.assert_allclose(loss, eager.sum(), rtol=1e-2, atol=0.2)
    assert np.isfinite(np.asarray(gradient, np.float32)).all()


def test_vmap_over_keys_is_a_loop(framework, name):
    layer, keys = framework.make(name), jax.random.split(key(), 2)
    mapped = jax.vmap(lambda k: framework.apply(layer, X, k))(keys)
    for row, k in zip(mapped, keys, strict=True):
        np.testing.assert_allclose(row, framework.apply(layer, X, k), rtol=1e-6)


def test_layers_are_picklable_and_documented(framework, name):
    layer = framework.make(name)
    copy = pickle.loads(pickle.dumps(layer))
    assert type(copy) is type(layer) and copy.scheme == layer.scheme
    doc = inspect.getdoc(type(layer))
    assert ">>>" in doc and ("Arguments: see" in doc or "scheme:" in doc)


def test_one_scheme_serves_all_copies_of_a_linen_layer(name):
    layer = getattr(layers, name)(ARGUMENTS[name])
    assert layer.clone().scheme is layer.scheme


def test_bad_levels_fail_at_construction(framework):
    for name in RATED:
        for rate in (-0.1, 1.5, np.nan):
            with pytest.raises(ValueError, match=r"must lie in \[0, 1\)"):
                framework.make(name, rate)
    with pytest.raises(ValueError, match="at least 0"):
        framework.make("GaussianNoise", -1.0)
    with pytest.raises(ValueError, match="bits=32"):
        framework.make("Dropout", 0.001, bits=8)
    with pytest.raises(TypeError, match="scheme must be a noise scheme"):
        framework.make("Noise", 0.5)
    with pytest.raises(ValueError, match="shift must be one of .*'mean'"):
        framework.make("Noise", shift="mean")


@pytest.mark.parametrize("rated", RATED)
def test_schedules_and_array_rates_follow_their_value(framework, rated):
    expected = framework.apply(framework.make(rated, 0.25), X, key())
    scheduled = framework.make(rated, optax.linear_schedule(0.5, 0.0, 10))
    noisy = jax.jit(lambda step: framework.apply(scheduled, X, key(), step=step))
    np.testing.assert_allclose(noisy(5), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(noisy(10), X, rtol=1e-6)
    array = framework.make(rated, jnp.float32(0.25))
    y = framework.apply(array, X, key())
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="is a schedule and needs the training step"):
        framework.apply(scheduled, X, key())


def test_noise_takes_a_level_of_its_own(framework):
    scheme = noise.GaussianNoise(1.0)
    layer = framework.make("Noise", scheme, level=lambda step: 0.0 * step)
    np.testing.assert_array_equal(framework.apply(layer, X, key(), step=1), X)


def test_the_other_framework_is_named():
    with pytest.raises(TypeError, match="use noisejax.layers.nnx.Dropout"):
        layers.Dropout(0.5, rngs=nnx.Rngs(0))
    model = nnx.Sequential(layers.RandomDropout(0.5, deterministic=False))
    with pytest.raises(TypeError, match="use noisejax.layers.nnx.RandomDropout"):
        model(X)
    for rngs in (None, nnx.Rngs(0)):
        layer = nnx_layers.Dropout(0.5, rngs=rngs)
        with pytest.raises(TypeError, match="use noisejax.layers.Dropout"):
            nn.Sequential([layer]).apply({}, X)
    bridged = nnx.bridge.to_linen(nnx_layers.Dropout, 0.5)  # is no mistake
    variables = bridged.init({"params": key(), "dropout": key(1)}, X)
    assert (bridged.apply(variables, X, rngs={"dropout": key()}) == 0).any()


# Shifts


def test_a_linen_shift_starts_at_zero_stays_at_test_time_and_learns():
    layer = layers.InvariantDropout(0.5)
    variables = layer.init(key(), X, deterministic=True)
    np.testing.assert_array_equal(variables["params"]["beta"], np.zeros(6))
    shifted = jax.tree.map(lambda b: b + 2.0, variables)
    np.testing.assert_allclose(layer.apply(shifted, X, deterministic=True), X + 2.0)
    y = layer.apply(shifted, X, False, key(3))
    expected = noise.invariant_dropout(key(3), X, jnp.full(6, 2.0), rate=0.5)
    np.testing.assert_array_equal(y, expected)
    gradient = jax.grad(lambda v: layer.apply(v, X, False, key(3)).sum())(variables)
    assert (gradient["params"]["beta"] != 0).any()


def test_an_nnx_shift_is_a_parameter():
    layer = nnx_layers.InvariantDropout(0.5, num_features=6)
    assert isinstance(layer.beta, nnx.Param)
    layer.beta[...] = jnp.full(6, 2.0)
    np.testing.assert_allclose(layer(X, deterministic=True), X + 2.0)
    expected = noise.invariant_dropout(key(3), X, jnp.full(6, 2.0), rate=0.5)
    np.testing.assert_array_equal(layer(X, rngs=key(3)), expected)
    per_position = nnx_layers.Noise(noise.Dropout(0.5), True, num_features=(5, 6))
    assert per_position.beta.shape == (5, 6)
    with pytest.raises(ValueError, match="needs num_features"):
        nnx_layers.Noise(noise.Dropout(0.5), shift=True)


@pytest.mark.parametrize(
    ("axes", "shape"), [(-1, (6,)), ((1, 2), (5, 6)), ((-2,), (5, 1)), (1, (5, 1))]
)
def test_shift_axes(axes, shape):
    layer = layers.Noise(noise.Dropout(0.5), shift=True, shift_axes=axes)
    variables = layer.init(key(), X, deterministic=True)
    assert variables["params"]["beta"].shape == shape
    with pytest.raises(ValueError, match="shift_axes must be axes of the input"):
        layers.InvariantDropout(0.5, shift_axes=3).init(key(), X, True)


def test_the_running_average_is_kept_like_batch_statistics():
    x = X + 3.0
    mean = noise.update_running_mean(jnp.zeros(6), x)
    expected = noise.dropout(key(3), x - mean[None, None], rate=0.5)

    layer = layers.Noise(noise.Dropout(0.5), shift="running_average")
    variables = layer.init(key(), x, deterministic=True)
    np.testing.assert_array_equal(variables["batch_stats"]["mean"], np.zeros(6))
    y, updated = layer.apply(variables, x, False, key(3), mutable=["batch_stats"])
    np.testing.assert_allclose(updated["batch_stats"]["mean"], mean, rtol=1e-6)
    np.testing.assert_allclose(y, expected, rtol=1e-5)
    frozen = layer.apply(updated, x, deterministic=True)
    np.testing.assert_allclose(frozen, x - mean[None, None], rtol=1e-6)

    layer = nnx_layers.Noise(noise.Dropout(0.5), "running_average", num_features=6)
    np.testing.assert_allclose(layer(x, rngs=key(3)), expected, rtol=1e-5)
    layer.eval()
    np.testing.assert_allclose(layer(x), x - mean[None, None], rtol=1e-6)
    np.testing.assert_allclose(layer.mean[...], mean, rtol=1e-6)


# Streams of keys and modes of NNX


def test_nnx_streams_draw_anew_and_may_come_from_the_call():
    layer, same = (nnx_layers.RandomDropout(0.5, rngs=nnx.Rngs(0)) for _ in range(2))
    y = layer(X)
    np.testing.assert_array_equal(y, same(X))
    assert (layer(X) != y).any()
    layer = nnx_layers.RandomDropout(0.5)
    expected = nnx_layers.RandomDropout(0.5)(X, rngs=nnx.Rngs(dropout=3))
    np.testing.assert_array_equal(layer(X, rngs=nnx.Rngs(dropout=3).dropout), expected)


def test_nnx_train_eval_and_views():
    layer = nnx_layers.Dropout(lambda step: step / 10, rngs=nnx.Rngs(0))
    layer.eval()
    np.testing.assert_array_equal(layer(X), X)
    layer.train()
    np.testing.assert_array_equal(nnx.view(layer, step=0)(X), X)
    assert (nnx.view(layer, step=9)(X) == 0).mean() > 0.5
    np.testing.assert_array_equal(nnx.view(layer, deterministic=True)(X), X)
    assert not layer.deterministic


def test_nnx_layers_under_scan_jit_and_remat():
    @nnx.split_rngs(splits=3)
    @nnx.vmap
    def stack(rngs):
        return nnx_layers.Noise(
            noise.RandomDropout(0.5), True, num_features=6, rngs=rngs
        )

    @nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
    def run(x, layer):
        return layer(x)

    assert run(jnp.asarray(X), stack(nnx.Rngs(0))).shape == SHAPE
    eager, jitted, remat = (nnx_layers.Dropout(0.5, rngs=nnx.Rngs(0)) for _ in "abc")
    y = eager(X)
    np.testing.assert_allclose(nnx.jit(lambda m, x: m(x))(jitted, X), y, rtol=1e-6)
    np.testing.assert_allclose(nnx.remat(lambda m, x: m(x))(remat, X), y, rtol=1e-6)


# DropConnect


def test_dropconnect_is_a_dense_layer_with_dropped_weights():
    layer, dense = layers.DropConnect(7, rate=0.5), nn.Dense(7)
    variables = layer.init(key(), X, deterministic=True)
    assert jax.tree.structure(variables) == jax.tree.structure(dense.init(key(), X))
    plain = layer.apply(variables, X, deterministic=True)
    np.testing.assert_allclose(plain, dense.apply(variables, X), rtol=1e-6)
    kernel = noise.dropconnect(key(3), variables["params"]["kernel"], rate=0.5)
    y = layer.apply(variables, X, deterministic=False, rng=key(3))
    np.testing.assert_allclose(y, X @ np.asarray(kernel), atol=1e-5)

    layer = nnx_layers.DropConnect(6, 7, rate=0.5, rngs=nnx.Rngs(0))
    kernel = layer.linear.kernel[...]
    plain = layer(X, deterministic=True)
    np.testing.assert_allclose(plain, X @ np.asarray(kernel), atol=1e-6)
    dropped = noise.dropconnect(key(3), kernel, rate=0.5)
    y = layer(X, rngs=key(3))
    np.testing.assert_allclose(y, X @ np.asarray(dropped), atol=1e-6)

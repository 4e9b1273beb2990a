"""Linen layers: the contract of all, and each one's scheme."""

import jax
import numpy as np
import optax
import pytest
from flax import linen as nn
from jax import numpy as jnp

from noisejax import layers, noise
from tests.layers.layers import ARGUMENTS, RATED, linen

SHAPE = (4, 5, 6)


def key(seed=0):
    return jax.random.key(seed)


def x_of(dtype=jnp.float32):
    return jax.random.normal(key(9), SHAPE).astype(dtype)


@pytest.fixture(params=ARGUMENTS)
def name(request):
    return request.param


def init_apply(layer, x, seed=0, **kwargs):
    variables = layer.init({"params": key(5), "dropout": key(6)}, x)
    return layer.apply(variables, x, rngs={"dropout": key(seed)}, **kwargs)


def test_two_keys_give_two_samples_after_init_and_one_gives_one(name):
    layer = linen(name, deterministic=False)
    first, same, other = (init_apply(layer, x_of(), seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


@pytest.mark.parametrize(
    "mutable", [True, ["params"], ["params", "noise"], nn.DenyList([])]
)
def test_init_never_freezes_a_sample(name, mutable):
    layer = linen(name, deterministic=False)
    variables = layer.init(
        {"params": key(5), "dropout": key(6)}, x_of(), mutable=mutable
    )
    assert "noise" not in variables


def test_deterministic_is_the_identity_and_needs_no_key(name):
    x = x_of(jnp.bfloat16)
    layer = linen(name)
    variables = layer.init(key(), x, deterministic=True)
    np.testing.assert_array_equal(layer.apply(variables, x, deterministic=True), x)


def test_deterministic_is_given_once(name):
    with pytest.raises(ValueError, match='"deterministic" must be passed'):
        linen(name).apply({}, x_of())
    with pytest.raises(
        ValueError, match='"deterministic" was passed to the constructor'
    ):
        linen(name, deterministic=True).apply({}, x_of(), deterministic=True)


def test_it_draws_what_its_scheme_draws(name):
    layer = linen(name, deterministic=False)
    x, rng = x_of(), key(3)
    variables = layer.init({"params": key(5), "dropout": key(6)}, x)
    y = layer.apply(variables, x, rng=rng)
    sample = layer.scheme.sample(key(3), x.shape, x.dtype)
    np.testing.assert_array_equal(y, noise.apply(x, sample))


def test_it_applies_the_sample_that_it_is_handed(name):
    layer = linen(name, deterministic=False)
    x = x_of()
    variables = layer.init({"params": key(5), "dropout": key(6)}, x)
    sample = layer.scheme.sample(key(3), x.shape)
    y = layer.apply(variables, x, sample=sample)  # needs no key
    np.testing.assert_array_equal(y, noise.apply(x, sample))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32], ids=str)
def test_dtypes_jit_and_gradients(name, dtype):
    layer = linen(name, deterministic=False)
    x = x_of(dtype)
    variables = layer.init({"params": key(5), "dropout": key(6)}, x)

    def f(x):
        return layer.apply(variables, x, rngs={"dropout": key()})

    assert f(x).dtype == dtype
    np.testing.assert_allclose(
        np.asarray(jax.jit(f)(x), np.float32), np.asarray(f(x), np.float32), rtol=1e-2
    )
    gradient = jax.grad(lambda x: f(x).astype(jnp.float32).sum())(x)
    assert np.isfinite(np.asarray(gradient, np.float32)).all()


def test_vmap_over_keys(name):
    layer = linen(name, deterministic=False)
    x = x_of()
    variables = layer.init({"params": key(5), "dropout": key(6)}, x)
    f = lambda k: layer.apply(variables, x, rngs={"dropout": k})
    ys = jax.vmap(f)(jax.random.split(key(), 3))
    for i, k in enumerate(jax.random.split(key(), 3)):
        np.testing.assert_allclose(ys[i], f(k), rtol=1e-6)


@pytest.mark.parametrize("rate", [-0.1, 1.5, np.nan])
@pytest.mark.parametrize("rated", RATED)
def test_a_bad_rate_fails_before_anything_is_traced(rated, rate):
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\)"):
        getattr(layers, rated)(rate)


def test_other_bad_arguments():
    with pytest.raises(TypeError, match="scheme must be a noise scheme"):
        layers.Noise(0.5)
    with pytest.raises(ValueError, match="shift must be one of .*'mean'"):
        layers.Noise(noise.Dropout(0.5), shift="mean")
    with pytest.raises(ValueError, match="at least 0"):
        layers.GaussianNoise(-1.0)
    with pytest.raises(ValueError, match="bits=32"):
        layers.Dropout(0.001, bits=8)
    with pytest.raises(ValueError, match="shift_axes must be axes of the input"):
        layers.InvariantDropout(0.5, shift_axes=3).init(key(), x_of(), True)


# Shifts.


def test_a_shift_starts_at_zero_stays_at_test_time_and_learns():
    layer = layers.InvariantDropout(0.5)
    x = x_of()
    variables = layer.init(key(), x, deterministic=True)
    np.testing.assert_array_equal(variables["params"]["beta"], np.zeros(6))
    shifted = jax.tree.map(lambda b: b + 2.0, variables)
    np.testing.assert_allclose(layer.apply(shifted, x, deterministic=True), x + 2.0)
    y = layer.apply(shifted, x, False, key(3))
    expected = noise.invariant_dropout(key(3), x, jnp.full(6, 2.0), rate=0.5)
    np.testing.assert_array_equal(y, expected)
    gradient = jax.grad(lambda v: layer.apply(v, x, False, key(3)).sum())(variables)
    assert (gradient["params"]["beta"] != 0).any()


@pytest.mark.parametrize(
    ("axes", "shape"), [(-1, (6,)), ((1, 2), (5, 6)), ((-2,), (5, 1)), (1, (5, 1))]
)
def test_shift_axes(axes, shape):
    layer = layers.Noise(noise.Dropout(0.5), shift=True, shift_axes=axes)
    variables = layer.init(key(), x_of(), deterministic=True)
    assert variables["params"]["beta"].shape == shape


def test_the_running_average_is_kept_like_batch_statistics():
    layer = layers.Noise(noise.Dropout(0.5), shift="running_average")
    x = x_of() + 3.0
    variables = layer.init(key(), x, deterministic=True)
    np.testing.assert_array_equal(variables["batch_stats"]["mean"], np.zeros(6))
    y, updated = layer.apply(variables, x, False, key(3), mutable=["batch_stats"])
    mean = noise.update_running_mean(jnp.zeros(6), x)
    np.testing.assert_allclose(updated["batch_stats"]["mean"], mean, rtol=1e-6)
    expected = noise.dropout(key(3), x - mean[None, None], rate=0.5)
    np.testing.assert_allclose(y, expected, rtol=1e-5)
    frozen = layer.apply(updated, x, deterministic=True)
    np.testing.assert_allclose(frozen, x - mean[None, None], rtol=1e-6)


# Rates that are traced, or schedules of the step.


@pytest.mark.parametrize("rated", RATED)
def test_a_schedule_of_the_step(rated):
    schedule = optax.linear_schedule(0.5, 0.0, 10)
    layer = getattr(layers, rated)(schedule, deterministic=False)
    fixed = getattr(layers, rated)(0.25, deterministic=False)
    x = x_of()
    variables = fixed.init({"params": key(5), "dropout": key(6)}, x)
    traces = []

    @jax.jit
    def noisy(step):
        traces.append(step)
        return layer.apply(variables, x, rngs={"dropout": key()}, step=step)

    expected = fixed.apply(variables, x, rngs={"dropout": key()})
    np.testing.assert_allclose(noisy(5), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(noisy(10), x, rtol=1e-6)
    assert len(traces) == 1
    with pytest.raises(ValueError, match="is a schedule and needs the training step"):
        layer.apply(variables, x, rngs={"dropout": key()})


def test_a_traced_rate():
    x = x_of()

    @jax.jit
    def noisy(rate):
        layer = layers.Dropout(rate, deterministic=False)
        return layer.apply({}, x, rngs={"dropout": key()})

    fixed = layers.Dropout(0.25, deterministic=False)
    np.testing.assert_allclose(
        noisy(0.25), fixed.apply({}, x, rngs={"dropout": key()}), rtol=1e-6
    )


def test_noise_takes_a_level_of_its_own():
    layer = layers.Noise(noise.GaussianNoise(1.0), level=lambda step: 0.0 * step)
    y = layer.apply({}, x_of(), False, key(), step=1)
    np.testing.assert_array_equal(y, x_of())


# DropConnect.


def test_dropconnect_has_the_parameters_of_dense_and_drops_its_kernel():
    x = x_of()
    layer, dense = layers.DropConnect(7, rate=0.5), nn.Dense(7)
    variables = layer.init(key(), x, deterministic=True)
    assert jax.tree.structure(variables) == jax.tree.structure(dense.init(key(), x))
    np.testing.assert_allclose(
        layer.apply(variables, x, deterministic=True),
        dense.apply(variables, x),
        rtol=1e-6,
    )
    y = layer.apply(variables, x, deterministic=False, rng=key(3))
    kernel = noise.dropconnect(key(3), variables["params"]["kernel"], rate=0.5)
    np.testing.assert_allclose(y, jnp.einsum("bti,io->bto", x, kernel), atol=1e-5)

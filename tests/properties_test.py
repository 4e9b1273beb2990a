"""Laws that hold for all shapes, dtypes, rates and keys, tested with hypothesis."""

import math

import hypothesis
import jax
import numpy as np
import pytest
from hypothesis import strategies as st
from jax import numpy as jnp

from noisejax import activations, data, noise, objectives

settings = hypothesis.settings(
    max_examples=15, deadline=None, derandomize=True, database=None
)

SHAPES = st.sampled_from([(1,), (5,), (3, 4), (2, 1, 5), (4, 3, 2, 3)])
"""Few shapes: each is compiled anew."""

DTYPES = st.sampled_from([jnp.float32, jnp.float16, jnp.bfloat16])
RATES = st.floats(0, 1, exclude_max=True, width=32).filter(lambda rate: rate < 0.999)
SEEDS = st.integers(0, 2**31 - 1)

SUGAR = {
    "dropout": noise.dropout,
    "random_dropout": noise.random_dropout,
    "gaussian_dropout": noise.gaussian_dropout,
    "dropconnect": noise.dropconnect,
    "drop_path": noise.drop_path,
    "spatial_dropout": noise.spatial_dropout,
}

SCHEMES = st.one_of(
    RATES.map(noise.Dropout),
    RATES.map(noise.RandomDropout),
    RATES.map(noise.GaussianDropout),
    st.floats(0, 10).map(noise.GaussianNoise),
    RATES.map(noise.DropPath),
)


def bits(x):
    """Bytes of an array: NaN equals itself."""
    return np.asarray(x).tobytes()


@settings
@hypothesis.given(st.sampled_from(sorted(SUGAR)), SHAPES, DTYPES, RATES, SEEDS)
def test_shape_and_dtype_are_those_of_the_input(name, shape, dtype, rate, seed):
    if name in ("spatial_dropout", "drop_path") and len(shape) < 2:
        shape = (*shape, 2, 3)
    x = jnp.ones(shape, dtype)
    y = SUGAR[name](jax.random.key(seed), x, rate=rate)
    assert (y.shape, y.dtype) == (x.shape, x.dtype)
    assert np.isfinite(np.asarray(y, np.float32)).all()


@settings
@hypothesis.given(SCHEMES, SHAPES, SEEDS)
def test_a_sample_depends_on_the_key_and_the_shape_only(scheme, shape, seed):
    """Its arrays have the rank of the shape, with axes of size 1 where it is shared."""
    if isinstance(scheme, noise.DropPath) and len(shape) < 2:
        shape = (*shape, 2)
    sample = scheme.sample(jax.random.key(seed), shape)
    again = scheme.sample(jax.random.key(seed), shape)
    for leaf, other in zip(
        jax.tree.leaves(sample), jax.tree.leaves(again), strict=True
    ):
        assert bits(leaf) == bits(other)
        assert leaf.ndim == len(shape)
        for size, full in zip(leaf.shape, shape, strict=True):
            assert size in (1, full)


@settings
@hypothesis.given(SHAPES, RATES, SEEDS)
def test_dropout_keeps_scaled_or_drops(shape, rate, seed):
    x = 1 + np.arange(math.prod(shape), dtype=np.float32).reshape(shape)
    y = noise.dropout(jax.random.key(seed), x, rate=rate)
    kept = np.asarray(y) != 0
    np.testing.assert_allclose(
        np.asarray(y)[kept], (x / (1 - np.float32(rate)))[kept], rtol=1e-5
    )


@settings
@hypothesis.given(SHAPES, RATES, SEEDS)
def test_dropout_is_the_stock_mask(shape, rate, seed):
    key = jax.random.key(seed)
    mask = noise.bernoulli_mask(key, shape, rate=rate)
    with jax.debug_key_reuse(False):
        stock = jax.random.bernoulli(key, np.float32(1 - np.float64(rate)), shape)
    np.testing.assert_array_equal(mask, stock)


@settings
@hypothesis.given(SHAPES, RATES, SEEDS)
def test_a_shift_of_0_is_dropout(shape, rate, seed):
    x = np.ones(shape, np.float32)
    key = jax.random.key(seed)
    plain = noise.dropout(key, x, rate=rate)
    with jax.debug_key_reuse(False):
        zero = np.zeros(shape[-1], np.float32)
        shifted = noise.invariant_dropout(key, x, zero, rate=rate)
    np.testing.assert_array_equal(plain, shifted)


@settings
@hypothesis.given(
    st.sampled_from([1, 2, 6]).flatmap(
        lambda n: st.lists(st.floats(-50, 0, width=32), min_size=n, max_size=n)
    ),
    st.just(3),
)
def test_the_bound_lies_between_mean_and_maximum(log_probs, examples):
    """The weights sum to 1, and between 1 and S samples are effective."""
    array = np.tile(np.float32(log_probs)[:, None], (1, examples))
    bound = np.asarray(objectives.iw_log_likelihood(array))
    assert (bound <= array.max(0) + 1e-4).all()
    assert (bound >= array.mean(0) - 1e-4).all()
    weights = np.asarray(objectives.importance_weights(array))
    np.testing.assert_allclose(weights.sum(0), 1, rtol=1e-5)
    effective = np.asarray(objectives.effective_samples(weights))
    assert (effective >= 1 - 1e-4).all()
    assert (effective <= len(log_probs) + 1e-4).all()


@settings
@hypothesis.given(
    st.lists(st.floats(-1e4, 1e4, width=32), min_size=8, max_size=8),
    st.sampled_from([10.0, 1e4, 1e6]),
)
def test_acceleration_is_small_and_its_slope_is_1(x, frequency):
    """Hahn 2018, eq. 7: |g(x)| is at most 1 / K for every x."""
    x = np.float32(x)
    g = activations.gradient_acceleration(x, frequency=frequency)
    step = np.spacing(np.abs(frequency * x)) / frequency  # of K x, in float32
    assert (np.abs(g) <= 1 / frequency + 2 * step).all()
    slope = jax.vmap(
        jax.grad(lambda v: activations.gradient_acceleration(v, frequency=frequency))
    )(x)
    np.testing.assert_array_equal(slope, np.ones_like(x))


@settings
@hypothesis.given(st.integers(2, 300), st.floats(0, 0.99), st.integers(0, 2**40))
def test_a_split_is_a_partition(n, share, seed):
    hypothesis.assume(round(share * n) < n)
    train, held_out = data.split_indices(n, share, seed=seed)
    assert len(held_out) == round(share * n)
    np.testing.assert_array_equal(np.sort([*train, *held_out]), np.arange(n))


@settings
@hypothesis.given(st.floats() | st.integers() | st.text(max_size=3) | st.none())
def test_a_rate_is_a_number_in_its_range_or_an_error(rate):
    """No warning and no other error is raised."""
    is_rate = isinstance(rate, int | float) and 0 <= rate < 1
    if is_rate:
        assert noise.Dropout(rate).rate == rate
        return
    with pytest.raises((ValueError, TypeError), match="rate"):
        noise.Dropout(rate)

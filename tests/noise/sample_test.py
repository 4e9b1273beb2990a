"""Samples as values: made by hand, shared over time, paired."""

import jax
import numpy as np
import pytest
from jax import lax
from jax import numpy as jnp

from noisejax import noise


def key(seed=0):
    return jax.random.key(seed)


def test_a_hand_made_mask_shuts_units_off_and_leaves_the_others():
    x = jnp.arange(12.0).reshape(3, 4) + 1
    for mask in (np.array([[1, 0, 1, 1]]), [[True, False, True, True]]):
        y = noise.apply(x, noise.mask_sample(mask))
        np.testing.assert_array_equal(y, np.asarray(x) * [[1, 0, 1, 1]])


@pytest.mark.parametrize("dtype", ["bool", "int32", "float32"])
def test_a_hand_made_mask_may_be_a_jax_array_traced_or_not(dtype):
    masks = jnp.array([[1, 0, 1, 1], [0, 0, 1, 1]]).astype(dtype)
    apply = lambda mask: noise.apply(jnp.ones(4), noise.mask_sample(mask))
    np.testing.assert_array_equal(apply(masks[0]), [1, 0, 1, 1])
    np.testing.assert_array_equal(jax.vmap(apply)(masks), masks)


def test_a_hand_made_mask_is_scaled_by_its_rate():
    x = jnp.ones((2, 4))
    mask = np.array([[1, 0, 1, 1]])
    np.testing.assert_array_equal(
        noise.apply(x, noise.mask_sample(mask, rate=0.75))[0], [4, 0, 4, 4]
    )
    rates = jnp.array([[0.5], [0.75]])
    sample = noise.mask_sample(np.tile(mask, (2, 1)), rate=rates)
    np.testing.assert_array_equal(noise.apply(x, sample)[:, 0], [2, 4])


def test_a_static_scale_is_not_a_leaf():
    static = noise.Dropout(0.5).sample(key(), (3,))
    assert len(jax.tree.leaves(static)) == 1
    traced = noise.Dropout(0.5).sample(key(), (3,), level=jnp.float32(0.5))
    assert [leaf.shape for leaf in jax.tree.leaves(traced)] == [(3,), (1,)]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_rate_0_is_the_identity_to_the_bit(dtype):
    """This includes subnormal numbers, which XLA flushes to 0 in products."""
    info = jnp.finfo(dtype)
    values = [info.smallest_subnormal, -info.tiny / 2, -0.0, info.max, np.inf, 1 / 3]
    x = jnp.asarray(np.array(values).astype(dtype))[None]
    for function in (noise.dropout, noise.drop_path, noise.spatial_dropout):
        y = function(key(), x, rate=0.0)
        assert np.asarray(y).tobytes() == np.asarray(x).tobytes()


def test_unscaled_dropout_leaves_kept_units_as_they_are():
    y = noise.apply(
        jnp.full(100, 3.0), noise.Dropout(0.5, scale=False).sample(key(), (100,))
    )
    assert set(np.unique(y)) == {0.0, 3.0}


@pytest.mark.parametrize(
    "scheme", [noise.Dropout(0.5), noise.RandomDropout(0.5), noise.GaussianDropout(0.5)]
)
def test_one_sample_across_time(scheme):
    """The sample is drawn outside the scan and applied in every step."""
    x = jax.random.normal(key(1), (7, 4, 5))  # [T, B, H]
    sample = scheme.sample(key(), x.shape[1:])

    def step(carry, x):
        return carry, noise.apply(x, sample)

    _, scanned = lax.scan(step, (), x)
    np.testing.assert_allclose(
        scanned, jax.vmap(noise.apply, (0, None))(x, sample), rtol=1e-6
    )


@pytest.mark.parametrize(
    "scheme",
    [
        noise.Dropout(0.5, broadcast_dims=(1,)),
        noise.RandomDropout(0.5, broadcast_dims=(1,)),
        noise.GaussianDropout(0.5, broadcast_dims=(1,)),
        noise.GaussianNoise(0.5, broadcast_dims=(-2,)),
    ],
)
def test_shared_axes_share(scheme):
    y = noise.apply(jnp.ones((4, 7, 5)), scheme.sample(key(), (4, 7, 5)))
    np.testing.assert_array_equal(y, np.broadcast_to(y[:, :1], y.shape))


def test_dropconnect_is_dropout_of_weights_and_maps_over_examples():
    w, x = jax.random.normal(key(1), (3, 2)), jnp.ones((5, 3))
    np.testing.assert_array_equal(
        noise.dropconnect(key(), w, rate=0.5), noise.dropout(key(), w, rate=0.5)
    )
    keys = jax.random.split(key(), 5)
    layer = lambda k, x: x @ noise.dropconnect(k, w, rate=0.5)
    outputs = jax.vmap(layer)(keys, x)
    assert len(np.unique(outputs, axis=0)) > 1


def test_an_annealed_rate_is_a_function_of_the_step():
    """The functions take the rate at the step, without a new trace."""
    traces = []

    @jax.jit
    def noisy(key, step):
        traces.append(step)
        rate = jnp.maximum(0.5 * (1 - step / 10), 0.0)
        return noise.dropout(key, jnp.ones(10_000), rate=rate)

    shares = [float((noisy(key(), step) == 0).mean()) for step in (0.0, 5.0, 10.0)]
    np.testing.assert_allclose(shares, [0.5, 0.25, 0.0], atol=0.03)
    assert len(traces) == 1


def test_samples_are_replayed_in_paired_comparisons():
    sample = noise.RandomDropout(0.5).sample(key(), (4, 5))
    x = jax.random.normal(key(1), (4, 5))
    np.testing.assert_allclose(
        noise.apply(2 * x, sample), 2 * noise.apply(x, sample), rtol=1e-6
    )

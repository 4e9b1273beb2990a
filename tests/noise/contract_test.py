"""What every scheme promises: one suite over a table of all."""

import dataclasses

import jax
import numpy as np
import pytest
from jax import numpy as jnp
from jax.sharding import AxisType
from jax.test_util import check_grads

from noisejax import noise
from tests.noise.schemes import SCHEMES, SILENT, UNSCALED

ALL = SCHEMES | UNSCALED
SHAPE = (4, 5, 6)


def key(seed=0):
    return jax.random.key(seed)


def data(dtype=jnp.float32, shape=SHAPE):
    return jax.random.normal(key(99), shape).astype(dtype)


@pytest.fixture(params=ALL.values(), ids=ALL.keys())
def scheme(request):
    return request.param


def noisy(scheme, x, seed=0):
    return noise.apply(x, scheme.sample(key(seed), x.shape, x.dtype))


def test_schemes_are_frozen_hashable_pytrees_without_leaves(scheme):
    assert hash(scheme) == hash(dataclasses.replace(scheme))
    assert scheme == dataclasses.replace(scheme)
    assert jax.tree.leaves(scheme) == []
    with pytest.raises(dataclasses.FrozenInstanceError):
        scheme.bits = 3
    assert jax.jit(lambda s, x: noisy(s, x))(scheme, data()).shape == SHAPE


def test_a_sample_is_a_pytree_of_the_rank_of_the_array(scheme):
    sample = scheme.sample(key(), SHAPE)
    leaves = jax.tree.leaves(sample)
    assert leaves
    for leaf in leaves:
        assert isinstance(leaf, jax.Array)
        assert leaf.ndim == len(SHAPE)
        assert all(m in (1, n) for m, n in zip(leaf.shape, SHAPE, strict=True))
    again = jax.tree.unflatten(jax.tree.structure(sample), leaves)
    np.testing.assert_array_equal(
        noise.apply(data(), sample), noise.apply(data(), again)
    )


def test_same_key_same_sample_other_key_other_sample(scheme):
    samples = [scheme.sample(key(seed), (64, 8, 64)) for seed in (0, 0, 1)]
    first, same, other = (jax.tree.leaves(s) for s in samples)
    for a, b in zip(first, same, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16], ids=str)
def test_shape_and_dtype_are_kept(scheme, dtype):
    x = data(dtype)
    y = noisy(scheme, x)
    assert (y.shape, y.dtype) == (x.shape, x.dtype)
    assert np.isfinite(np.asarray(y, np.float32)).all()


def test_half_precision_is_rounded_once(scheme):
    """The same sample in float32, rounded, is the result in bfloat16."""
    x = data(jnp.bfloat16)
    sample = scheme.sample(key(), x.shape, jnp.float32)
    wide = noise.apply(x.astype(jnp.float32), sample).astype(jnp.bfloat16)
    np.testing.assert_array_equal(noise.apply(x, sample), wide)


def test_jit_is_eager(scheme):
    x = data()
    np.testing.assert_allclose(
        jax.jit(lambda x: noisy(scheme, x))(x), noisy(scheme, x), rtol=1e-6, atol=1e-6
    )


def test_vmap_over_keys_is_a_loop(scheme):
    x = data()
    keys = jax.random.split(key(), 3)
    draw = lambda k: scheme.sample(k, x.shape)
    stacked = jax.vmap(draw)(jax.random.clone(keys))
    outputs = jax.vmap(noise.apply, (None, 0))(x, stacked)
    for i in range(3):
        single = noise.apply(x, draw(jax.random.split(key(), 3)[i]))
        np.testing.assert_allclose(outputs[i], single, rtol=1e-6, atol=1e-6)


def test_stacked_samples_fold_into_the_batch(scheme):
    """[S, B, ...] leaves become [B·S, ...] and serve S copies of each example."""
    s, x = 3, data()
    samples = jax.vmap(lambda k: scheme.sample(k, x.shape))(jax.random.split(key(), s))

    def fold(leaf):
        leaf = jnp.broadcast_to(leaf, (s, x.shape[0], *leaf.shape[2:]))
        return leaf.swapaxes(0, 1).reshape(-1, *leaf.shape[2:])

    folded = noise.apply(jnp.repeat(x, s, axis=0), jax.tree.map(fold, samples))
    mapped = jax.vmap(noise.apply, (None, 0), out_axes=1)(x, samples)
    np.testing.assert_array_equal(folded.reshape(mapped.shape), mapped)


def test_scan_and_remat_draw_what_a_loop_draws(scheme):
    x = data()

    @jax.checkpoint
    def step(x, k):
        return noise.apply(x, scheme.sample(k, x.shape)), ()

    keys = jax.random.split(key(), 3)
    scanned, _ = jax.lax.scan(step, x, jax.random.clone(keys))
    looped = x
    for i in range(3):
        looped, _ = step(looped, jax.random.split(key(), 3)[i])
    np.testing.assert_allclose(scanned, looped, rtol=1e-5, atol=1e-5)


def test_gradients_are_right_and_finite(scheme):
    """Forward and reverse mode against finite differences; noise is affine in x."""
    x = data()
    sample = scheme.sample(key(), x.shape)
    check_grads(lambda x: noise.apply(x, sample), (x,), order=1, atol=1e-2, rtol=1e-2)
    direct = jax.grad(lambda x: noisy(scheme, x).sum())(x)
    assert np.isfinite(direct).all()
    remat = jax.grad(jax.checkpoint(lambda x: noisy(scheme, x).sum()))(x)
    np.testing.assert_allclose(remat, direct, rtol=1e-6)


def test_a_traced_level_gives_the_same_sample(scheme):
    x = data()
    traced = jax.jit(lambda level: scheme.sample(key(), x.shape, level=level))
    np.testing.assert_allclose(
        noise.apply(x, traced(scheme.level)), noisy(scheme, x), rtol=1e-6, atol=1e-6
    )


def test_new_levels_do_not_retrace(scheme):
    traces = []

    @jax.jit
    def draw(key, level):
        traces.append(level)
        return scheme.sample(key, SHAPE, level=level)

    for level in (0.1, 0.2, 0.3):
        draw(key(), level)
    assert len(traces) == 1


@pytest.mark.parametrize("silent", SILENT.values(), ids=SILENT.keys())
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=str)
def test_level_0_is_the_identity_bit_for_bit(silent, dtype):
    x = data(dtype)
    np.testing.assert_array_equal(noisy(silent, x), x)
    sample = silent.sample(key(), x.shape, dtype, level=jnp.float32(0))
    np.testing.assert_array_equal(noise.apply(x, sample), x)


def test_inside_shard_map_every_shard_needs_a_key_of_its_own(scheme):
    mesh = jax.make_mesh((1,), ("data",), axis_types=(AxisType.Auto,))
    spec, whole = jax.sharding.PartitionSpec("data"), jax.sharding.PartitionSpec()

    @jax.jit
    @jax.shard_map(mesh=mesh, in_specs=(spec, whole), out_specs=spec)
    def f(x, k):
        own = jax.random.fold_in(k, jax.lax.axis_index("data"))
        return noise.apply(x, scheme.sample(own, x.shape))

    expected = noise.apply(data(), scheme.sample(jax.random.fold_in(key(), 0), SHAPE))
    np.testing.assert_allclose(f(data(), key()), expected, rtol=1e-6, atol=1e-6)

"""Contract of all schemes: one suite over a table."""

import dataclasses

import jax
import numpy as np
import pytest
from jax import export, lax
from jax import numpy as jnp
from jax.sharding import AxisType

from noisejax import noise
from tests.noise.schemes import CONTRACT, SILENT

SHAPE = (4, 5, 6)
CLOSE = dict(rtol=1e-5, atol=1e-5)


def key(seed=0):
    return jax.random.key(seed)


def data(dtype=jnp.float32):
    return jax.random.normal(key(99), SHAPE).astype(dtype)


@pytest.fixture(params=CONTRACT.values(), ids=CONTRACT.keys())
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
    samples = [scheme.sample(key(seed), SHAPE) for seed in (0, 0, 1, 2, 3)]
    first, same, *others = (jax.tree.leaves(s)[0] for s in samples)
    np.testing.assert_array_equal(first, same)
    assert any((first != other).any() for other in others)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=str)
def test_shape_and_dtype_are_kept(scheme, dtype):
    """Half precision equals the float32 result, rounded once."""
    x = data(dtype)
    sample = scheme.sample(key(), x.shape, jnp.float32)
    y = noise.apply(x, sample)
    assert (y.shape, y.dtype) == (x.shape, x.dtype)
    wide = noise.apply(x.astype(jnp.float32), sample)
    np.testing.assert_array_equal(y, wide.astype(dtype))


def test_jit_is_eager(scheme):
    x = data()
    jitted = jax.jit(lambda s, x: noisy(s, x))  # a scheme is an argument, too
    np.testing.assert_allclose(jitted(scheme, x), noisy(scheme, x), **CLOSE)


def test_stacked_samples_fold_into_the_batch(scheme):
    """vmap over keys is a loop; leaves [S, B, ...] serve S copies of each example."""
    s, x = 3, data()
    stacked = jax.vmap(lambda k: scheme.sample(k, SHAPE))(jax.random.split(key(), s))
    outputs = jax.vmap(noise.apply, (None, 0))(x, stacked)
    for i, k in enumerate(jax.random.split(key(), s)):
        single = noise.apply(x, scheme.sample(k, SHAPE))
        np.testing.assert_allclose(outputs[i], single, **CLOSE)

    def fold(leaf):
        leaf = jnp.broadcast_to(leaf, (s, SHAPE[0], *leaf.shape[2:]))
        return leaf.reshape(-1, *leaf.shape[2:])

    folded = noise.apply(jnp.tile(x, (s, 1, 1)), jax.tree.map(fold, stacked))
    np.testing.assert_array_equal(folded.reshape(outputs.shape), outputs)


def test_scan_and_remat_draw_what_a_loop_draws(scheme):
    def step(x, k):
        return noise.apply(x, scheme.sample(k, SHAPE)), ()

    keys = jax.random.split(key(), 2)
    scanned, _ = jax.jit(lambda x: lax.scan(jax.checkpoint(step), x, keys))(data())
    looped = data()
    for k in jax.random.split(key(), 2):
        looped, _ = step(looped, k)
    np.testing.assert_allclose(scanned, looped, **CLOSE)


def test_gradients_are_right_and_finite(scheme):
    """Noise is affine in x: its derivative is a difference, in both modes."""
    x, v = data(), jnp.cos(data())
    sample = scheme.sample(key(), SHAPE)
    y, tangent = jax.jvp(lambda x: noise.apply(x, sample), (x,), (v,))
    difference = noise.apply(x + v, sample) - y
    np.testing.assert_allclose(tangent, difference, rtol=1e-4, atol=1e-4)
    _, pull = jax.vjp(jax.checkpoint(lambda x: noisy(scheme, x)), x)
    np.testing.assert_allclose(
        jnp.vdot(pull(jnp.sin(x))[0], v), jnp.vdot(jnp.sin(x), tangent), rtol=1e-4
    )


def test_traced_levels_give_the_same_sample_without_retracing(scheme):
    x, traces = data(), []

    @jax.jit
    def draw(key, level):
        traces.append(level)
        return scheme.sample(key, SHAPE, level=level)

    sample = draw(key(), scheme.level)
    np.testing.assert_allclose(noise.apply(x, sample), noisy(scheme, x), **CLOSE)
    draw(key(), 0.1), draw(key(), 0.2)
    assert len(traces) == 1


@pytest.mark.parametrize("silent", SILENT.values(), ids=SILENT.keys())
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=str)
def test_level_0_is_the_identity_bit_for_bit(silent, dtype):
    x = data(dtype)
    np.testing.assert_array_equal(noisy(silent, x), x)
    sample = silent.sample(key(), x.shape, dtype, level=jnp.float32(0))
    np.testing.assert_array_equal(noise.apply(x, sample), x)


@pytest.mark.parametrize("name", ["dropout", "dropout_8_bits", "random_dropout"])
def test_inside_shard_map_every_shard_needs_a_key_of_its_own(name):
    mesh = jax.make_mesh((1,), ("data",), axis_types=(AxisType.Auto,))
    spec, whole = jax.sharding.PartitionSpec("data"), jax.sharding.PartitionSpec()

    @jax.jit
    @jax.shard_map(mesh=mesh, in_specs=(spec, whole), out_specs=spec)
    def f(x, k):
        own = jax.random.fold_in(k, jax.lax.axis_index("data"))
        return noise.apply(x, CONTRACT[name].sample(own, x.shape))

    sample = CONTRACT[name].sample(jax.random.fold_in(key(), 0), SHAPE)
    np.testing.assert_allclose(f(data(), key()), noise.apply(data(), sample), **CLOSE)


@pytest.mark.parametrize("shape", ["b, 5, 6", "b, t, 6"])
def test_export_to_all_platforms_with_symbolic_sizes(scheme, shape):
    """One exported program serves every batch size, with the same sample."""

    def apply(k, x):
        return noise.apply(x, noise.sample_like(k, x, scheme))

    x = jax.ShapeDtypeStruct(export.symbolic_shape(shape), jnp.float32)
    k = jax.ShapeDtypeStruct((), key().dtype)
    exported = export.export(jax.jit(apply), platforms=("cpu", "cuda", "tpu"))(k, x)
    found = exported.call(key(), data())
    np.testing.assert_allclose(found, noisy(scheme, data()), **CLOSE)

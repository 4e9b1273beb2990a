"""Draws under meshes: the same masks, drawn per shard and without communication."""

import re

import jax
import numpy as np
import pytest
from jax import numpy as jnp
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from noisejax import noise
from tests import golden
from tests.noise.schemes import SCHEMES

SHAPE = (16, 8, 24)
SPECS = [
    P(),
    P("data"),
    P(None, None, "model"),
    P("data", None, "model"),
    P(("data", "model")),
    P(None, "data", "model"),
]
COLLECTIVES = r"all-gather|all-reduce|collective-permute|all-to-all|reduce-scatter"


def make_mesh(kind):
    return jax.make_mesh((2, 4), ("data", "model"), axis_types=(kind,) * 2)


@pytest.fixture(params=[AxisType.Auto, AxisType.Explicit], ids=["auto", "explicit"])
def mesh(request):
    return make_mesh(request.param)


@pytest.fixture(params=SPECS, ids=str)
def spec(request):
    return request.param


@pytest.fixture(
    params=[
        "dropout",
        "dropout_8_bits",
        "random_dropout_8_bits",
        "spatial_dropout",
        "gaussian_dropout_shared",
    ]
)
def scheme(request):
    return SCHEMES[request.param]


def noisy(scheme, x):
    return noise.apply(x, noise.sample_like(jax.random.key(1), x, scheme))


@pytest.mark.parametrize("jit", [False, True], ids=["eager", "jit, set_mesh"])
def test_masks_are_those_of_one_device(scheme, mesh, spec, jit):
    x = jnp.ones(SHAPE)
    expected = noisy(scheme, x)
    sharded = jax.device_put(x, NamedSharding(mesh, spec))
    if jit:
        with jax.set_mesh(mesh):
            y = jax.jit(lambda x: noisy(scheme, x))(sharded)
    else:
        y = noisy(scheme, sharded)
    np.testing.assert_allclose(jax.device_get(y), expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(jax.device_get(y) == 0, expected == 0)
    if spec != P():
        assert not y.sharding.is_fully_replicated


def test_each_device_draws_its_shard_only_without_communication(scheme, mesh, spec):
    """This holds in the forward and in the backward pass."""
    x = jax.device_put(jnp.ones(SHAPE), NamedSharding(mesh, spec))

    def f(x):
        y, pull = jax.vjp(lambda x: noisy(scheme, x), x)
        return y, pull(x)

    text = jax.jit(f).lower(x).compile().as_text()
    assert not re.findall(COLLECTIVES, text)
    if spec != P():
        rows = "16,8" if not scheme_shares_rows(scheme) else "16,1"
        assert f"u32[{rows},24]" not in text


def scheme_shares_rows(scheme):
    return getattr(scheme, "broadcast_dims", ()) == (1,) or isinstance(
        scheme, noise.SpatialDropout
    )


@pytest.mark.parametrize("n", [24, 6, 4])
def test_out_sharding_of_a_draw(mesh, spec, n):
    """This holds also if the byte planes of the last axis do not split evenly."""
    shape = (16, 8, n)
    expected = noise.bernoulli_mask(jax.random.key(1), shape, rate=0.3, bits=8)
    axes = tuple(spec) + (None,) * (3 - len(tuple(spec)))
    if axes[-1] and n % mesh.shape[axes[-1]]:
        pytest.skip("JAX shards evenly only")
    sharding = NamedSharding(mesh, spec)

    def draw(key):
        return noise.bernoulli_mask(key, shape, rate=0.3, bits=8, out_sharding=sharding)

    for f in (draw, jax.jit(draw)):
        mask = f(jax.random.key(1))
        assert mask.sharding.is_equivalent_to(sharding, 3)
        np.testing.assert_array_equal(jax.device_get(mask), expected)


def test_a_partition_spec_takes_the_mesh_in_context(mesh):
    with jax.set_mesh(mesh):
        mask = jax.jit(
            lambda key: noise.bernoulli_mask(
                key, (16, 8), rate=0.3, out_sharding=P("data")
            )
        )(jax.random.key(1))
    assert mask.sharding.spec[0] == "data"
    expected = noise.bernoulli_mask(jax.random.key(1), (16, 8), rate=0.3)
    np.testing.assert_array_equal(jax.device_get(mask), expected)


@pytest.mark.parametrize("name", golden.SCHEMES)
@pytest.mark.parametrize("spec", [P("data"), P(None, "model"), P("data", "model")])
def test_golden_masks(name, mesh, spec):
    sharding = NamedSharding(mesh, spec)
    sample = golden.SCHEMES[name].sample(
        jax.random.key(2015), golden.SHAPE, out_sharding=sharding
    )
    assert golden.digest(sample) == golden.HASHES[name]


def test_a_rate_per_example_is_sharded_with_them(mesh):
    rates = jnp.linspace(0.1, 0.9, 16).reshape(16, 1)
    expected = noise.dropout(jax.random.key(1), jnp.ones((16, 24)), rate=rates)
    sharding = NamedSharding(mesh, P("data", "model"))
    x = jax.device_put(jnp.ones((16, 24)), sharding)
    r = jax.device_put(rates, NamedSharding(mesh, P("data")))
    f = jax.jit(lambda x, r: noise.dropout(jax.random.key(1), x, rate=r))
    np.testing.assert_allclose(jax.device_get(f(x, r)), expected, rtol=1e-6)


@pytest.mark.parametrize("devices", [1, 2, 4, 8])
def test_the_same_masks_on_any_number_of_devices(devices):
    mesh = jax.make_mesh((devices,), ("data",), devices=jax.devices()[:devices])
    x = jax.device_put(jnp.ones((16, 24)), NamedSharding(mesh, P("data")))
    for bits in (32, 8):
        mask = jax.jit(
            lambda x, b=bits: noise.dropout(jax.random.key(0), x, rate=0.5, bits=b)
        )(x)
        expected = noise.dropout(
            jax.random.key(0), jnp.ones((16, 24)), rate=0.5, bits=bits
        )
        np.testing.assert_array_equal(jax.device_get(mask), expected)


@pytest.mark.parametrize("bits", [32, 8])
def test_shard_map_draws_each_shard_with_a_key_per_shard(bits):
    mesh = make_mesh(AxisType.Auto)

    @jax.jit
    @jax.shard_map(mesh=mesh, in_specs=(P("data"), P()), out_specs=P("data"))
    def f(x, key):
        key = jax.random.fold_in(key, jax.lax.axis_index("data"))
        return noise.dropout(key, x, rate=0.5, bits=bits)

    y = f(jnp.ones((16, 24)), jax.random.key(0))
    for shard in range(2):
        expected = noise.dropout(
            jax.random.fold_in(jax.random.key(0), shard),
            jnp.ones((8, 24)),
            rate=0.5,
            bits=bits,
        )
        np.testing.assert_array_equal(y[8 * shard : 8 * shard + 8], expected)
    assert (y[:8] != y[8:]).any()

"""IWSGD over Auto axes in a user's jit divides the work over the devices."""

import jax
import pytest
from jax import numpy as jnp
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from noisejax import noise, objectives
from tests.sharded.traffic import traffic

S, DEVICES, PER_DEVICE = 8, 8, 64
RATES = (0.2, 0.5, 0.5)


def log_prob(params, key, x, y):
    keys = jax.random.split(key, len(RATES))
    for i, (w, k, rate) in enumerate(zip(params, keys, RATES, strict=False)):
        x = noise.dropout(k, jax.nn.relu(x) if i else x, rate=rate) @ w
    return objectives.label_log_prob(x, y)


@pytest.mark.parametrize("strategy", ["vmap", "map", "fold", "resample"])
def test_operations_and_traffic_of_a_gradient(strategy):
    """At most 1.05 / 8 of the operations of one device; only gradients are sent.

    ("map" sends those of each sample.)
    """
    batch = DEVICES * PER_DEVICE
    shapes = ((32, 64), (64, 64), (64, 10))
    params = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    x = jax.ShapeDtypeStruct((batch, 32), jnp.float32)
    y = jax.ShapeDtypeStruct((batch,), jnp.int32)
    loss_fn = objectives.iwsgd(log_prob, num_samples=S, strategy=strategy)
    gradient = jax.jit(jax.grad(lambda *arguments: loss_fn(*arguments)[0]))

    def compiled(num_devices):
        mesh = jax.make_mesh(
            (num_devices,),
            ("data",),
            axis_types=(AxisType.Auto,),
            devices=jax.devices()[:num_devices],
        )
        whole, by_example = (NamedSharding(mesh, s) for s in (P(), P("data")))

        def lay(struct, sharding):
            return jax.ShapeDtypeStruct(struct.shape, struct.dtype, sharding=sharding)

        arguments = (
            [lay(w, whole) for w in params],
            jax.random.key(0),
            lay(x, by_example),
            lay(y, by_example),
        )
        return gradient.lower(*arguments).compile()

    one, many = compiled(1), compiled(DEVICES)
    share = many.cost_analysis()["flops"] / one.cost_analysis()["flops"]
    assert share <= 1.05 / DEVICES
    sent = traffic(many.as_text())
    assert sent.keys() == {"all-reduce"}
    times = S if strategy == "map" else 1
    assert sent["all-reduce"] <= times * sum(w.size for w in params) * 4


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
def test_independence_of_a_sharded_batch(kind):
    mesh = jax.make_mesh((DEVICES,), ("data",), axis_types=(kind,))
    params = [jax.random.normal(jax.random.key(1), (6, 3))]
    x = jax.random.normal(jax.random.key(2), (16, 6))
    y = jnp.arange(16) % 3

    def centred(params, key, x, y):
        return log_prob(params, key, x - x.mean(0, keepdims=True), y)

    with jax.set_mesh(mesh):
        whole, by_example = (NamedSharding(mesh, s) for s in (P(), P("data")))
        arguments = (
            jax.device_put(params, whole),
            jax.random.key(0),
            *jax.device_put((x, y), by_example),
        )
        objectives.check_independence(log_prob, *arguments)
        with pytest.raises(ValueError, match="example 0 changed"):
            objectives.check_independence(centred, *arguments)

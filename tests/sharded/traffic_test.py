"""Kinds, sizes and loop counts are read from HLO."""

import jax
import numpy as np
import pytest
from jax import lax
from jax import numpy as jnp
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from tests.sharded.traffic import traffic


def compiled(f, *specs_and_values):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    arguments = [
        jax.device_put(x, NamedSharding(mesh, spec)) for spec, x in specs_and_values
    ]
    out = jax.jit(f, out_shardings=NamedSharding(mesh, P()))
    return out.lower(*arguments).compile().as_text()


X = np.ones((16, 12), np.float32)


def test_a_sum_and_a_gather():
    assert traffic(compiled(lambda x: x.sum(0), (P("data"), X))) == {
        "all-reduce": 12 * 4
    }
    assert traffic(compiled(lambda x: x + 1, (P("data"), X))) == {
        "all-gather": 16 * 12 * 4
    }
    assert traffic(compiled(lambda x: x + 1, (P(), X))) == {}


def test_loops_count_as_often_as_they_run():
    def f(x):
        def body(carry, _):
            return carry + jnp.sin(carry + x).sum(0, keepdims=True), ()

        return lax.scan(body, jnp.zeros((1, 12)), None, length=5)[0]

    assert traffic(compiled(f, (P("data"), X))) == {"all-reduce": 5 * 12 * 4}


def test_loops_that_do_not_say_how_often():
    def f(x):
        return lax.while_loop(
            lambda c: c.sum() < 100,
            lambda c: c + jnp.sin(c + x).sum(0, keepdims=True),
            jnp.ones((1, 12)),
        )

    with pytest.raises(AssertionError, match="how often does this run"):
        traffic(compiled(f, (P("data"), X)))

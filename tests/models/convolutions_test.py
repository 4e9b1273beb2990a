"""Our convolution is JAX's, its gradients too, however they are taken."""

import functools
import re

import jax
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx
from jax import lax
from jax import numpy as jnp
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from noisejax import models

NHWC = ("NHWC", "HWIO", "NHWC")

GEOMETRIES = [
    ((1, 1), "SAME", (3, 3)),
    ((1, 1), "VALID", (5, 4)),
    ((2, 2), "SAME", (5, 4)),
    ((2, 2), "VALID", (1, 1)),
    ((3, 2), ((2, 2), (1, 0)), (3, 3)),
    ((2, 1), ((4, 0), (0, 3)), (5, 4)),
]


def stock(x, w, strides, padding):
    return lax.conv_general_dilated(x, w, strides, padding, dimension_numbers=NHWC)


def operands(window=(3, 3), batch=2):
    keys = jax.random.split(jax.random.key(0), 2)
    x = jax.random.normal(keys[0], (batch, 8, 9, 3))
    return x, jax.random.normal(keys[1], (*window, 3, 4))


def both(strides, padding):
    return [
        functools.partial(f, strides, padding)
        for f in (
            lambda s, p, x, w: models.convolutions(x, w, s, p),
            lambda s, p, x, w: stock(x, w, s, p),
        )
    ]


def agree(ours, theirs):
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("strides", "padding", "window"), GEOMETRIES)
def test_value_and_gradients(strides, padding, window):
    x, w = operands(window)
    ours, theirs = both(strides, padding)
    y, pull = jax.vjp(ours, x, w)
    expected, stock_pull = jax.vjp(theirs, x, w)
    agree(y, expected)
    g = jax.random.normal(jax.random.key(1), y.shape)
    agree(pull(g), stock_pull(g))
    agree(
        jax.jvp(ours, (x, w), (x + 1, w - 1))[1],
        jax.jvp(theirs, (x, w), (x + 1, w - 1))[1],
    )


def test_transforms():
    """Products with a Hessian, one operand only, vmap over either or both."""
    x, w = operands()
    results = []
    for convolve in both((2, 1), "SAME"):
        loss = lambda x, w, convolve=convolve: jnp.sum(jnp.tanh(convolve(x, w)) ** 2)
        gradient = jax.grad(loss, (0, 1))
        many_x, many_w = jnp.stack([x, x + 1]), jnp.stack([w, w - 1])
        results.append(
            [
                jax.jvp(gradient, (x, w), (jnp.cos(x), jnp.sin(w)))[1],
                jax.grad(loss, 0)(x, w),
                jax.grad(loss, 1)(x, w),
                jax.vmap(gradient)(many_x, many_w),
                jax.vmap(gradient, (0, None))(many_x, w),
                jax.vmap(gradient, (None, 0))(x, many_w),
                jax.linear_transpose(jax.linearize(loss, x, w)[1], x, w)(1.0),
            ]
        )
    agree(*results)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="of the CPU's compiler")
def test_in_a_loop_every_product_has_the_order_that_the_cpu_is_fast_in():
    """XLA does not reorder axes within a loop: the gradients must come in order."""
    x, w = operands()

    def labels(convolve):
        loss = lambda w, x: jnp.sum(jnp.tanh(convolve(convolve(x, w)[..., :3], w)))

        def body(w, x):
            return w - jax.grad(loss)(w, x), jnp.sum(jax.grad(loss, 1)(w, x))

        program = jax.jit(lambda w, xs: lax.scan(body, w, xs))
        text = program.lower(w, jnp.stack([x, x])).compile().as_text()
        return set(re.findall(r"dim_labels=(\S+?),", text))

    ours, theirs = both((1, 1), "SAME")
    assert labels(ours) == {"b01f_01io->b01f"}
    assert labels(theirs) != {"b01f_01io->b01f"}, "XLA has learnt it: use JAX's own"


def test_the_rest_is_stock():
    for options in (
        dict(kernel_dilation=2),
        dict(input_dilation=2, padding=((1, 1), (1, 1))),
        dict(feature_group_count=3),
    ):
        layers = [
            nn.Conv(6, (3, 3), **options, conv_general_dilated=convolve)
            for convolve in (models.convolutions, None)
        ]
        x = jax.random.normal(jax.random.key(0), (2, 7, 7, 3))
        params = layers[0].init(jax.random.key(1), x)
        agree(layers[0].apply(params, x), layers[1].apply(params, x))
    line = nn.Conv(4, (3,), conv_general_dilated=models.convolutions)
    out, _ = line.init_with_output(jax.random.key(0), jnp.ones((2, 9, 3)))
    assert out.shape == (2, 9, 4)


def test_other_axes_are_honoured():
    x = jax.random.normal(jax.random.key(0), (2, 6, 6, 6))
    w = jax.random.normal(jax.random.key(1), (3, 3, 6, 6))
    axes = ("NCHW", "HWIO", "NCHW")
    ours = models.convolutions(x, w, (1, 1), "SAME", dimension_numbers=axes)
    agree(ours, lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=axes))
    line, kernel = jnp.ones((2, 9, 3)), jnp.ones((3, 3, 4))
    assert models.convolutions(line, kernel, (1,), "SAME").shape == (2, 9, 4)


@pytest.mark.parametrize(
    "convolve", [models.convolutions, models.bfloat16_convolutions]
)
def test_nnx_takes_it(convolve):
    layer = nnx.Conv(3, 4, (3, 3), conv_general_dilated=convolve, rngs=nnx.Rngs(0))
    x = jax.random.normal(jax.random.key(0), (2, 5, 5, 3))
    stock = lax.conv_general_dilated(
        x, layer.kernel[...], (1, 1), "SAME", dimension_numbers=NHWC
    )
    np.testing.assert_allclose(layer(x), stock, atol=0.05)


def test_shards_written_by_hand():
    """Within shard_map, where the kernel is shared and the images are not."""
    mesh = jax.make_mesh((1,), ("data",), axis_types=(AxisType.Auto,))
    x, w = operands()
    loss = lambda convolve, w, x: jnp.sum(jnp.tanh(convolve(x, w)))
    gradients = []
    for convolve in both((1, 1), "SAME"):
        shared = jax.shard_map(
            lambda w, x, convolve=convolve: jax.lax.psum(loss(convolve, w, x), "data"),
            mesh=mesh,
            in_specs=(P(), P("data")),
            out_specs=P(),
        )
        gradients.append(jax.jit(jax.grad(shared))(w, x))
    agree(*gradients)


def test_shardings_in_types():
    mesh = jax.make_mesh((1,), ("data",), axis_types=(AxisType.Explicit,))
    x, w = operands()
    with jax.set_mesh(mesh):
        sharded = jax.device_put(x, NamedSharding(mesh, P("data")))
        found = jax.jit(lambda x, w: models.convolutions(x, w, (1, 1), "SAME"))(
            sharded, w
        )
        assert jax.typeof(found).sharding.spec[0] == "data"
    np.testing.assert_allclose(found, stock(x, w, (1, 1), "SAME"), atol=1e-4)

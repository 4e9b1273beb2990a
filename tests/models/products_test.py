"""Products and convolutions equal JAX's, also in all their derivatives."""

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
LAST = (((1,), (0,)), ((), ()))


def stock_product(x, w):
    return lax.dot_general(x, w, LAST, precision="highest")


def stock_convolution(x, w, strides=(2, 1), padding="SAME"):
    return lax.conv_general_dilated(
        x, w, strides, padding, dimension_numbers=NHWC, precision="highest"
    )


CASES = {
    "flat_products": (lambda x, w: models.flat_products(x, w, LAST), stock_product),
    "bfloat16_products": (
        lambda x, w: models.bfloat16_products(x, w, LAST),
        stock_product,
    ),
    "convolutions": (
        lambda x, w: models.convolutions(x, w, (2, 1), "SAME"),
        stock_convolution,
    ),
    "bfloat16_convolutions": (
        lambda x, w: models.bfloat16_convolutions(x, w, (2, 1), "SAME"),
        stock_convolution,
    ),
}


@pytest.fixture(params=CASES)
def case(request):
    """Return noisejax's function, JAX's, operands, and the tolerance."""
    ours, stock = CASES[request.param]
    shapes = (
        ((4, 6), (6, 3))
        if "products" in request.param
        else ((2, 5, 6, 3), (3, 3, 3, 4))
    )
    keys = jax.random.split(jax.random.key(0), 2)
    x, w = (jax.random.normal(k, s) for k, s in zip(keys, shapes, strict=True))
    return ours, stock, x, w, 0.05 if "bfloat16" in request.param else 1e-4


def agree(found, expected, tolerance):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert a.dtype == b.dtype == jnp.float32
        np.testing.assert_allclose(
            a, b, rtol=tolerance, atol=tolerance * float(jnp.abs(b).max())
        )


def derivatives(product, x, w):
    """Return derivatives under all combinations of transforms."""

    def loss(x, w):
        return jnp.sum(jnp.tanh(product(x, w) / 4) ** 2)

    gradient = jax.grad(loss, (0, 1))
    tangents = jnp.cos(x), jnp.sin(w)
    many_x, many_w = jnp.stack([x, x + 1, -x]), jnp.stack([w, w - 1, -w])

    def over_samples(x, w):
        return jnp.sum(jax.vmap(loss, (0, None))(x, w))

    def over_steps(w):
        return lax.scan(lambda sum, x: (sum + loss(x, w), ()), 0.0, many_x)[0]

    return {
        "value": product(x, w),
        "grad": gradient(x, w),
        "jvp": jax.jvp(loss, (x, w), tangents),
        "linearize": jax.linearize(loss, x, w)[1](*tangents),
        "forward over reverse": jax.jvp(gradient, (x, w), tangents),
        "reverse over reverse": jax.vjp(gradient, x, w)[1](tangents),
        "grad of vmap": jax.grad(over_samples, (0, 1))(many_x, w),
        "vmap of grad": [
            jax.vmap(gradient, axes)(many_x if axes[0] == 0 else x, ws)
            for axes, ws in (((0, None), w), ((0, 0), many_w), ((None, 0), many_w))
        ],
        "nested vmap": jax.vmap(
            lambda w: jax.vmap(lambda x: jax.grad(loss, 1)(x, w))(many_x)
        )(many_w),
        "scan": jax.grad(over_steps)(w),
        "checkpoint": jax.grad(jax.checkpoint(loss), 1)(x, w),
    }


def test_derivatives_are_those_of_jax(case):
    ours, stock, x, w, tolerance = case
    run = jax.jit(derivatives, static_argnums=0)
    found, expected = run(ours, x, w), run(stock, x, w)
    for name in expected:
        agree(found[name], expected[name], tolerance)
    agree(ours(x, w), expected["value"], tolerance)


def rounded(x):
    return x.astype(jnp.bfloat16).astype(jnp.float32)


@pytest.mark.parametrize("name", ["bfloat16_products", "bfloat16_convolutions"])
def test_bfloat16_rounds_operands_and_cotangents_and_sums_in_float32(name):
    ours, stock = CASES[name]
    shapes = ((4, 600), (600, 3)) if "prod" in name else ((2, 5, 6, 30), (3, 3, 30, 4))
    keys = jax.random.split(jax.random.key(0), 3)
    x, w = (jax.random.normal(k, s) for k, s in zip(keys, shapes, strict=False))
    y, pull = jax.vjp(ours, x, w)
    expected, stock_pull = jax.vjp(stock, rounded(x), rounded(w))
    g = jax.random.normal(keys[2], y.shape)
    agree((y, pull(g)), (expected, stock_pull(rounded(g))), 1e-4)


@pytest.mark.parametrize(
    "shapes",
    [((8, 4, 5), (5, 3)), ((8, 4, 2, 5), (2, 5, 3)), ((4, 5), (5, 2, 3))],
    ids=["examples and samples", "two axes summed", "two axes of outputs"],
)
def test_flat_products_of_several_axes(shapes):
    summed = len(shapes[0]) - 2 if len(shapes[1]) == 3 and len(shapes[0]) > 2 else 1
    dims = (
        (
            tuple(range(len(shapes[0]) - summed, len(shapes[0]))),
            tuple(range(summed)),
        ),
        ((), ()),
    )
    keys = jax.random.split(jax.random.key(0), 2)
    x, w = (jax.random.normal(k, s) for k, s in zip(keys, shapes, strict=True))

    def both(product):
        loss = lambda x, w: jnp.sum(jnp.tanh(product(x, w, dims)))
        return jax.jit(jax.value_and_grad(loss, (0, 1)))(x, w)

    agree(both(models.flat_products), both(lax.dot_general), 1e-5)


@pytest.mark.skipif(jax.device_count("cpu") > 1, reason="axes may be sharded")
def test_samples_and_examples_are_one_axis_on_one_cpu():
    """No gradient transposes the batch: every product is of two matrices."""
    x, w = jnp.ones((8, 16, 32)), jnp.ones((32, 24))

    def loss(w, product):
        return jnp.sum(jnp.tanh(jax.vmap(lambda x: product(x, w, LAST))(x)))

    def stable_hlo(product):
        return jax.jit(jax.grad(loss), static_argnums=1).lower(w, product).as_text()

    three_axes = re.compile(r"dot_general.*tensor<8x16x")
    assert not three_axes.search(stable_hlo(models.flat_products))
    assert three_axes.search(stable_hlo(lax.dot_general)), "XLA's own has three"


GEOMETRIES = [
    ((1, 1), "SAME", (3, 3)),
    ((1, 1), "VALID", (5, 4)),
    ((2, 2), "SAME", (5, 4)),
    ((2, 2), "VALID", (1, 1)),
    ((3, 1), "VALID", (5, 4)),
    ((3, 2), ((2, 2), (1, 0)), (3, 3)),
    ((2, 1), ((4, 0), (0, 3)), (5, 4)),
]


@pytest.mark.parametrize(("strides", "padding", "window"), GEOMETRIES)
def test_geometries_of_convolutions(strides, padding, window):
    keys = jax.random.split(jax.random.key(0), 3)
    x = jax.random.normal(keys[0], (2, 8, 9, 3))
    w = jax.random.normal(keys[1], (*window, 3, 4))

    @functools.partial(jax.jit, static_argnums=(0, 3))
    def run(convolve, x, w, low):
        y, pull = jax.vjp(lambda x, w: convolve(x, w, strides, padding), x, w)
        g = jax.random.normal(jax.random.key(1), y.shape)
        return y, pull(rounded(g) if low else g)

    agree(
        run(models.convolutions, x, w, False),
        run(stock_convolution, x, w, False),
        1e-4,
    )
    agree(
        run(models.bfloat16_convolutions, x, w, False),
        run(stock_convolution, rounded(x), rounded(w), True),
        1e-4,
    )


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="of the CPU's compiler")
def test_in_a_loop_every_product_has_the_order_that_the_cpu_is_fast_in():
    """XLA does not reorder axes in a loop, so gradients need a fast order."""
    x, w = jnp.ones((2, 8, 9, 3)), jnp.ones((3, 3, 3, 3))

    def labels(convolve):
        def loss(w, x):
            return jnp.sum(jnp.tanh(convolve(convolve(x, w), w)))

        def body(w, x):
            return w - jax.grad(loss)(w, x), jnp.sum(jax.grad(loss, 1)(w, x))

        program = jax.jit(lambda w, xs: lax.scan(body, w, xs))
        text = program.lower(w, jnp.stack([x, x])).compile().as_text()
        return set(re.findall(r"dim_labels=(\S+?),", text))

    ours, stock = CASES["convolutions"]
    assert labels(ours) == {"b01f_01io->b01f"}
    assert labels(stock) != {"b01f_01io->b01f"}, "XLA reorders axes now: use JAX's own"


def test_other_convolutions_are_those_of_jax():
    x = jax.random.normal(jax.random.key(0), (2, 7, 7, 3))
    for options in (
        dict(kernel_dilation=2),
        dict(input_dilation=2, padding=((1, 1), (1, 1))),
        dict(feature_group_count=3),
    ):
        ours, stock = (
            nn.Conv(6, (3, 3), **options, conv_general_dilated=convolve)
            for convolve in (models.convolutions, None)
        )
        params = ours.init(jax.random.key(1), x)
        agree(ours.apply(params, x), stock.apply(params, x), 1e-5)
    line = nn.Conv(4, (3,), conv_general_dilated=models.convolutions)
    out, _ = line.init_with_output(jax.random.key(0), jnp.ones((2, 9, 3)))
    assert out.shape == (2, 9, 4)
    w = jax.random.normal(jax.random.key(1), (3, 3, 7, 6))
    axes = dict(dimension_numbers=("NCHW", "HWIO", "NCHW"))
    ours = models.convolutions(x, w, (1, 1), "SAME", **axes)
    agree(ours, lax.conv_general_dilated(x, w, (1, 1), "SAME", **axes), 1e-5)


@pytest.mark.parametrize(
    "options",
    [dict(lhs_dilation=(2, 2)), dict(rhs_dilation=(2, 1)), dict(feature_group_count=3)],
)
def test_bfloat16_convolutions_need_plain_images(options):
    with pytest.raises(ValueError, match="without dilation or feature groups"):
        models.bfloat16_convolutions(
            jnp.ones((1, 4, 4, 3)), jnp.ones((3, 3, 3, 3)), (1, 1), "SAME", **options
        )
    with pytest.raises(ValueError, match="needs images"):
        models.bfloat16_convolutions(
            jnp.ones((1, 4, 3)), jnp.ones((3, 3, 3)), (1,), "SAME"
        )


def test_flax_layers_take_them():
    x = jax.random.normal(jax.random.key(0), (2, 5, 5, 3))
    for convolve in (models.convolutions, models.bfloat16_convolutions):
        linen = nn.Conv(4, (3, 3), conv_general_dilated=convolve)
        params = linen.init(jax.random.key(0), x)
        stock = nn.Conv(4, (3, 3)).apply(params, x)
        np.testing.assert_allclose(linen.apply(params, x), stock, atol=0.05)
        layer = nnx.Conv(3, 4, (3, 3), conv_general_dilated=convolve, rngs=nnx.Rngs(0))
        stock = stock_convolution(x, layer.kernel[...], (1, 1))
        np.testing.assert_allclose(layer(x), stock, atol=0.05)
    for product in (models.flat_products, models.bfloat16_products):
        linen = nn.DenseGeneral(4, axis=(-2, -1), dot_general=product)
        params = linen.init(jax.random.key(0), x)
        stock = nn.DenseGeneral(4, axis=(-2, -1)).apply(params, x)
        np.testing.assert_allclose(linen.apply(params, x), stock, atol=0.05)


@pytest.mark.parametrize("check_vma", [True, False])
def test_gradients_within_shard_map(case, check_vma):
    """The second operand is shared between the devices, the first is not."""
    ours, stock, x, w, tolerance = case
    mesh = jax.make_mesh((1,), ("data",), axis_types=(AxisType.Auto,))

    @functools.partial(
        jax.shard_map,
        mesh=mesh,
        in_specs=(P(), P("data")),
        out_specs=P(),
        check_vma=check_vma,
    )
    def shared(w, x):
        return lax.psum(jnp.sum(jnp.tanh(ours(x, w))), "data")

    expected = jax.grad(lambda w: jnp.sum(jnp.tanh(stock(x, w))))(w)
    agree(jax.jit(jax.grad(shared))(w, x), expected, tolerance)


def test_explicit_axes(case):
    ours, stock, x, w, tolerance = case
    mesh = jax.make_mesh((1,), ("data",), axis_types=(AxisType.Explicit,))
    with jax.set_mesh(mesh):
        sharded = jax.device_put(x, NamedSharding(mesh, P("data")))
        out = jax.jit(ours)(sharded, w)
        assert jax.typeof(out).sharding.spec[0] == "data"
    agree(out, stock(x, w), tolerance)


def test_export_for_another_platform():
    """The product's implementation follows the target platform."""
    layer = lambda x, w: jax.vmap(lambda x: models.flat_products(x, w, LAST))(x)
    shapes = (jax.ShapeDtypeStruct(s, jnp.float32) for s in ((8, 4, 5), (5, 3)))
    text = jax.export.export(jax.jit(layer), platforms=["cuda"])(*shapes).mlir_module()
    assert re.search(r"dot_general.*tensor<8x4x5xf32>", text)

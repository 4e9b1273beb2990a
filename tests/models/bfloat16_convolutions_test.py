"""bfloat16 convolutions: forward and both transposes against float32's."""

import jax
import numpy as np
import pytest
from flax import linen as nn
from jax import lax
from jax import numpy as jnp

from noisejax import models

NHWC = ("NHWC", "HWIO", "NHWC")


def rounded(x):
    return x.astype(jnp.bfloat16).astype(jnp.float32)


def stock(x, w, strides, padding):
    return lax.conv_general_dilated(
        x, w, strides, padding, dimension_numbers=NHWC, precision="highest"
    )


@pytest.mark.parametrize(
    ("strides", "padding", "window"),
    [
        ((1, 1), "SAME", (3, 3)),
        ((1, 1), "VALID", (5, 4)),
        ((2, 2), "SAME", (5, 4)),
        ((2, 2), "VALID", (1, 1)),
        ((3, 1), "VALID", (5, 4)),
        ((3, 2), ((2, 2), (1, 0)), (3, 3)),
        ((2, 1), ((4, 0), (0, 3)), (5, 4)),
    ],
)
def test_it_is_the_stock_convolution_of_rounded_operands(strides, padding, window):
    keys = jax.random.split(jax.random.key(0), 3)
    x = jax.random.normal(keys[0], (2, 8, 9, 3))
    w = jax.random.normal(keys[1], (*window, 3, 4))
    ours = lambda x, w: models.bfloat16_convolutions(x, w, strides, padding)
    y, transpose = jax.vjp(ours, x, w)
    expected, stock_transpose = jax.vjp(
        lambda x, w: stock(x, w, strides, padding), rounded(x), rounded(w)
    )
    assert y.dtype == jnp.float32
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    g = jax.random.normal(keys[2], y.shape)
    for ours_g, stock_g in zip(transpose(g), stock_transpose(rounded(g)), strict=True):
        assert ours_g.dtype == jnp.float32
        np.testing.assert_allclose(ours_g, stock_g, rtol=1e-4, atol=1e-4)


def test_flax_convolutions_take_it():
    net = nn.Conv(4, (3, 3), conv_general_dilated=models.bfloat16_convolutions)
    x = jnp.ones((2, 5, 5, 3))
    params = net.init(jax.random.key(0), x)
    plain = nn.Conv(4, (3, 3)).apply(params, x)
    np.testing.assert_allclose(net.apply(params, x), plain, atol=0.05)


@pytest.mark.parametrize(
    "arguments",
    [
        dict(lhs_dilation=(2, 2)),
        dict(rhs_dilation=(2, 1)),
        dict(feature_group_count=3),
    ],
)
def test_what_it_cannot_do_is_an_error(arguments):
    with pytest.raises(ValueError, match="without dilation or feature groups"):
        models.bfloat16_convolutions(
            jnp.ones((1, 4, 4, 3)), jnp.ones((3, 3, 3, 3)), (1, 1), "SAME", **arguments
        )
    with pytest.raises(ValueError, match="takes images"):
        models.bfloat16_convolutions(
            jnp.ones((1, 4, 3)), jnp.ones((3, 3, 3)), (1,), "SAME"
        )

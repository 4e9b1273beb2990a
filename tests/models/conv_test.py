"""Convolutional networks: shapes, the order of pooling and noise, residual blocks."""

import functools

import jax
import numpy as np
import pytest
from flax import linen as nn
from jax import lax
from jax import numpy as jnp

from noisejax import activations as phi
from noisejax import models, noise
from tests.models.networks import make_variables


def run(net, x, seed=0, **changes):
    variables = make_variables(net, x, seed)
    variables = {**variables, "params": {**variables["params"], **changes}}
    rngs = {"dropout": jax.random.key(9)}
    apply = functools.partial(net.apply, train=True, rngs=rngs, mutable=["batch_stats"])
    return variables, jax.jit(apply)(variables, x)[0][1]


def images(size=16, batch=2):
    return jax.random.normal(jax.random.key(3), (batch, size, size, 3))


def test_every_pooling_halves_the_image():
    net = models.ConvNet(models.BA_CNN.scaled(1 / 32), 10)
    _, activations = run(net, images(32))
    sides = [activations[f"hidden_{i}"].shape[1] for i in range(3)]
    assert sides == [16, 8, 4]
    assert activations["net_0_0"].shape == (2, 32, 32, 4)


def test_shift_and_mask_come_after_the_pooling():
    """With shifts of -100, dropped units (0) do not win the max-pooling."""
    net = models.ConvNet(
        models.Architecture((models.Stage((4,), 3, 3),), (5,)),
        2,
        hidden_noise=(noise.Dropout(0.5), None),
        hidden_shift=True,
    )
    beta = {"noise_0": {"beta": jnp.full(4, -100.0)}}
    variables, activations = run(net, images(), **beta)
    conv = np.asarray(activations["conv_0_0"])
    pooled = lax.reduce_window(
        conv, -np.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), "SAME"
    )
    np.testing.assert_allclose(activations["hidden_0"], pooled, rtol=1e-6)
    noisy = np.asarray(activations["noisy_0"])
    kept = noisy != 0
    np.testing.assert_allclose(noisy[kept], 2 * (pooled - 100)[kept], rtol=1e-5)
    assert abs(kept.mean() - 0.5) < 5 * 0.5 / np.sqrt(kept.size)
    assert (noisy <= 0).all()


def test_maxout_takes_the_largest_neighbouring_piece():
    x = jax.random.normal(jax.random.key(1), (3, 2, 8))
    expected = np.asarray(x).reshape(3, 2, 4, 2).max(-1)
    np.testing.assert_array_equal(models.maxout(x, 2), expected)
    np.testing.assert_array_equal(models.maxout(x, 1), x)
    for pieces in (0, 3):
        with pytest.raises(ValueError, match=f"multiple of pieces={pieces}"):
            models.maxout(x, pieces)


def test_maxout_conv_net_is_maximal_over_pieces():
    net = models.ConvNet(models.MAXOUT_SVHN.scaled(1 / 32), 3)
    _, activations = run(net, images())
    np.testing.assert_array_equal(
        activations["conv_1_0"], models.maxout(activations["net_1_0"], 2)
    )
    np.testing.assert_array_equal(
        activations["hidden_3"], models.maxout(activations["net_3"], 5)
    )
    assert (np.asarray(activations["conv_0_0"]) < 0).any(), "no rectifier follows"


def test_accelerated_networks_have_the_plain_ones_values():
    plain = models.ConvNet(models.FOUR_CONV.scaled(1 / 32), 3, batch_norm=True)
    fast = plain.clone(activation=phi.gaaf(nn.relu, phi.shifted_sigmoid_shape))
    x = images()
    variables = make_variables(plain, x)

    def loss(net):
        return lambda params: jnp.sum(
            net.apply({**variables, "params": params}, x, train=False)[0] ** 2
        )

    values, slopes = zip(
        *(
            jax.jit(jax.value_and_grad(loss(net)))(variables["params"])
            for net in (plain, fast)
        ),
        strict=True,
    )
    np.testing.assert_allclose(*values, rtol=1e-2)
    sizes = [float(jnp.abs(slope["conv_0_0"]["kernel"]).mean()) for slope in slopes]
    assert sizes[1] > 1.5 * sizes[0]


def test_residual_block_is_shortcut_plus_branch():
    net = models.WideResNet(3, depth=10, width_factor=0.5)
    x = images()
    variables, activations = run(net, x)
    params = variables["params"]
    assert [activations[f"block_{i}"].shape[1:] for i in range(3)] == [
        (16, 16, 8),
        (8, 8, 16),
        (4, 4, 32),
    ]
    kernel = params["conv_1_1"]["kernel"]
    branch = lax.conv_general_dilated(
        activations["hidden_1"], kernel, (1, 1), "SAME", dimension_numbers=NHWC
    )
    first = nn.relu(normalised(activations["block_0"]))
    shortcut = lax.conv_general_dilated(
        first, params["shortcut_1"]["kernel"], (2, 2), "VALID", dimension_numbers=NHWC
    )
    np.testing.assert_allclose(
        activations["block_1"], branch + shortcut, rtol=1e-3, atol=1e-4
    )


NHWC = ("NHWC", "HWIO", "NHWC")


def normalised(x):
    mean, var = x.mean((0, 1, 2), keepdims=True), x.var((0, 1, 2), keepdims=True)
    return (x - mean) / jnp.sqrt(var + 1e-5)


def test_shortcut_is_the_identity_where_shapes_agree():
    net = models.WideResNet(3, depth=16, width_factor=1)
    shapes = jax.eval_shape(
        lambda key: net.init(key, jnp.zeros((1, 8, 8, 3)), train=False),
        jax.random.key(0),
    )
    shortcuts = sorted(n for n in shapes["params"] if n.startswith("shortcut"))
    assert shortcuts == ["shortcut_2", "shortcut_4"]
    assert net.num_hidden_sites == 6


@pytest.mark.parametrize("depth", [4, 12, 27])
def test_depths_are_6n_plus_4(depth):
    with pytest.raises(ValueError, match=f"depth must be 6 n . 4.*got {depth}"):
        models.WideResNet(10, depth=depth)


def test_width_must_be_positive():
    with pytest.raises(ValueError, match="width_factor must be above 0, got 0"):
        models.WideResNet(10, width_factor=0)


def test_a_wide_residual_network_starts_from_even_guesses():
    """The last layer starts from U(-1/√n, 1/√n) for n = 64 k inputs, as published."""
    even = nn.initializers.variance_scaling(2.0, "fan_out", "uniform")
    net = models.WideResNet(10, depth=10, width_factor=2, kernel_init=even)
    x = images(8, batch=8)
    variables = jax.jit(functools.partial(net.init, train=False))(jax.random.key(0), x)
    _, activations = jax.jit(functools.partial(net.apply, train=False))(variables, x)
    head = variables["params"]["dense_output"]
    bound = 1 / np.sqrt(128)
    assert 0.9 * bound < np.abs(head["kernel"]).max() <= bound
    np.testing.assert_allclose(np.std(head["kernel"]), bound / np.sqrt(3), rtol=0.05)
    np.testing.assert_array_equal(head["bias"], 0)
    loss = -jax.nn.log_softmax(activations["output"]).mean()
    assert abs(loss - np.log(10)) < 0.2

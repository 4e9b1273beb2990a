"""Numbers of parameters equal the published ones."""

import jax
import pytest
from jax import numpy as jnp

from noisejax import models

CIFAR = (1, 32, 32, 3)


def num_parameters(net, shape=CIFAR):
    def init(key):
        return net.init(key, jnp.zeros(shape), train=False)["params"]

    shapes = jax.eval_shape(init, jax.random.key(0))
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


@pytest.mark.parametrize(
    ("depth", "width", "millions"),
    [(28, 10, 36.5), (40, 4, 8.9), (16, 8, 11.0), (22, 8, 17.2), (40, 1, 0.6)],
)
def test_wide_resnets_are_as_large_as_published(depth, width, millions):
    """Zagoruyko and Komodakis 2016, tables 3 and 4."""
    net = models.WideResNet(10, depth=depth, width_factor=width)
    assert round(num_parameters(net) / 1e6, 1) == millions


def test_the_cnn_has_less_than_half_of_the_maxout_networks_parameters():
    """Ba et al. 2014, section 3.5."""
    cnn, maxout = (
        num_parameters(models.ConvNet(architecture, 10))
        for architecture in (models.BA_CNN, models.MAXOUT_CIFAR)
    )
    assert cnn == (
        (25 * 3 + 1) * 128
        + 2 * (25 * 128 + 1) * 128
        + (4 * 4 * 128 + 1) * 1000
        + (1000 + 1) * 10
    )
    assert cnn < maxout / 2


def test_vgg_is_vgg16_less_three_convolutions():
    """The convolutions of VGG16 up to conv4_3 hold 7,635,264 parameters."""
    features = [f for stage in models.VGG.stages for f in stage.features]
    assert len(features) == 13 - 3
    inputs = [3, *features[:-1]]
    convolutions = sum((9 * i + 1) * o for i, o in zip(inputs, features, strict=True))
    assert convolutions == 7_635_264
    dense = (2 * 2 * 512 + 1) * 512 + (512 + 1) * 512 + (512 + 1) * 100
    assert num_parameters(models.ConvNet(models.VGG, 100)) == convolutions + dense


def test_four_conv_pools_after_every_second_convolution():
    assert [len(stage.features) for stage in models.FOUR_CONV.stages] == [2, 2]
    assert len(models.FOUR_CONV.dense) + 1 == 3


@pytest.mark.parametrize(
    ("net", "shape", "expected"),
    [
        (models.MLP((512, 256, 256), 10), (1, 784), 785 * 512 + 513 * 256 + 257 * 266),
        (models.MLP((2000, 2000), 10), CIFAR, 3073 * 2000 + 2001 * 2010),
        (models.SoftTargetMLP(4, 3), (1, 1014), 1015 * 1000 + 1001 * 12),
    ],
    ids=["hahn_tanh", "ba_dnn", "splicing"],
)
def test_dense_networks(net, shape, expected):
    assert num_parameters(net, shape) == expected


def test_batch_normalisation_adds_scale_and_bias_per_map():
    plain = models.ConvNet(models.FOUR_CONV, 10)
    maps = 2 * 64 + 2 * 128 + 512 + 512
    added = num_parameters(plain.clone(batch_norm=True)) - num_parameters(plain)
    assert added == 2 * maps


def test_scaled_widths():
    small = models.BA_CNN.scaled(1 / 16)
    assert [stage.features for stage in small.stages] == [(8,)] * 3
    assert small.dense == (62,)
    assert models.BA_CNN.scaled(1e-6).dense == (1,)
    with pytest.raises(ValueError, match="factor above 0, got 0"):
        models.BA_CNN.scaled(0)

"""Small networks of every kind, for the tests that all must pass."""

import functools

import jax
import numpy as np
from jax import numpy as jnp

from noisejax import models

SMALL_IMAGE = (2, 8, 8, 3)
FLAT = (4, 12)

TINY = {
    "mlp": (models.MLP((6, 5), 3), FLAT),
    "mlp_bn": (models.MLP((6, 5), 3, batch_norm=True), FLAT),
    "maxout_mlp": (models.MLP((6, 5), 3, pieces=2), FLAT),
    "autoencoder": (models.Autoencoder((6, 5)), FLAT),
    "soft_targets": (models.SoftTargetMLP(4, 3, widths=(6,)), FLAT),
    "cnn": (models.ConvNet(models.BA_CNN.scaled(1 / 32), 3), SMALL_IMAGE),
    "maxout_cnn": (models.ConvNet(models.MAXOUT_CIFAR.scaled(1 / 32), 3), SMALL_IMAGE),
    "four_conv_bn": (
        models.ConvNet(models.FOUR_CONV.scaled(1 / 32), 3, batch_norm=True),
        SMALL_IMAGE,
    ),
    "fusion": (models.Fusion((6, 5), 3), (4, 2, 6)),
    "vit": (models.ViT(2, 8, 2, 3), SMALL_IMAGE),
    "wide_resnet": (models.WideResNet(3, depth=10, width_factor=0.25), SMALL_IMAGE),
}
"""Name -> (a network without noise, the shape of its input)."""


def make_variables(net, x, seed=0):
    """Variables as `net.init` makes them, without compiling its random draws."""
    rng = np.random.default_rng(seed)
    shapes = jax.eval_shape(
        functools.partial(net.init, train=False), jax.random.key(0), x
    )

    def fill(path, leaf):
        if path[-1].key == "kernel":
            stddev = np.sqrt(2 / np.prod(leaf.shape[:-1]))
            return jnp.asarray(stddev * rng.normal(size=leaf.shape), leaf.dtype)
        return jnp.full(leaf.shape, path[-1].key in ("scale", "var"), leaf.dtype)

    return jax.tree_util.tree_map_with_path(fill, shapes)

"""Small networks of every kind, for the tests that all must pass."""

from noisejax import models

IMAGE = (4, 32, 32, 3)
SMALL_IMAGE = (4, 16, 16, 3)
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
    "wide_resnet": (models.WideResNet(3, depth=10, width_factor=0.25), SMALL_IMAGE),
}
"""Name -> (a network without noise, the shape of its input)."""

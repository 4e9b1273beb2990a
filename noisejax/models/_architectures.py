"""The layers of the papers' convolutional networks, as data."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Stage:
    """Convolutions of stride 1 that keep the size of the image, then a max-pooling.

    Attributes:
      features: numbers of feature maps of the convolutions.
      kernel: width of the convolutions' windows, in pixels.
      pool: width of the pooling's window, in pixels.
      pool_stride: step of the pooling, in pixels.
    """

    features: tuple[int, ...]
    kernel: int
    pool: int
    pool_stride: int = 2


@dataclasses.dataclass(frozen=True)
class Architecture:
    """Layers of a `ConvNet`.

    Attributes:
      stages: stages of convolutions.
      dense: numbers of units of the hidden dense layers that follow.
      conv_pieces: number of linear pieces per feature map; more than 1: maxout.
      dense_pieces: number of linear pieces per dense unit; more than 1: maxout.

    Example:
      >>> from noisejax import models
      >>> models.BA_CNN.scaled(0.25).dense
      (250,)
    """

    stages: tuple[Stage, ...]
    dense: tuple[int, ...]
    conv_pieces: int = 1
    dense_pieces: int = 1

    def scaled(self, factor: float) -> "Architecture":
        """Return the same layers with `factor` times as many units, at least one.

        Raises:
          ValueError: the factor is not above 0.
        """
        if not factor > 0:
            raise ValueError(f"a network is scaled by a factor above 0, got {factor}")

        def scale(widths: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(max(1, round(factor * width)) for width in widths)

        stages = tuple(
            dataclasses.replace(stage, features=scale(stage.features))
            for stage in self.stages
        )
        return dataclasses.replace(self, stages=stages, dense=scale(self.dense))


BA_CNN = Architecture(tuple(Stage((128,), 5, 3) for _ in range(3)), (1000,))
"""128c-p-128c-p-128c-p-1000fc: 5x5 windows, pooling 3x3, stride 2 (Ba, sec. 3.2)."""

MAXOUT_CIFAR = Architecture(
    (Stage((96,), 8, 4), Stage((192,), 8, 4), Stage((192,), 5, 2)),
    (500,),
    conv_pieces=2,
    dense_pieces=5,
)
"""96c-p-192c-p-192c-p-500fc (Ba, table 6). The table does not print windows and pieces;
they are those of Goodfellow et al.'s published setting. Paddings are our choice."""

MAXOUT_SVHN = Architecture(
    (Stage((64,), 5, 3), Stage((128,), 5, 3), Stage((128,), 5, 3)),
    (400,),
    conv_pieces=2,
    dense_pieces=5,
)
"""64c-p-128c-p-128c-p-400fc (Ba, table 6); the rest as for `MAXOUT_CIFAR`."""

VGG = Architecture(
    (
        Stage((64, 64), 3, 2),
        Stage((128, 128), 3, 2),
        Stage((256, 256, 256), 3, 2),
        Stage((512, 512, 512), 3, 2),
    ),
    (512, 512),
)
"""VGG16 less its last three convolutions (Hahn, sec. 5.2). The dense widths, which the
paper only calls reduced, are our choice."""

FOUR_CONV = Architecture((Stage((64, 64), 3, 2), Stage((128, 128), 3, 2)), (512, 512))
"""Four convolutions, pooling after every second, three dense layers with the output
(Hahn, sec. 5.2). The paper prints no widths."""

ARCHITECTURES = {
    "cnn": BA_CNN,
    "maxout_cifar": MAXOUT_CIFAR,
    "maxout_svhn": MAXOUT_SVHN,
    "vgg": VGG,
    "four_conv": FOUR_CONV,
}
"""Name -> architecture."""

"""Convolutional networks with noise after each pooling and hidden dense layer."""

import dataclasses
from collections.abc import Callable

from flax import linen as nn
from jaxtyping import Array, Float

from noisejax.models._convolutions import convolutions
from noisejax.models._network import (
    Activations,
    Network,
    activate,
    batch_normalise,
    option,
)


@dataclasses.dataclass(frozen=True)
class Stage:
    """Convolutions of stride 1 that keep the image size, followed by max pooling.

    Attributes:
      features: number of feature maps of each convolution.
      kernel: side of the square convolution window, in pixels.
      pool: side of the square pooling window, in pixels.
      pool_stride: stride of the pooling, in pixels.
    """

    features: tuple[int, ...]
    kernel: int
    pool: int
    pool_stride: int = 2


@dataclasses.dataclass(frozen=True)
class Architecture:
    """Layers of a `ConvNet`.

    Attributes:
      stages: convolutional stages.
      dense: number of units of each hidden dense layer after the stages.
      conv_pieces: number of linear pieces per feature map. Above 1, maxout replaces the
        activation.
      dense_pieces: number of linear pieces per dense unit, used in the same way.

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
        """Multiply all widths by `factor`, rounded to integers of at least 1.

        Raises:
          ValueError: `factor` is not above 0.
        """
        if not factor > 0:
            raise ValueError(f"widths are scaled by a factor above 0, got {factor}")

        def scale(widths: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(max(1, round(factor * width)) for width in widths)

        stages = tuple(
            dataclasses.replace(stage, features=scale(stage.features))
            for stage in self.stages
        )
        return dataclasses.replace(self, stages=stages, dense=scale(self.dense))


BA_CNN = Architecture(tuple(Stage((128,), 5, 3) for _ in range(3)), (1000,))
"""128c-p-128c-p-128c-p-1000fc (Ba et al. 2014, section 3.2).

Convolutions are 5 x 5; pooling is 3 x 3 with stride 2.
"""

MAXOUT_CIFAR = Architecture(
    (Stage((96,), 8, 4), Stage((192,), 8, 4), Stage((192,), 5, 2)),
    (500,),
    conv_pieces=2,
    dense_pieces=5,
)
"""96c-p-192c-p-192c-p-500fc (Ba et al. 2014, table 6).

The paper does not print windows and pieces. We use those that Goodfellow et al. (2013)
published. The padding is our choice.
"""

MAXOUT_SVHN = Architecture(
    (Stage((64,), 5, 3), Stage((128,), 5, 3), Stage((128,), 5, 3)),
    (400,),
    conv_pieces=2,
    dense_pieces=5,
)
"""64c-p-128c-p-128c-p-400fc (Ba et al. 2014, table 6).

Windows, pieces and padding have the same sources as in `MAXOUT_CIFAR`.
"""

VGG = Architecture(
    (
        Stage((64, 64), 3, 2),
        Stage((128, 128), 3, 2),
        Stage((256, 256, 256), 3, 2),
        Stage((512, 512, 512), 3, 2),
    ),
    (512, 512),
)
"""VGG16 without its last three convolutions (Hahn and Choi 2018, section 5.2).

The paper says that the dense layers are smaller but prints no widths. The widths here
are our choice.
"""

FOUR_CONV = Architecture((Stage((64, 64), 3, 2), Stage((128, 128), 3, 2)), (512, 512))
"""Four convolutions and two hidden dense layers (Hahn and Choi 2018, section 5.2).

Pooling follows every second convolution. The paper prints no widths, so they are our
choice.
"""

ARCHITECTURES = {
    "cnn": BA_CNN,
    "maxout_cifar": MAXOUT_CIFAR,
    "maxout_svhn": MAXOUT_SVHN,
    "vgg": VGG,
    "four_conv": FOUR_CONV,
}
"""Architectures by name."""


class ConvNet(Network):
    """Convolutional stages, each with max pooling, followed by dense layers.

    In each stage the shift and the mask follow the pooling (Ba et al. 2014, eq. 8).
    Shifts are usually negative, so max pooling would otherwise prefer dropped units,
    which are 0, to other units. There is one shift per feature map (section 2.1).

    Attributes:
      architecture: layer sizes, such as `models.BA_CNN`.
      num_outputs: number of units of the linear output layer.
      activation: elementwise activation φ, ignored if there are several maxout pieces.
      hidden_noise: schemes of the noise, one per stage and then one per hidden dense
        layer, or () for no noise.
      batch_norm: True for batch normalisation of the hidden pre-activations.
      conv_general_dilated: convolution, such as `models.bfloat16_convolutions`.

    For the other attributes see `MLP`. There is one shift per input channel, feature
    map or dense unit.

    Raises:
      ValueError: the number of schemes is not the number of stages and hidden dense
        layers.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import models, noise
      >>> drop = noise.Dropout(0.5)
      >>> small = models.BA_CNN.scaled(1 / 32)
      >>> net = models.ConvNet(small, 10, hidden_noise=(drop,) * 4)
      >>> x, key = jnp.ones((2, 32, 32, 3)), jax.random.key(0)
      >>> variables = net.init(key, x, train=False)
      >>> logits, activations = net.apply(
      ...     variables, x, train=True, rngs={"dropout": key}
      ... )
      >>> logits.shape, activations["noisy_2"].shape
      ((2, 10), (2, 4, 4, 4))
    """

    architecture: Architecture
    num_outputs: int
    batch_norm: bool = option(default=False)
    conv_general_dilated: Callable[..., Array] = option(default=convolutions)

    @property
    def num_hidden_sites(self) -> int:
        """Number of schemes in `hidden_noise`: one per stage and hidden dense layer."""
        return len(self.architecture.stages) + len(self.architecture.dense)

    def _site(self) -> str:
        return "stage and hidden dense layer"

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width channels"], *, train: bool
    ) -> tuple[Float[Array, "batch outputs"], Activations]:
        """Run the network.

        Args:
          x: images, with channels last.
          train: True to apply noise and to use batch statistics.

        Returns:
          The output, [B, num_outputs], and a dictionary of activations: "input" and
          "noisy_input"; for convolution j of stage i the pre-activations "net_i_j" and
          the activations "conv_i_j"; for stage i the pooled activations "hidden_i" and
          the noisy activations "noisy_i"; for the hidden dense layers, whose numbers i
          continue those of the stages, "net_i", "hidden_i" and "noisy_i"; and "output".
        """
        x, activations = self._noisy_input(x, train)
        for i, stage in enumerate(self.architecture.stages):
            clean = self._stage(stage, x, i, activations, train)
            x = self._noisy(clean, i, train)
            activations |= {f"hidden_{i}": clean, f"noisy_{i}": x}
        x = x.reshape(x.shape[0], -1)
        pieces = self.architecture.dense_pieces
        first = len(self.architecture.stages)
        for i, width in enumerate(self.architecture.dense, first):
            net = self._dense(width * pieces, f"dense_{i}")(x)
            net = self._normalised(net, f"norm_{i}", train)
            clean = activate(net, self.activation, pieces)
            x = self._noisy(clean, i, train)
            activations |= {f"net_{i}": net, f"hidden_{i}": clean, f"noisy_{i}": x}
        output = self._dense(self.num_outputs, "dense_output")(x)
        return output, activations | {"output": output}

    def _stage(
        self, stage: Stage, x: Array, i: int, activations: Activations, train: bool
    ) -> Array:
        """Run the convolutions and the pooling of a stage."""
        pieces = self.architecture.conv_pieces
        for j, features in enumerate(stage.features):
            net = nn.Conv(
                features * pieces,
                (stage.kernel, stage.kernel),
                kernel_init=self.kernel_init,
                conv_general_dilated=self.conv_general_dilated,
                name=f"conv_{i}_{j}",
            )(x)
            net = self._normalised(net, f"norm_{i}_{j}", train)
            x = activate(net, self.activation, pieces)
            activations |= {f"net_{i}_{j}": net, f"conv_{i}_{j}": x}
        window, stride = (stage.pool,) * 2, (stage.pool_stride,) * 2
        return nn.max_pool(x, window, strides=stride, padding="SAME")

    def _normalised(self, net: Array, name: str, train: bool) -> Array:
        return batch_normalise(net, name=name, train=train) if self.batch_norm else net

"""Convolutional networks with noise after every pooling and every dense layer."""

from collections.abc import Callable

from flax import linen as nn
from jaxtyping import Array, Float

from noisejax.models._architectures import Architecture, Stage
from noisejax.models._convolutions import convolutions
from noisejax.models._network import (
    Activations,
    Network,
    activate,
    batch_normalise,
    option,
)


class ConvNet(Network):
    """Stages of convolutions with a max-pooling each, then dense layers.

    A stage's shift and mask come after its pooling: a shift is usually negative, and a
    dropped unit, 0, would otherwise win against live ones (Ba et al. 2014, eq. 8; one
    shift per feature map, section 2.1).

    Attributes:
      architecture: layers of the network, such as `models.BA_CNN`.
      num_outputs: number of units of the output, which is linear.
      activation: φ, elementwise; not used with maxout pieces.
      hidden_noise: schemes of the noise on each stage, then on each hidden dense layer.
      batch_norm: True to normalise pre-activations over the batch, except the output.
      conv_general_dilated: convolution, such as `bfloat16_convolutions`.

    Other attributes: see `MLP`; shifts are one per channel, feature map or dense unit.

    Raises:
      ValueError: the number of schemes is not that of stages and hidden dense layers.

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
    def num_hidden_places(self) -> int:
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
          x: images, channels last.
          train: True to apply noise and to use the batch's statistics.

        Returns:
          The output [B, num_outputs], and by name: "input", "noisy_input"; for stage i
          its pre-activations "net_i_j" and activations "conv_i_j" of convolution j, the
          pooled ones "hidden_i" and the noisy ones "noisy_i"; for the dense layers,
          counted on, "net_i", "hidden_i" and "noisy_i"; and "output".
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
        """Run the convolutions of a stage and its max-pooling."""
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

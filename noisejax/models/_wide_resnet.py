"""Wide residual networks with pre-activation and noise inside every block."""

from collections.abc import Callable

from flax import linen as nn
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax.models._convolutions import convolutions
from noisejax.models._network import Activations, Network, batch_normalise, option

GROUPS = 3
"""Groups of blocks; each but the first halves the image and doubles the maps."""

STEM = 16
"""Feature maps of the first convolution."""


class WideResNet(Network):
    """A wide residual network:  x ↦ x + W₂ ⋆ m φ(BN(W₁ ⋆ φ(BN(x)))),  blockwise.

    Noise acts between the two convolutions of each block, as in Noh et al. (2017,
    section 5.1) and in the work of the network's authors.

    Attributes:
      num_outputs: number of units of the output, which is linear.
      depth: number of layers, 6 n + 4 for n blocks in each of three groups.
      width_factor: k; the groups have 16 k, 32 k and 64 k feature maps.
      hidden_noise: schemes of the noise in each block, or ().
      kernel_init: initializer of the convolutions, that of the network's authors.
      output_init: initializer of the last weights: U(-1/√n, 1/√n) for n inputs.
      dot_general: last product; None: JAX's own.
      conv_general_dilated: convolution, such as `bfloat16_convolutions`.

    Other attributes: see `MLP`; shifts are one per channel or feature map.

    Raises:
      ValueError: a depth that is not 6 n + 4, a width that is not above 0, or a number
        of schemes that is not that of blocks.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import models, noise
      >>> net = models.WideResNet(10, depth=10, width_factor=1)
      >>> x = jnp.ones((2, 32, 32, 3))
      >>> shapes = jax.eval_shape(
      ...     lambda key: net.init(key, x, train=False), jax.random.key(0)
      ... )
      >>> sum(leaf.size for leaf in jax.tree.leaves(shapes["params"]))
      77850

    Reference:
      Zagoruyko and Komodakis, "Wide residual networks", BMVC 2016.
    """

    num_outputs: int
    depth: int = 28
    width_factor: float = 10
    kernel_init: nn.initializers.Initializer = option(
        default=nn.initializers.variance_scaling(2.0, "fan_out", "normal")
    )
    output_init: nn.initializers.Initializer = option(
        default=nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
    )
    conv_general_dilated: Callable[..., Array] = option(default=convolutions)

    def __post_init__(self) -> None:
        if self.depth < 10 or self.depth % 6 != 4:
            raise ValueError(
                "depth must be 6 n + 4 with n blocks in each group (10, 16, 22, 28, "
                f"...), got {self.depth}"
            )
        if not self.width_factor > 0:
            raise ValueError(f"width_factor must be above 0, got {self.width_factor}")
        super().__post_init__()

    @property
    def num_hidden_places(self) -> int:
        """Number of schemes in `hidden_noise`: one per block."""
        return GROUPS * (self.depth - 4) // 6

    def _site(self) -> str:
        return "block"

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width channels"], *, train: bool
    ) -> tuple[Float[Array, "batch outputs"], Activations]:
        """Run the network.

        Args:
          x: images, channels last.
          train: True to apply noise and to use the batch's statistics.

        Returns:
          The output [B, num_outputs], and by name: "input", "noisy_input", "stem"; for
          block i the pre-activations between its convolutions "net_i", the activations
          "hidden_i", the noisy ones "noisy_i", and the block's sum "block_i"; "pooled",
          the means over positions; and "output".
        """
        x, activations = self._noisy_input(x, train)
        x = self._conv(STEM, 3, 1, "stem")(x)
        activations["stem"] = x
        for i in range(self.num_hidden_places):
            group, place = divmod(i, self.num_hidden_places // GROUPS)
            features = max(1, round(STEM * self.width_factor)) * 2**group
            stride = 2 if group and not place else 1
            x = self._block(x, i, features, stride, activations, train)
        x = self.activation(batch_normalise(x, name="norm_output", train=train))
        x = jnp.mean(x, axis=(1, 2))
        activations["pooled"] = x
        output = self._dense(self.num_outputs, "dense_output", self.output_init)(x)
        return output, activations | {"output": output}

    def _block(
        self,
        x: Array,
        i: int,
        features: int,
        stride: int,
        activations: Activations,
        train: bool,
    ) -> Array:
        """Two convolutions and a shortcut, a convolution if the shape changes."""
        first = self.activation(batch_normalise(x, name=f"norm_{i}_0", train=train))
        if x.shape[-1] != features or stride != 1:
            x = self._conv(features, 1, stride, f"shortcut_{i}")(first)
        net = self._conv(features, 3, stride, f"conv_{i}_0")(first)
        net = batch_normalise(net, name=f"norm_{i}_1", train=train)
        clean = self.activation(net)
        noisy = self._noisy(clean, i, train)
        x = x + self._conv(features, 3, 1, f"conv_{i}_1")(noisy)
        activations |= {
            f"net_{i}": net,
            f"hidden_{i}": clean,
            f"noisy_{i}": noisy,
            f"block_{i}": x,
        }
        return x

    def _conv(self, features: int, side: int, stride: int, name: str) -> nn.Conv:
        return nn.Conv(
            features,
            (side, side),
            strides=stride,
            padding=side // 2,
            use_bias=False,
            kernel_init=self.kernel_init,
            conv_general_dilated=self.conv_general_dilated,
            name=name,
        )

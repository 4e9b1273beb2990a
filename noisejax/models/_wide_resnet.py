"""Wide residual networks with noise in each block."""

from collections.abc import Callable

from flax import linen as nn
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax.models._convolutions import convolutions
from noisejax.models._network import Activations, Network, batch_normalise, option

GROUPS = 3
"""Number of groups of blocks.

Each group after the first halves the image sides and doubles the feature maps.
"""

STEM = 16
"""Number of feature maps of the first convolution."""


class WideResNet(Network):
    """A wide residual network with the blocks  x ↦ x + W₂ ⋆ m φ(BN(W₁ ⋆ φ(BN(x)))).

    Noise acts between the two convolutions of each block, as in Zagoruyko and Komodakis
    (2016) and Noh et al. (2017, section 5.1).

    Attributes:
      num_outputs: number of units of the linear output layer.
      depth: number of layers, 6 n + 4 for n blocks in each of three groups.
      width_factor: factor k, which gives 16 k, 32 k and 64 k feature maps in the
        groups.
      hidden_noise: schemes of the noise, one per block, or () for no noise.
      kernel_init: initializer of the convolutions. The default is that of the authors.
      output_init: initializer of the output layer. The default is U(-1/√n, 1/√n) for n
        inputs.
      dot_general: product of the output layer, or None for `lax.dot_general`.
      conv_general_dilated: convolution, such as `models.bfloat16_convolutions`.

    For the other attributes see `MLP`. There is one shift per input channel or feature
    map.

    Raises:
      ValueError: `depth` is not 6 n + 4, `width_factor` is not above 0, or the number
        of schemes is not the number of blocks.

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
    def num_hidden_sites(self) -> int:
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
          x: images, with channels last.
          train: True to apply noise and to use batch statistics.

        Returns:
          The output, [B, num_outputs], and a dictionary of activations: "input",
          "noisy_input" and "stem"; for block i the pre-activations "net_i", activations
          "hidden_i" and noisy activations "noisy_i" between its convolutions, and the
          block output "block_i"; "pooled", the mean over positions; and "output".
        """
        x, activations = self._noisy_input(x, train)
        x = self._conv(STEM, 3, 1, "stem")(x)
        activations["stem"] = x
        for i in range(self.num_hidden_sites):
            group, place = divmod(i, self.num_hidden_sites // GROUPS)
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
        """Run a block; the shortcut is a 1 x 1 convolution if the shape changes."""
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

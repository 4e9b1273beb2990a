"""Wide residual networks, pre-activated, with noise inside every block."""

from collections.abc import Callable, Sequence

from flax import linen as nn
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax import noise
from noisejax.models._batch_norm import batch_normalise
from noisejax.models._convolutions import convolutions
from noisejax.models._mlp import Activations
from noisejax.models._noisy import check_places, make_noisy

GROUPS = 3
"""Groups of blocks; each but the first halves the image and doubles the maps."""

STEM = 16
"""Feature maps of the first convolution."""


class WideResNet(nn.Module):
    """A wide residual network:  x ↦ x + W₂ ⋆ m φ(BN(W₁ ⋆ φ(BN(x)))),  blockwise.

    Noise acts between the two convolutions of each block, where Noh et al. (2017,
    section 5.1) and the network's authors have it.

    Attributes:
      num_outputs: units of the output, which is linear.
      depth: of the network, 6 n + 4 for n blocks in each of three groups: 10, 16, 28...
      width_factor: k; the groups have 16 k, 32 k and 64 k feature maps.
      activation: φ, elementwise.
      input_noise: scheme on the input; None: none.
      hidden_noise: one scheme per block; (): none.
      input_shift: shift before the input's noise, one per channel (`layers.Noise`).
      hidden_shift: shift before each block's noise, one per feature map.
      kernel_init: of the convolutions: as the network's authors have it.
      output_init: of the last product's weights: theirs, U(-1/√n, 1/√n) of n inputs.
      dot_general: of the last product; None: JAX's own.
      conv_general_dilated: of the convolutions, such as `bfloat16_convolutions`.

    Raises:
      ValueError: a depth that is not 6 n + 4, a width that is not above 0, another
        number of schemes than of blocks.

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
    activation: Callable[[Array], Array] = nn.relu
    input_noise: noise.Scheme | None = None
    hidden_noise: Sequence[noise.Scheme | None] = ()
    input_shift: bool | str = False
    hidden_shift: bool | str = False
    kernel_init: nn.initializers.Initializer = nn.initializers.variance_scaling(
        2.0, "fan_out", "normal"
    )
    output_init: nn.initializers.Initializer = nn.initializers.variance_scaling(
        1 / 3, "fan_in", "uniform"
    )
    dot_general: Callable | None = None
    conv_general_dilated: Callable = convolutions

    def __post_init__(self):
        if self.depth < 10 or self.depth % 6 != 4:
            raise ValueError(
                "depth must be 6 n + 4 with n blocks in each group (10, 16, 22, 28, "
                f"...), got {self.depth}"
            )
        if not self.width_factor > 0:
            raise ValueError(f"width_factor must be above 0, got {self.width_factor}")
        check_places(self.hidden_noise, self.num_hidden_places, "block")
        super().__post_init__()

    @property
    def num_hidden_places(self) -> int:
        """How many schemes `hidden_noise` takes: one per block."""
        return GROUPS * (self.depth - 4) // 6

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width channels"], *, train: bool
    ) -> tuple[Float[Array, "batch outputs"], Activations]:
        """Runs the network.

        Args:
          x: images, channels last.
          train: whether noise is made, and the batch's own statistics are used.

        Returns:
          The output [B, num_outputs], and by name: "input", "noisy_input", "stem"; for
          block i the values before the activation between its convolutions "net_i",
          behind it "hidden_i", noisy "noisy_i", and the block's sum "block_i";
          "pooled", the means over positions; and "output".
        """
        schemes = check_places(self.hidden_noise, self.num_hidden_places, "block")
        activations: Activations = {"input": x}
        x = make_noisy(
            x, self.input_noise, self.input_shift, name="input_noise", train=train
        )
        activations["noisy_input"] = x
        x = self._conv(STEM, 3, 1, "stem")(x)
        activations["stem"] = x
        for i, scheme in enumerate(schemes):
            group, place = divmod(i, len(schemes) // GROUPS)
            features = max(1, round(STEM * self.width_factor)) * 2**group
            stride = 2 if group and not place else 1
            x = self._block(x, i, features, stride, scheme, activations, train)
        x = self.activation(batch_normalise(x, name="norm_output", train=train))
        x = jnp.mean(x, axis=(1, 2))
        activations["pooled"] = x
        output = nn.Dense(
            self.num_outputs,
            kernel_init=self.output_init,
            dot_general=self.dot_general,
            name="dense_output",
        )(x)
        activations["output"] = output
        return output, activations

    def _block(
        self,
        x: Array,
        i: int,
        features: int,
        stride: int,
        scheme: noise.Scheme | None,
        activations: Activations,
        train: bool,
    ) -> Array:
        """Two convolutions beside a shortcut, which is a convolution where it must."""
        first = self.activation(batch_normalise(x, name=f"norm_{i}_0", train=train))
        if x.shape[-1] != features or stride != 1:
            x = self._conv(features, 1, stride, f"shortcut_{i}")(first)
        net = self._conv(features, 3, stride, f"conv_{i}_0")(first)
        net = batch_normalise(net, name=f"norm_{i}_1", train=train)
        clean = self.activation(net)
        noisy = make_noisy(
            clean, scheme, self.hidden_shift, name=f"noise_{i}", train=train
        )
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

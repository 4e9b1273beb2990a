"""Convolutional networks with noise behind every pooling and every dense layer."""

from collections.abc import Callable, Sequence

from flax import linen as nn
from jaxtyping import Array, Float

from noisejax import noise
from noisejax.models._architectures import Architecture, Stage
from noisejax.models._batch_norm import batch_normalise
from noisejax.models._convolutions import convolutions
from noisejax.models._maxout import activate
from noisejax.models._mlp import Activations
from noisejax.models._noisy import check_places, make_noisy

PLACES = "stage and hidden dense layer"


class ConvNet(nn.Module):
    """Stages of convolutions and a max-pooling each, then dense layers.

    A stage's shift and mask come after its pooling: a shift is usually negative, and a
    dropped unit, 0, would otherwise win against live ones (Ba et al. 2014, eq. 8; one
    shift per feature map, section 2.1).

    Attributes:
      architecture: which layers, such as `models.BA_CNN`.
      num_outputs: units of the output, which is linear.
      activation: φ, elementwise; not used where there are maxout pieces.
      input_noise: scheme on the input; None: none.
      hidden_noise: one scheme per stage, then one per hidden dense layer; (): none.
      input_shift: shift before the input's noise, one per channel (`layers.Noise`).
      hidden_shift: shift before each hidden noise, per feature map or dense unit.
      batch_norm: normalise net values over the batch, in all but the output.
      kernel_init: of the weights.
      dot_general: of the dense products; None: JAX's own.
      conv_general_dilated: of the convolutions, such as `bfloat16_convolutions`.

    Raises:
      ValueError: another number of schemes than of hidden places.

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
    activation: Callable[[Array], Array] = nn.relu
    input_noise: noise.Scheme | None = None
    hidden_noise: Sequence[noise.Scheme | None] = ()
    input_shift: bool | str = False
    hidden_shift: bool | str = False
    batch_norm: bool = False
    kernel_init: nn.initializers.Initializer = nn.initializers.he_normal()
    dot_general: Callable | None = None
    conv_general_dilated: Callable = convolutions

    def __post_init__(self):
        check_places(self.hidden_noise, self.num_hidden_places, PLACES)
        super().__post_init__()

    @property
    def num_hidden_places(self) -> int:
        """How many schemes `hidden_noise` takes: one per stage and dense layer."""
        return len(self.architecture.stages) + len(self.architecture.dense)

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width channels"], *, train: bool
    ) -> tuple[Float[Array, "batch outputs"], Activations]:
        """Runs the network.

        Args:
          x: images, channels last.
          train: whether noise is made, and the batch's own statistics are used.

        Returns:
          The output [B, num_outputs], and by name: "input", "noisy_input"; for stage i
          its net values "net_i_j" and activations "conv_i_j" of convolution j, the
          pooled ones "hidden_i" and the noisy ones "noisy_i"; for the dense layers,
          counted on, "net_i", "hidden_i" and "noisy_i"; and "output".
        """
        schemes = check_places(self.hidden_noise, self.num_hidden_places, PLACES)
        activations: Activations = {"input": x}
        x = make_noisy(
            x, self.input_noise, self.input_shift, name="input_noise", train=train
        )
        activations["noisy_input"] = x
        for i, stage in enumerate(self.architecture.stages):
            clean = self._stage(stage, x, i, activations, train)
            x = self._noisy(clean, schemes[i], i, train)
            activations |= {f"hidden_{i}": clean, f"noisy_{i}": x}
        x = x.reshape(x.shape[0], -1)
        pieces = self.architecture.dense_pieces
        first = len(self.architecture.stages)
        for i, width in enumerate(self.architecture.dense, first):
            net = self._dense(width * pieces, f"dense_{i}")(x)
            net = self._normalised(net, f"norm_{i}", train)
            clean = activate(net, self.activation, pieces)
            x = self._noisy(clean, schemes[i], i, train)
            activations |= {f"net_{i}": net, f"hidden_{i}": clean, f"noisy_{i}": x}
        output = self._dense(self.num_outputs, "dense_output")(x)
        activations["output"] = output
        return output, activations

    def _stage(
        self, stage: Stage, x: Array, i: int, activations: Activations, train: bool
    ) -> Array:
        """Convolutions, and a max-pooling that shrinks the image."""
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

    def _noisy(
        self, x: Array, scheme: noise.Scheme | None, i: int, train: bool
    ) -> Array:
        return make_noisy(x, scheme, self.hidden_shift, name=f"noise_{i}", train=train)

    def _dense(self, width: int, name: str) -> nn.Dense:
        return nn.Dense(
            width,
            kernel_init=self.kernel_init,
            dot_general=self.dot_general,
            name=name,
        )

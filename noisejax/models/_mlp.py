"""Dense networks: multilayer perceptron, autoencoder, soft targets, two streams."""

from collections.abc import Sequence
from typing import Any

from flax import linen as nn
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax.models._network import (
    Activations,
    Network,
    activate,
    batch_normalise,
    option,
)


class MLP(Network):
    """A multilayer perceptron:  a⁽ⁱ⁾ = φ(W⁽ⁱ⁾ ã⁽ⁱ⁻¹⁾ + b⁽ⁱ⁾).

    ã is a after the noise.

    Attributes:
      widths: number of units of each hidden layer.
      num_outputs: number of units of the linear output layer.
      activation: elementwise activation φ.
      input_noise: scheme of the noise on the input, or None.
      hidden_noise: schemes of the noise on the hidden layers, or () for no noise.
      input_shift: `shift` of the `layers.Noise` on the input.
      hidden_shift: `shift` of the `layers.Noise` on the hidden layers, as one value for
        all of them or one per layer.
      noise_factor: schedule of a factor that multiplies all rates and standard
        deviations, or None. `layers.control_noise` sets the step of the schedule.
      kernel_init: initializer of the weights.
      dot_general: product of the dense layers, such as `models.bfloat16_products`, or
        None for `lax.dot_general`.
      batch_norm: True for batch normalisation of the hidden pre-activations.
      pieces: number of linear pieces per unit. Above 1, maxout replaces `activation`.

    Raises:
      ValueError: the number of schemes is not the number of hidden layers.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import models, noise
      >>> drop = noise.Dropout(0.5)
      >>> net = models.MLP((20, 20), 10, hidden_noise=(drop, drop))
      >>> x, key = jnp.ones((4, 8, 8, 1)), jax.random.key(0)
      >>> variables = net.init(key, x, train=False)
      >>> logits, activations = net.apply(
      ...     variables, x, train=True, rngs={"dropout": key}
      ... )
      >>> logits.shape, sorted(activations)[:3]
      ((4, 10), ['hidden_0', 'hidden_1', 'input'])
    """

    widths: Sequence[int]
    num_outputs: int
    batch_norm: bool = option(default=False)
    pieces: int = option(default=1)

    @property
    def num_hidden_sites(self) -> int:
        """Number of schemes in `hidden_noise`: one per hidden layer."""
        return len(self.widths)

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch ..."], *, train: bool
    ) -> tuple[Float[Array, "batch outputs"], Activations]:
        """Run the network.

        Args:
          x: examples, [B, ...], which are flattened.
          train: True to apply noise and to use batch statistics.

        Returns:
          The output, [B, num_outputs], and a dictionary of activations: "input" and
          "noisy_input"; for hidden layer i the pre-activations "net_i", the activations
          "hidden_i" and the noisy activations "noisy_i"; and "output".
        """
        x, activations = self._noisy_input(x.reshape(x.shape[0], -1), train)
        for i, width in enumerate(self.widths):
            net = self._dense(width * self.pieces, f"dense_{i}")(x)
            if self.batch_norm:
                net = batch_normalise(net, name=f"norm_{i}", train=train)
            clean = activate(net, self.activation, self.pieces)
            x = self._noisy(clean, i, train)
            activations |= {f"net_{i}": net, f"hidden_{i}": clean, f"noisy_{i}": x}
        output = self._dense(self.num_outputs, "dense_output")(x)
        return output, activations | {"output": output}


class Autoencoder(Network):
    """An MLP that reconstructs its input (Bouthillier et al. 2015, section 5.1).

    The decoder mirrors the encoder and has no noise. In the paper the encoder has one
    layer, with noise on the hidden layer only.

    Attributes:
      widths: number of units of each layer of the encoder.
      hidden_noise: schemes of the noise on the layers of the encoder, or () for no
        noise.

    For the other attributes see `MLP`.

    Raises:
      ValueError: the number of schemes is not the number of layers of the encoder.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import models, noise
      >>> net = models.Autoencoder((20,), hidden_noise=(noise.Dropout(0.4),))
      >>> variables = net.init(jax.random.key(0), jnp.ones((4, 8, 8, 1)), train=False)
      >>> net.apply(variables, jnp.ones((4, 8, 8, 1)), train=False)[0].shape
      (4, 64)
    """

    widths: Sequence[int]

    @property
    def num_hidden_sites(self) -> int:
        """Number of schemes in `hidden_noise`: one per layer of the encoder."""
        return len(self.widths)

    def _site(self) -> str:
        return "layer of the encoder"

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch ..."], *, train: bool
    ) -> tuple[Float[Array, "batch inputs"], Activations]:
        """Run the network as in `MLP`. The output is [B, number of inputs]."""
        x = x.reshape(x.shape[0], -1)
        decoder = tuple(reversed(self.widths))[1:]
        noiseless = (None,) * len(decoder)
        shifts = (self.hidden_shift,) * len(self.widths)
        mlp = MLP(
            (*self.widths, *decoder),
            x.shape[-1],
            hidden_noise=self.hidden_noise and (*self.hidden_noise, *noiseless),
            hidden_shift=(*shifts, *(False for _ in decoder)),
            **_shared(self),
        )
        return mlp(x, train=train)


class SoftTargetMLP(Network):
    """An MLP with one vector of logits per tissue (Ba et al. 2014, section 3.4).

    Attributes:
      num_tissues: number T of tissues, with one predicted distribution each.
      num_outcomes: number K of outcomes of each distribution.
      widths: number of units of each hidden layer. The default is that of the paper.

    For the other attributes see `MLP`.

    Raises:
      ValueError: the number of schemes is not the number of hidden layers.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import models
      >>> net = models.SoftTargetMLP(4, 3, widths=(8,))
      >>> variables = net.init(jax.random.key(0), jnp.ones((5, 1014)), train=False)
      >>> net.apply(variables, jnp.ones((5, 1014)), train=False)[0].shape
      (5, 4, 3)
    """

    num_tissues: int
    num_outcomes: int
    widths: Sequence[int] = (1000,)
    batch_norm: bool = option(default=False)
    pieces: int = option(default=1)

    @property
    def num_hidden_sites(self) -> int:
        """Number of schemes in `hidden_noise`: one per hidden layer."""
        return len(self.widths)

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch ..."], *, train: bool
    ) -> tuple[Float[Array, "batch tissues outcomes"], Activations]:
        """Run the network as in `MLP`. The output is [B, T, K]."""
        mlp = MLP(
            self.widths,
            self.num_tissues * self.num_outcomes,
            hidden_noise=self.hidden_noise,
            hidden_shift=self.hidden_shift,
            batch_norm=self.batch_norm,
            pieces=self.pieces,
            **_shared(self),
        )
        output, activations = mlp(x, train=train)
        logits = output.reshape(x.shape[0], self.num_tissues, self.num_outcomes)
        return logits, activations | {"output": logits}


class Fusion(MLP):
    """Dense layers over the outputs of two frozen networks, the streams.

      z = φ(K * [u; v]),   x = max_t,h,w z      for maps u, v [T, H, W, C]
      x = [u; v]                                for vectors u, v [D]

    Feature maps are concatenated along the channels, and a 3 x 3 x 3 convolution fuses
    them, as in Feichtenhofer et al. 2016 (section 3.2). Vectors are only concatenated.

    Attributes:
      widths: number of units of each hidden layer.
      num_outputs: number of classes.
      conv_features: number of feature maps of the convolution, or 0 for the number of
        channels of one stream.

    For the other attributes see `MLP`. The input noise acts on the vectors, or on the
    feature maps after pooling.

    Raises:
      ValueError: the input is not [B, 2, D] or [B, 2, T, H, W, C].

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import models, noise
      >>> net = models.Fusion((8,), 3, hidden_noise=(noise.Dropout(0.5),))
      >>> scores, key = jnp.ones((4, 2, 5)), jax.random.key(0)
      >>> variables = net.init(key, scores, train=False)
      >>> net.apply(variables, scores, train=True, rngs={"dropout": key})[0].shape
      (4, 3)
    """

    conv_features: int = option(default=0)

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch 2 ..."], *, train: bool
    ) -> tuple[Float[Array, "batch outputs"], Activations]:
        """Run the network. For the results see `MLP`."""
        if x.ndim not in (3, 6) or x.shape[1] != 2:
            raise ValueError(
                "the input must hold two streams, [B, 2, D] or [B, 2, T, H, W, C]; got "
                f"shape {x.shape}"
            )
        if x.ndim == 6:
            maps = jnp.concatenate([x[:, 0], x[:, 1]], axis=-1)
            features = self.conv_features or x.shape[-1]
            conv = nn.Conv(
                features, (3, 3, 3), kernel_init=self.kernel_init, name="fusion"
            )
            x = jnp.max(self.activation(conv(maps)), axis=(1, 2, 3))
        return super().__call__(x, train=train)


def _shared(network: Network) -> dict[str, Any]:
    """Return arguments of the inner MLP that are attributes of the network."""
    names = ("activation", "input_noise", "input_shift", "noise_factor")
    names += ("kernel_init", "dot_general")
    return {name: getattr(network, name) for name in names} | {"name": "mlp"}

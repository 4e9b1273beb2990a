"""Dense networks: multilayer perceptrons, autoencoders, distributions per tissue."""

from collections.abc import Sequence
from typing import Any

from flax import linen as nn
from jaxtyping import Array, Float

from noisejax.models._network import (
    Activations,
    Network,
    activate,
    batch_normalise,
    option,
)


class MLP(Network):
    """A multilayer perceptron:  a⁽ⁱ⁾ = φ(W⁽ⁱ⁾ ã⁽ⁱ⁻¹⁾ + b⁽ⁱ⁾),  ã noisy.

    Attributes:
      widths: numbers of units of the hidden layers.
      num_outputs: number of units of the output, which is linear.
      activation: φ, elementwise.
      input_noise: scheme of the noise on the input, or None.
      hidden_noise: schemes of the noise on each hidden layer, or () for no noise.
      input_shift: shift before the input's noise, as in `layers.Noise`.
      hidden_shift: shift before each hidden layer's noise; one for all, or one each.
      noise_factor: schedule of the step that multiplies all rates and standard
        deviations, or None; see `layers.control_noise` for the step.
      kernel_init: initializer of the weights.
      dot_general: product of dense layers, such as `bfloat16_products`; None: JAX's.
      batch_norm: True to normalise hidden pre-activations over the batch.
      pieces: number of linear pieces of a maxout unit; 1: `activation` instead.

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
    def num_hidden_places(self) -> int:
        """Number of schemes in `hidden_noise`: one per hidden layer."""
        return len(self.widths)

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch ..."], *, train: bool
    ) -> tuple[Float[Array, "batch outputs"], Activations]:
        """Run the network.

        Args:
          x: examples, [B, ...]; flattened.
          train: True to apply noise.

        Returns:
          The output [B, num_outputs], and by name: "input", the pre-activations
          "net_i", the clean activations "hidden_i", the noisy ones "noisy_input" and
          "noisy_i", and "output".
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
    """An MLP from the input to the input (Bouthillier et al. 2015, section 5.1).

    The paper's has one hidden layer, and noise on it alone. With several, `widths` are
    those of the encoder. The decoder mirrors them, without noise.

    Attributes:
      widths: numbers of units of the encoder's layers.
      hidden_noise: schemes of the noise on each of the encoder's layers, or ().

    Other attributes: see `MLP`.

    Raises:
      ValueError: the number of schemes is not the number of the encoder's layers.

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
    def num_hidden_places(self) -> int:
        """Number of schemes in `hidden_noise`: one per layer of the encoder."""
        return len(self.widths)

    def _site(self) -> str:
        return "layer of the encoder"

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch ..."], *, train: bool
    ) -> tuple[Float[Array, "batch inputs"], Activations]:
        """Run the network; arguments and results as in `MLP`, flattened."""
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
    """An MLP whose output is one vector of logits per tissue (Ba et al., section 3.4).

    Attributes:
      num_tissues: T, number of distributions.
      num_outcomes: K, number of outcomes of each.
      widths: numbers of units of the hidden layers; the paper's has one of 1000.

    Other attributes: see `MLP`.

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
    def num_hidden_places(self) -> int:
        """Number of schemes in `hidden_noise`: one per hidden layer."""
        return len(self.widths)

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch ..."], *, train: bool
    ) -> tuple[Float[Array, "batch tissues outcomes"], Activations]:
        """Run the network; arguments and results as in `MLP`, logits per tissue."""
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


def _shared(network: Network) -> dict[str, Any]:
    """Attributes that a network hands to the MLP inside it."""
    names = ("activation", "input_noise", "input_shift", "noise_factor")
    names += ("kernel_init", "dot_general")
    return {name: getattr(network, name) for name in names} | {"name": "mlp"}

"""Multilayer perceptrons with noise on the input and on every hidden layer."""

from collections.abc import Callable, Sequence

from flax import linen as nn
from jaxtyping import Array, Float

from noisejax import noise
from noisejax.models._batch_norm import batch_normalise
from noisejax.models._maxout import activate
from noisejax.models._noisy import check_places, make_noisy

Activations = dict[str, Float[Array, "..."]]
"""Every intermediate of a forward pass, by name; jit drops those that are not used."""


class MLP(nn.Module):
    """A multilayer perceptron:  a⁽ⁱ⁾ = φ(W⁽ⁱ⁾ ã⁽ⁱ⁻¹⁾ + b⁽ⁱ⁾),  ã noisy.

    Attributes:
      widths: units of the hidden layers.
      num_outputs: units of the output, which is linear.
      activation: φ, elementwise.
      input_noise: scheme on the input; None: none.
      hidden_noise: scheme on each hidden layer, one per layer; (): none.
      input_shift: shift before the input's noise, as in `layers.Noise`.
      hidden_shift: shift before each hidden layer's noise; one for all, or one each.
      kernel_init: of the weights.
      dot_general: of the products, such as `bfloat16_products`; None: JAX's own.
      batch_norm: normalise the net values of the hidden layers over the batch.
      pieces: more than 1: maxout of so many linear pieces per hidden unit, in place of
        `activation` (Goodfellow et al. 2013).

    Raises:
      ValueError: another number of schemes than of hidden layers.

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
    activation: Callable[[Array], Array] = nn.relu
    input_noise: noise.Scheme | None = None
    hidden_noise: Sequence[noise.Scheme | None] = ()
    input_shift: bool | str = False
    hidden_shift: bool | str | Sequence[bool | str] = False
    kernel_init: nn.initializers.Initializer = nn.initializers.he_normal()
    dot_general: Callable | None = None
    batch_norm: bool = False
    pieces: int = 1

    def __post_init__(self):
        check_places(self.hidden_noise, self.num_hidden_places, "hidden layer")
        super().__post_init__()

    @property
    def num_hidden_places(self) -> int:
        """How many schemes `hidden_noise` takes: one per hidden layer."""
        return len(self.widths)

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch ..."], *, train: bool
    ) -> tuple[Float[Array, "batch outputs"], Activations]:
        """Runs the network.

        Args:
          x: examples, [B, ...]; flattened.
          train: whether noise is made.

        Returns:
          The output [B, num_outputs], and by name: "input", the net values "net_i", the
          clean activations "hidden_i", the noisy ones "noisy_input" and "noisy_i", and
          "output".
        """
        x = x.reshape(x.shape[0], -1)
        activations: Activations = {"input": x}
        x = make_noisy(
            x, self.input_noise, self.input_shift, name="input_noise", train=train
        )
        activations["noisy_input"] = x
        schemes = check_places(
            self.hidden_noise, self.num_hidden_places, "hidden layer"
        )
        shifts = self.hidden_shift
        if isinstance(shifts, bool | str):
            shifts = (shifts,) * len(self.widths)
        places = zip(self.widths, schemes, shifts, strict=True)
        for i, (width, scheme, shift) in enumerate(places):
            net = self._dense(width * self.pieces, f"dense_{i}")(x)
            if self.batch_norm:
                net = batch_normalise(net, name=f"norm_{i}", train=train)
            clean = activate(net, self.activation, self.pieces)
            x = make_noisy(clean, scheme, shift, name=f"noise_{i}", train=train)
            activations |= {f"net_{i}": net, f"hidden_{i}": clean, f"noisy_{i}": x}
        output = self._dense(self.num_outputs, "dense_output")(x)
        activations["output"] = output
        return output, activations

    def _dense(self, width: int, name: str) -> nn.Dense:
        return nn.Dense(
            width,
            kernel_init=self.kernel_init,
            dot_general=self.dot_general,
            name=name,
        )

"""Multilayer perceptrons with noise on the input and on every hidden layer."""

from collections.abc import Callable, Sequence

from flax import linen as nn
from jaxtyping import Array, Float

from noisejax import layers, noise

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
      hidden_shift: shift before each hidden layer's noise.
      kernel_init: of the weights.
      dot_general: of the products, such as `bfloat16_products`; None: JAX's own.

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
    hidden_shift: bool | str = False
    kernel_init: nn.initializers.Initializer = nn.initializers.he_normal()
    dot_general: Callable | None = None

    def __post_init__(self):
        if self.hidden_noise and len(self.hidden_noise) != len(self.widths):
            raise ValueError(
                "hidden_noise must be one scheme per hidden layer, got "
                f"{len(self.hidden_noise)} for widths {tuple(self.widths)}"
            )
        super().__post_init__()

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
        x = self._noisy(x, self.input_noise, self.input_shift, "input_noise", train)
        activations["noisy_input"] = x
        schemes = self.hidden_noise or (None,) * len(self.widths)
        for i, (width, scheme) in enumerate(zip(self.widths, schemes, strict=True)):
            net = self._dense(width, f"dense_{i}")(x)
            clean = self.activation(net)
            x = self._noisy(clean, scheme, self.hidden_shift, f"noise_{i}", train)
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

    def _noisy(
        self,
        x: Array,
        scheme: noise.Scheme | None,
        shift: bool | str,
        name: str,
        train: bool,
    ) -> Array:
        if scheme is None and not shift:
            return x
        scheme = noise.Dropout(0.0) if scheme is None else scheme
        return layers.Noise(scheme, shift, name=name)(x, deterministic=not train)

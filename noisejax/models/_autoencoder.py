"""Autoencoders with noise on the hidden layers (Bouthillier et al. 2015, sec. 5.1)."""

from collections.abc import Callable, Sequence

from flax import linen as nn
from jaxtyping import Array, Float

from noisejax import noise
from noisejax.models._mlp import MLP, Activations
from noisejax.models._noisy import check_places


class Autoencoder(nn.Module):
    """An autoencoder: an MLP from the input to the input, by noisy hidden layers.

    The paper's has one hidden layer and noise on it alone. With several, the widths are
    the encoder's and the decoder mirrors them; its layers make no noise.

    Attributes:
      widths: units of the encoder's layers.
      activation: elementwise, of the hidden layers. The output is linear.
      input_noise: scheme on the input; None: none.
      hidden_noise: scheme on each of the encoder's layers; (): none.
      input_shift: shift before the input's noise, as in `layers.Noise`.
      hidden_shift: shift before each hidden layer's noise.
      kernel_init: of the weights.
      dot_general: of the products; None: JAX's own.

    Raises:
      ValueError: another number of schemes than of the encoder's layers.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import models, noise
      >>> net = models.Autoencoder((20,), hidden_noise=(noise.Dropout(0.4),))
      >>> variables = net.init(jax.random.key(0), jnp.ones((4, 8, 8, 1)), train=False)
      >>> net.apply(variables, jnp.ones((4, 8, 8, 1)), train=False)[0].shape
      (4, 64)
    """

    widths: Sequence[int]
    activation: Callable[[Array], Array] = nn.relu
    input_noise: noise.Scheme | None = None
    hidden_noise: Sequence[noise.Scheme | None] = ()
    input_shift: bool | str = False
    hidden_shift: bool | str = False
    kernel_init: nn.initializers.Initializer = nn.initializers.he_normal()
    dot_general: Callable | None = None

    def __post_init__(self):
        check_places(self.hidden_noise, self.num_hidden_places, "layer of the encoder")
        super().__post_init__()

    @property
    def num_hidden_places(self) -> int:
        """How many schemes `hidden_noise` takes: one per layer of the encoder."""
        return len(self.widths)

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch ..."], *, train: bool
    ) -> tuple[Float[Array, "batch inputs"], Activations]:
        """Runs the network; arguments and results as in `MLP`, flattened."""
        x = x.reshape(x.shape[0], -1)
        decoder = tuple(reversed(self.widths))[1:]
        schemes = tuple(self.hidden_noise) or (None,) * len(self.widths)
        shifts = (self.hidden_shift,) * len(self.widths)
        return MLP(
            (*self.widths, *decoder),
            x.shape[-1],
            activation=self.activation,
            input_noise=self.input_noise,
            hidden_noise=(*schemes, *(None for _ in decoder)),
            input_shift=self.input_shift,
            hidden_shift=(*shifts, *(False for _ in decoder)),
            kernel_init=self.kernel_init,
            dot_general=self.dot_general,
            name="mlp",
        )(x, train=train)

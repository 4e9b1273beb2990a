"""One hidden layer and a distribution over outcomes per tissue (Ba et al. 2014)."""

from collections.abc import Callable, Sequence

from flax import linen as nn
from jaxtyping import Array, Float

from noisejax import noise
from noisejax.models._mlp import MLP, Activations
from noisejax.models._noisy import check_places


class SoftTargetMLP(nn.Module):
    """An MLP whose output is one vector of logits per tissue (Ba et al., sec. 3.4).

    Attributes:
      num_tissues: T, how many distributions are predicted.
      num_outcomes: K, outcomes of each.
      widths: units of the hidden layers; the paper's has one of 1000.
      activation: elementwise, of the hidden layers.
      input_noise: scheme on the input; None: none.
      hidden_noise: scheme on each hidden layer; (): none.
      input_shift: shift before the input's noise, as in `layers.Noise`.
      hidden_shift: shift before each hidden layer's noise.
      kernel_init: of the weights.
      dot_general: of the products; None: JAX's own.
      batch_norm: as in `MLP`.
      pieces: as in `MLP`.

    Raises:
      ValueError: another number of schemes than of hidden layers.

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
    activation: Callable[[Array], Array] = nn.relu
    input_noise: noise.Scheme | None = None
    hidden_noise: Sequence[noise.Scheme | None] = ()
    input_shift: bool | str = False
    hidden_shift: bool | str = False
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
    ) -> tuple[Float[Array, "batch tissues outcomes"], Activations]:
        """Runs the network; arguments and results as in `MLP`, logits per tissue."""
        output, activations = MLP(
            self.widths,
            self.num_tissues * self.num_outcomes,
            activation=self.activation,
            input_noise=self.input_noise,
            hidden_noise=self.hidden_noise,
            input_shift=self.input_shift,
            hidden_shift=self.hidden_shift,
            kernel_init=self.kernel_init,
            dot_general=self.dot_general,
            batch_norm=self.batch_norm,
            pieces=self.pieces,
            name="mlp",
        )(x, train=train)
        logits = output.reshape(x.shape[0], self.num_tissues, self.num_outcomes)
        return logits, activations | {"output": logits}

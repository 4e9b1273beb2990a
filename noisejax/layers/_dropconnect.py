"""A dense layer whose weights are dropped."""

from flax import linen as nn
from jax import numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from noisejax import noise
from noisejax.layers._dropout import Dropout
from noisejax.layers._levels import Schedule


class DropConnect(nn.Module):
    """A dense layer with dropconnect:  y = x (M ⊙ W) / (1 - rate) + b.

    (Wan et al., "Regularization of neural networks using DropConnect", ICML 2013.) Its
    parameters are those of `flax.linen.Dense`. One mask serves the batch; for a mask
    per example lift it with `nn.vmap` over the batch, splitting the keys.

    Attributes:
      features: units of the output.
      rate: probability of a weight's being dropped, as in `Dropout`.
      deterministic: True: no noise. Given here or in the call.
      rng_collection: the key collection to draw from.
      bits: random bits per weight, 32 or 8.
      use_bias: whether b is added.
      dtype: of the computation; None: that of the input and the parameters.
      kernel_init: of W.
      bias_init: of b.

    Raises:
      TypeError: a rate that is no number.
      ValueError: a rate outside [0, 1], or one that rounds away at 8 bits.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import layers
      >>> layer, key = layers.DropConnect(4, rate=0.5), jax.random.key(0)
      >>> variables = layer.init(key, jnp.ones((2, 3)), deterministic=True)
      >>> jax.tree.map(jnp.shape, variables["params"])
      {'bias': (4,), 'kernel': (3, 4)}
    """

    features: int
    rate: float | Schedule
    deterministic: bool | None = None
    rng_collection: str = "dropout"
    bits: int = 32
    use_bias: bool = True
    dtype: DTypeLike | None = None
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    bias_init: nn.initializers.Initializer = nn.initializers.zeros

    @nn.compact
    def __call__(
        self,
        inputs: Float[Array, "*batch inputs"],
        deterministic: bool | None = None,
        rng: noise.Key | None = None,
        *,
        sample: noise.Sample | None = None,
        step: float | None = None,
    ) -> Float[Array, "*batch features"]:
        """The dense layer under noisy weights; arguments as in `Dropout`."""
        shape = (inputs.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape, jnp.float32)
        layer = Dropout(
            self.rate,
            deterministic=self.deterministic,
            rng_collection=self.rng_collection,
            bits=self.bits,
        )
        kernel = layer(kernel, deterministic, rng, sample=sample, step=step)
        bias = None
        if self.use_bias:
            bias = self.param("bias", self.bias_init, (self.features,), jnp.float32)
        inputs, kernel, bias = nn.dtypes.promote_dtype(
            inputs, kernel, bias, dtype=self.dtype
        )
        y = jnp.matmul(inputs, kernel)
        return y if bias is None else y + bias.reshape((1,) * (y.ndim - 1) + (-1,))

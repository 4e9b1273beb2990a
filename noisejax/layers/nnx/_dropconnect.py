"""An NNX dense layer whose weights are dropped."""

from flax import nnx
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from noisejax import noise
from noisejax.layers._levels import Schedule
from noisejax.layers.nnx._base import Rngs
from noisejax.layers.nnx._dropout import Dropout


class DropConnect(nnx.Module):
    """A dense layer with dropconnect:  y = x (M ⊙ W) / (1 - rate) + b.

    (Wan et al., "Regularization of neural networks using DropConnect", ICML 2013.) One
    mask serves the batch.

    Args:
      in_features: units of the input.
      out_features: units of the output.
      rate: probability of a weight's being dropped, as in `Dropout`.
      use_bias: whether b is added.
      deterministic: True: no noise.
      rng_collection: the stream of keys to draw masks from.
      bits: random bits per weight, 32 or 8.
      rngs: the streams, for parameters and masks.

    Raises:
      TypeError: a rate that is no number; `rngs` of another type.
      ValueError: a rate outside [0, 1], or one that rounds away at 8 bits.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from noisejax.layers import nnx as layers
      >>> layer = layers.DropConnect(3, 4, rate=0.5, rngs=nnx.Rngs(0))
      >>> layer(jnp.ones((2, 3))).shape
      (2, 4)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        rate: float | Schedule,
        *,
        use_bias: bool = True,
        deterministic: bool | None = False,
        rng_collection: str = "dropout",
        bits: int = 32,
        rngs: nnx.Rngs,
    ):
        self.linear = nnx.Linear(
            in_features, out_features, use_bias=use_bias, rngs=rngs
        )
        self.dropout = Dropout(
            rate,
            deterministic=deterministic,
            rng_collection=rng_collection,
            bits=bits,
            rngs=rngs,
        )

    def __call__(
        self,
        inputs: Float[Array, "*batch inputs"],
        *,
        deterministic: bool | None = None,
        rngs: Rngs | noise.Key | None = None,
        sample: noise.Sample | None = None,
        step: ArrayLike | None = None,
    ) -> Float[Array, "*batch outputs"]:
        """The dense layer under noisy weights; arguments as in `Dropout`."""
        kernel = self.dropout(
            self.linear.kernel[...],
            deterministic=deterministic,
            rngs=rngs,
            sample=sample,
            step=step,
        )
        y = inputs @ kernel.astype(inputs.dtype)
        if self.linear.bias is None:
            return y
        bias = self.linear.bias[...].astype(y.dtype)
        return y + bias.reshape((1,) * (y.ndim - 1) + (-1,))

"""The NNX noise layers, declared by the Linen layers with their names."""

import jax
from flax import nnx
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from noisejax import layers as linen
from noisejax import noise
from noisejax.layers._shared import Level, Schedule
from noisejax.layers.nnx._base import NoiseLayer, Rngs


class Noise(NoiseLayer, like=linen.Noise):
    """Noise of any scheme, after an optional shift of the input.

    Arguments: see `layers.Noise`, `NoiseLayer`. The learnable shift is an `nnx.Param`,
    the running mean an `nnx.BatchStat`.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from noisejax import noise
      >>> from noisejax.layers import nnx as layers
      >>> scheme = noise.RandomDropout(0.5)
      >>> layer = layers.Noise(scheme, shift=True, num_features=3, rngs=nnx.Rngs(0))
      >>> layer(jnp.ones((2, 3))).shape, layer.beta.shape
      ((2, 3), (3,))
    """


class Dropout(NoiseLayer, like=linen.Dropout):
    @property
    def rate(self) -> float | jax.Array | Schedule:
        """Probability of dropping a unit. It may be set, as in Flax."""
        if self.drops_all:
            return 1.0
        return self.scheme.rate if self.level is None else self.level

    @rate.setter
    def rate(self, rate: Level) -> None:
        dims, bits, scale = self.broadcast_dims, self.scheme.bits, self.scheme.scale
        layer = linen.Dropout(rate, dims, bits=bits, scale=scale, parent=None)
        self._set_scheme(layer)

    @property
    def broadcast_dims(self) -> tuple[int, ...]:
        """Axes along which the mask is shared."""
        return self.scheme.broadcast_dims


class RandomDropout(NoiseLayer, like=linen.RandomDropout):
    pass


class InvariantDropout(NoiseLayer, like=linen.InvariantDropout):
    pass


class SpatialDropout(NoiseLayer, like=linen.SpatialDropout):
    pass


class DropPath(NoiseLayer, like=linen.DropPath):
    pass


class GaussianDropout(NoiseLayer, like=linen.GaussianDropout):
    pass


class GaussianNoise(NoiseLayer, like=linen.GaussianNoise):
    pass


class DropConnect(nnx.Module):
    """Dense layer with dropconnect, y = x (M ⊙ W) / (1 - rate) + b (Wan et al. 2013).

    One mask serves the batch. Arguments: see `layers.DropConnect`, and the following.

    Args:
      in_features: number of input units.
      out_features: number of output units.
      rngs: key streams of the parameters and the masks.

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
        rate: Level,
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
        """Apply the dense layer with noisy weights; arguments as in `Dropout`."""
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

"""Linen noise layers: `Noise` for any scheme, and one class for each scheme."""

import numbers
from collections.abc import Sequence
from typing import Any

from flax import linen as nn
from jax import numpy as jnp
from jax.typing import ArrayLike, DTypeLike
from jaxtyping import Array, Float

from noisejax import noise
from noisejax.layers._base import NoiseLayer, refuse_rngs
from noisejax.layers._shared import Level


class Noise(NoiseLayer):
    """Noise of any scheme, after an optional shift of the input.

    The layer uses the sample that is passed in the call, if any. Otherwise it uses the
    sample in the variable collection "noise". Without such a sample, it draws one with
    a key from `rng_collection`. `apply(..., mutable=["noise"])` records samples. To
    replay samples, pass them to `apply` with the variables.

    Attributes:
      scheme: noise scheme, e.g. `noise.RandomDropout(0.5)`.
      shift: kind of shift, which is also applied at test time. True adds a learnable β
        before the mask (Ba et al. 2014, eq. 8), the parameter "beta", initially zero.
        "running_average" subtracts the running mean of the input (table 2), which is
        stored in "batch_stats". False means no shift.
      shift_axes: axes of the input along which the shift varies: -1 for one value per
        unit or feature map, (-3, -2, -1) for one value per position of an image.
      level: override of the rate or standard deviation of the scheme: a number, a
        traced scalar, or a schedule of the step (see `control_noise`).
      deterministic: True for no noise; the shift is still applied. Set `deterministic`
        in the constructor or in the call.
      rng_collection: key collection for the samples.

    Raises:
      TypeError: `scheme` is not a scheme.
      ValueError: `shift` is unknown.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import layers, noise
      >>> layer = layers.Noise(noise.RandomDropout(0.5), shift=True)
      >>> x, key = jnp.ones((2, 3)), jax.random.key(0)
      >>> variables = layer.init(key, x, deterministic=True)
      >>> y = layer.apply(variables, x, deterministic=False, rngs={"dropout": key})
      >>> jax.tree.map(jnp.shape, variables), y.shape
      ({'params': {'beta': (3,)}}, (2, 3))
    """

    scheme: noise.Scheme
    shift: bool | str = False
    shift_axes: int | Sequence[int] = -1
    level: Level | None = None
    deterministic: bool | None = None
    rng_collection: str = "dropout"

    @nn.nowrap
    def _build(self) -> tuple[noise.Scheme, Any]:
        if not isinstance(self.scheme, noise.Scheme):
            raise TypeError(
                "scheme must be a noise scheme such as noise.Dropout(0.5), got "
                f"{self.scheme!r}"
            )
        return self.scheme, self.level


class Dropout(NoiseLayer, scheme=noise.Dropout):
    """Dropout, m ⊙ x / (1 - rate), with the arguments and masks of Flax's `Dropout`.

    This layer is faster on a CPU and can replay samples. Rate 1 drops everything.
    """

    rate: Level
    broadcast_dims: Sequence[int] = ()
    deterministic: bool | None = None
    rng_collection: str = "dropout"
    bits: int = 32
    scale: bool = True

    @nn.nowrap
    def _build(self) -> tuple[noise.Scheme, Any]:
        drops_all = isinstance(self.rate, numbers.Real) and self.rate == 1
        object.__setattr__(self, "drops_all", drops_all)
        if drops_all:
            return noise.Dropout(0.0, self.bits, self.broadcast_dims, self.scale), None
        return super()._build()


class RandomDropout(NoiseLayer, scheme=noise.RandomDropout):
    """Random dropout, ρ ~ U(0, rate) per example (Bouthillier et al. 2015, eq. 10)."""

    rate: Level
    batch_dims: int = 1
    broadcast_dims: Sequence[int] = ()
    deterministic: bool | None = None
    rng_collection: str = "dropout"
    bits: int = 32
    scale: bool = True


class InvariantDropout(NoiseLayer, scheme=noise.Dropout):
    """Invariant dropout, m ⊙ (x + β) / (1 - rate), β learnable (Ba et al., eq. 8)."""

    rate: Level
    broadcast_dims: Sequence[int] = ()
    deterministic: bool | None = None
    rng_collection: str = "dropout"
    bits: int = 32
    scale: bool = True
    shift: bool | str = True
    shift_axes: int | Sequence[int] = -1


class SpatialDropout(NoiseLayer, scheme=noise.SpatialDropout):
    """Spatial dropout of whole feature maps, one mask bit per example and channel."""

    rate: Level
    batch_dims: int = 1
    deterministic: bool | None = None
    rng_collection: str = "dropout"
    bits: int = 32
    scale: bool = True


class DropPath(NoiseLayer, scheme=noise.DropPath):
    """Drop path (stochastic depth), one mask bit per example for a residual branch."""

    rate: Level
    batch_dims: int = 1
    deterministic: bool | None = None
    rng_collection: str = "dropout"
    bits: int = 32
    scale: bool = True


class GaussianDropout(NoiseLayer, scheme=noise.GaussianDropout):
    """Gaussian dropout, x multiplied by N(1, rate / (1 - rate))."""

    rate: Level
    broadcast_dims: Sequence[int] = ()
    deterministic: bool | None = None
    rng_collection: str = "dropout"


class GaussianNoise(NoiseLayer, scheme=noise.GaussianNoise):
    """Additive Gaussian noise, x + N(0, stddev²)."""

    stddev: Level
    broadcast_dims: Sequence[int] = ()
    deterministic: bool | None = None
    rng_collection: str = "dropout"


class DropConnect(nn.Module):
    """Dense layer with dropconnect, y = x (M ⊙ W) / (1 - rate) + b (Wan et al. 2013).

    All examples share one mask. For one mask per example, lift the layer with `nn.vmap`
    and split the keys. The parameters are those of `flax.linen.Dense`.

    Attributes:
      features: number of output units.
      rate: probability that a weight is dropped.
      deterministic: True for no noise.
      rng_collection: key collection for the masks.
      bits: number of random bits per weight, 32 or 8.
      use_bias: True to add b.
      dtype: dtype of the computation.
      kernel_init: initializer of W.
      bias_init: initializer of b.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import layers
      >>> layer, key = layers.DropConnect(4, rate=0.5), jax.random.key(0)
      >>> variables = layer.init(key, jnp.ones((2, 3)), deterministic=True)
      >>> jax.tree.map(jnp.shape, variables["params"])
      {'bias': (4,), 'kernel': (3, 4)}
    """

    features: int
    rate: Level
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
        step: ArrayLike | None = None,
    ) -> Float[Array, "*batch features"]:
        """Apply the dense layer with noisy weights; arguments as in `Dropout`."""
        shape = (inputs.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape, jnp.float32)
        layer = Dropout(
            self.rate, (), self.deterministic, self.rng_collection, self.bits
        )
        kernel = layer(kernel, deterministic, rng, sample=sample, step=step)
        bias = None
        if self.use_bias:
            bias = self.param("bias", self.bias_init, shape[1:], jnp.float32)
        x, kernel, bias = nn.dtypes.promote_dtype(
            inputs, kernel, bias, dtype=self.dtype
        )
        y = jnp.matmul(x, kernel)
        return y if bias is None else y + bias.reshape((1,) * (y.ndim - 1) + (-1,))


refuse_rngs(DropConnect)

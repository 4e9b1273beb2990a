"""The general Linen layer: any scheme, with or without a shift."""

from collections.abc import Sequence
from typing import ClassVar

from flax import linen as nn
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax import noise
from noisejax.layers._base import NoiseLayer
from noisejax.layers._levels import Schedule, check_scheme, check_shift


class ShiftedNoiseLayer(NoiseLayer):
    """A noise layer with the attributes `shift` and `shift_axes`."""

    def __post_init__(self):
        check_shift(self.shift)
        super().__post_init__()

    @nn.nowrap
    def shifted(
        self, x: Float[Array, "*shape"], deterministic: bool
    ) -> Float[Array, "*shape"]:
        """`x` + β, or less its running average."""
        if not self.shift:
            return x
        shape = unit_shape(x.shape, self.shift_axes)
        if self.shift is True:
            beta = self.param("beta", nn.initializers.zeros, shape, jnp.float32)
            return noise.shift(x, beta)
        mean = self.variable("batch_stats", "mean", jnp.zeros, shape, jnp.float32)
        may_update = self.is_mutable_collection("batch_stats")
        if may_update and not deterministic and not self.is_initializing():
            mean.value = noise.update_running_mean(mean.value, x)
        return noise.shift(x, -mean.value)


class InvariantDropout(ShiftedNoiseLayer):
    """Invariant dropout: a learnable shift inside the mask (Ba et al. 2014, eq. 8).

    Attributes:
      rate: probability of being dropped, in [0, 1): a number, a traced one, or a
        schedule of the step.
      broadcast_dims: axes along which the mask is shared.
      deterministic: True: no noise; the shift stays. Given here or in the call.
      rng_collection: the key collection to draw from.
      bits: random bits per unit, 32 or 8.
      scale: False leaves kept units as they are.
      shift: as in `Noise`.
      shift_axes: the axes of the input along which the shift varies, as in `Noise`.

    Raises:
      TypeError: a rate that is no number.
      ValueError: a rate outside [0, 1), or one that rounds away at 8 bits.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import layers
      >>> layer, x = layers.InvariantDropout(0.5, deterministic=True), jnp.ones((2, 3))
      >>> variables = layer.init(jax.random.key(0), x)
      >>> variables["params"]["beta"]
      Array([0., 0., 0.], dtype=float32)
    """

    scheme_type: ClassVar[type[noise.Scheme]] = noise.Dropout

    rate: float | Schedule
    broadcast_dims: Sequence[int] = ()
    deterministic: bool | None = None
    rng_collection: str = "dropout"
    bits: int = 32
    scale: bool = True
    shift: bool | str = True
    shift_axes: int | Sequence[int] = -1


class Noise(ShiftedNoiseLayer):
    """Makes its input noisy under any scheme, and may shift it first.

    Samples come from the key collection `rng_collection`, as in `flax.linen.Dropout`;
    or from the variable collection "noise", which `apply(..., mutable=["noise"])`
    records and which, passed among the variables, is replayed; or from the call.

    Attributes:
      scheme: of the noise, e.g. `noise.RandomDropout(0.5)`.
      shift: True: a learnable β, parameter "beta", zeros at the start, is added before
        the mask (Ba et al. 2014, eq. 8) and stays at test time. "running_average": the
        running mean of the input, in the collection "batch_stats", is subtracted
        instead (table 2). False: neither.
      shift_axes: the axes of the input along which β varies: -1 for one per unit or per
        feature map, (-3, -2, -1) for one per position of an image.
      level: in place of the scheme's own rate or standard deviation: a number, a traced
        one, or a schedule of the step (see `control_noise` for how the step arrives).
      deterministic: True: no noise. Given here or in the call.
      rng_collection: the key collection to draw from.

    Raises:
      TypeError: `scheme` is no scheme.
      ValueError: an unknown `shift`.

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
    level: noise.Rate | Schedule | None = None
    deterministic: bool | None = None
    rng_collection: str = "dropout"

    def __post_init__(self):
        check_scheme(self.scheme)
        super().__post_init__()

    @nn.nowrap
    def make_scheme(self) -> noise.Scheme:
        """The scheme that draws this layer's samples."""
        return self.scheme

    @nn.nowrap
    def override(self) -> noise.Rate | Schedule | None:
        """The level in place of the scheme's own."""
        return self.level


def unit_shape(shape: Sequence[int], axes: int | Sequence[int]) -> tuple[int, ...]:
    """The shape of what varies along `axes` of `shape` and is shared along the others.

    Raises:
      ValueError: an axis that `shape` does not have.
    """
    axes = (axes,) if isinstance(axes, int) else tuple(axes)
    if not axes or any(not -len(shape) <= axis < len(shape) for axis in axes):
        raise ValueError(
            f"shift_axes must be axes of the input, whose shape is {tuple(shape)}; got "
            f"{axes}"
        )
    own = {axis % len(shape) for axis in axes}
    return tuple(shape[i] if i in own else 1 for i in range(min(own), len(shape)))

"""The general NNX layer: any scheme, with or without a shift."""

from collections.abc import Sequence

import jax
from flax import nnx
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax import noise
from noisejax.layers._levels import Schedule, check_scheme, check_shift, own_level
from noisejax.layers.nnx._base import NoiseLayer, Rngs


class ShiftedNoiseLayer(NoiseLayer):
    """A noise layer that may add a learnable shift, or subtract a running average.

    Attributes:
      beta: the shift, an `nnx.Param`, or None.
      mean: the running average, an `nnx.BatchStat`, or None.
    """

    def _set_shift(
        self, shift: bool | str, num_features: int | Sequence[int] | None
    ) -> None:
        """Creates what is to be learned or averaged, zeros at the start."""
        check_shift(shift)
        if shift and num_features is None:
            raise ValueError(
                f"shift={shift!r} needs num_features, how many shifts there are: the "
                "width of the input, or the shape of its last axes"
            )
        if isinstance(num_features, int):
            num_features = (num_features,)
        zeros = jnp.zeros(tuple(num_features or ()), jnp.float32)
        self.beta = nnx.Param(zeros) if shift is True else nnx.data(None)
        averages = bool(shift) and shift is not True
        self.mean = nnx.BatchStat(zeros) if averages else nnx.data(None)

    def _shifted(
        self, x: Float[Array, "*shape"], deterministic: bool
    ) -> Float[Array, "*shape"]:
        """`x` + β, or less its running average."""
        if self.beta is not None:
            return noise.shift(x, self.beta[...])
        if self.mean is None:
            return x
        if not deterministic:
            self.mean[...] = noise.update_running_mean(self.mean[...], x)
        return noise.shift(x, -self.mean[...])


class Noise(ShiftedNoiseLayer):
    """Makes its input noisy under any scheme, and may shift it first.

    Args:
      scheme: of the noise, e.g. `noise.RandomDropout(0.5)`.
      shift: True: a learnable β, an `nnx.Param`, zeros at the start, is added before
        the mask (Ba et al. 2014, eq. 8) and stays at test time. "running_average": the
        running mean of the input, an `nnx.BatchStat`, is subtracted instead (table 2).
        False: neither.
      num_features: how many shifts: the width of the input, or the shape of its last
        axes ((28, 28, 1): one per pixel; 64: one per feature map).
      level: in place of the scheme's own rate or standard deviation: a number, an
        array, or a schedule of the step.
      deterministic: True: no noise. `model.train()` and `.eval()` set it.
      rng_collection: the stream of keys to draw from.
      rngs: the streams; the layer forks its own.

    Raises:
      TypeError: `scheme` is no scheme.
      ValueError: an unknown `shift`; a shift without `num_features`.

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

    def __init__(
        self,
        scheme: noise.Scheme,
        shift: bool | str = False,
        *,
        num_features: int | Sequence[int] | None = None,
        level: noise.Rate | Schedule | None = None,
        deterministic: bool | None = False,
        rng_collection: str = "dropout",
        rngs: Rngs | None = None,
    ):
        check_scheme(scheme)
        super().__init__(scheme, level, deterministic, rng_collection, rngs)
        self._set_shift(shift, num_features)


class InvariantDropout(ShiftedNoiseLayer):
    """Invariant dropout: a learnable shift inside the mask (Ba et al. 2014, eq. 8).

    Args:
      rate: probability of being dropped, in [0, 1): a number, an array, or a schedule
        of the step.
      num_features: how many shifts: the width of the input, or the shape of its last
        axes.
      broadcast_dims: axes along which the mask is shared.
      deterministic: True: no noise; the shift stays.
      rng_collection: the stream of keys to draw from.
      rngs: the streams; the layer forks its own.
      bits: random bits per unit, 32 or 8.
      scale: False leaves kept units as they are.
      shift: as in `Noise`.

    Raises:
      TypeError: a rate that is no number.
      ValueError: a rate outside [0, 1), or one that rounds away at 8 bits.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from noisejax.layers import nnx as layers
      >>> layer = layers.InvariantDropout(0.5, num_features=3, rngs=nnx.Rngs(0))
      >>> layer(jnp.ones((2, 3)), deterministic=True)[0]
      Array([1., 1., 1.], dtype=float32)
    """

    def __init__(
        self,
        rate: float | jax.Array | Schedule,
        *,
        num_features: int | Sequence[int],
        broadcast_dims: Sequence[int] = (),
        deterministic: bool | None = False,
        rng_collection: str = "dropout",
        rngs: Rngs | None = None,
        bits: int = 32,
        scale: bool = True,
        shift: bool | str = True,
    ):
        scheme = noise.Dropout(own_level(rate), bits, broadcast_dims, scale)
        super().__init__(scheme, rate, deterministic, rng_collection, rngs)
        self._set_shift(shift, num_features)

"""What all NNX noise layers do: shift, draw a sample unless handed one, apply it."""

import jax
from flax import nnx
from flax.nnx.module import first_from
from jax import numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from noisejax import noise
from noisejax.layers._levels import Schedule, override_level

Rngs = nnx.Rngs | nnx.RngStream


class NoiseLayer(nnx.Module):
    """Base of the NNX noise layers.

    Attributes:
      scheme: that draws the samples.
      level: that the scheme cannot hold: a traced one, or a schedule; else None.
      deterministic: True: no noise.
      rng_collection: the stream of keys that is drawn from.
      rngs: a fork of it, of this layer alone; or None: the call brings one.
      step: the training step, where the rate is a schedule; `nnx.view(model,
        step=step)` sets it in a whole model.
    """

    def __init__(
        self,
        scheme: noise.Scheme,
        level: noise.Rate | Schedule | None,
        deterministic: bool | None,
        rng_collection: str,
        rngs: Rngs | None,
    ):
        self.scheme = nnx.static(scheme)
        held = override_level(level)
        self.level = nnx.data(held) if isinstance(held, jax.Array) else held
        self.deterministic = deterministic
        self.rng_collection = rng_collection
        self.rngs = nnx.data(_fork(rngs, rng_collection))
        self.step = nnx.data(None)

    def __call__(
        self,
        inputs: Float[Array, "*shape"],
        *,
        deterministic: bool | None = None,
        rngs: Rngs | noise.Key | None = None,
        sample: noise.Sample | None = None,
        step: ArrayLike | None = None,
    ) -> Float[Array, "*shape"]:
        """Makes `inputs` noisy.

        Args:
          inputs: floating array, batch axes first.
          deterministic: True: no noise (a shift stays). Precedes the attribute.
          rngs: keys to draw with, in place of the layer's own.
          sample: a sample to apply, in place of a drawn one (replay).
          step: the training step, where the rate is a schedule. Precedes the attribute.

        Returns:
          Noisy inputs: their shape, their dtype.

        Raises:
          ValueError: no `deterministic`, no keys, no step where one is needed; a sample
            of another shape.
          TypeError: `rngs` is neither Rngs nor RngStream nor a key.
        """
        deterministic = first_from(
            deterministic,
            self.deterministic,
            error_msg=(
                f"No `deterministic` argument was provided to {type(self).__name__}, "
                "neither to its constructor nor to its call; or make a view of the "
                "model, nnx.view(model, deterministic=True)"
            ),
        )
        x = self._shifted(inputs, deterministic)
        if deterministic:
            return x
        if self._drops_everything():
            return jnp.zeros_like(x)
        level = self._level_at(step)
        if level is None and self.scheme.level == 0:
            return x
        if sample is None:
            sample = noise.sample_like(self._key(rngs), x, self.scheme, level=level)
        return noise.apply(x, sample)

    def _shifted(
        self, x: Float[Array, "*shape"], deterministic: bool
    ) -> Float[Array, "*shape"]:
        """`x` as it goes into the noise, and out of it where there is none."""
        del deterministic
        return x

    def _drops_everything(self) -> bool:
        """Whether the rate is 1, which Flax's Dropout takes and no scheme does."""
        return False

    def set_view(
        self, deterministic: bool | None = None, step: ArrayLike | None = None
    ) -> None:
        """What `nnx.view` sets.

        Args:
          deterministic: True: no noise.
          step: the training step, where the rate is a schedule.
        """
        if deterministic is not None:
            self.deterministic = deterministic
        if step is not None:
            self.step = nnx.data(jnp.asarray(step))

    def _level_at(self, step: ArrayLike | None) -> noise.Rate | None:
        if not callable(self.level):
            return self.level
        step = self.step if step is None else step
        if step is None:
            raise ValueError(
                f"the rate of this {type(self).__name__} is a schedule and needs the "
                "training step: layer(x, step=step), or, for a whole model, "
                "nnx.view(model, step=step)"
            )
        return jnp.asarray(self.level(step))

    def _key(self, rngs: Rngs | noise.Key | None) -> noise.Key:
        rngs = first_from(
            rngs,
            self.rngs,
            error_msg=(
                "`deterministic` is False, but no `rngs` argument was provided to "
                f"{type(self).__name__} as either a __call__ argument or class "
                "attribute."
            ),
        )
        if isinstance(rngs, nnx.Rngs):
            return rngs[self.rng_collection]()
        if isinstance(rngs, nnx.RngStream):
            return rngs()
        if isinstance(rngs, jax.Array):
            return rngs
        raise TypeError(
            f"rngs must be a Rngs, RngStream or jax.Array, but got {type(rngs)}."
        )


def _fork(rngs: Rngs | None, rng_collection: str) -> nnx.RngStream | None:
    if rngs is None:
        return None
    if isinstance(rngs, nnx.Rngs):
        return rngs[rng_collection].fork()
    if isinstance(rngs, nnx.RngStream):
        return rngs.fork()
    raise TypeError(f"rngs must be a Rngs, RngStream or None, but got {type(rngs)}.")

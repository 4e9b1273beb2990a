"""What all Linen noise layers do: draw or replay a sample, and apply it."""

import dataclasses
from typing import ClassVar

import jax
from flax import linen as nn
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax import noise
from noisejax.layers._control import control_in_force, controlled_deterministic
from noisejax.layers._levels import Schedule, override_level, scheme_of
from noisejax.layers._replay import count_call, replayed_sample


class NoiseLayer(nn.Module):
    """Base of the Linen noise layers.

    A subclass names the scheme that its attributes (those with the scheme's names)
    make, and has the attributes `deterministic` and `rng_collection`.
    """

    scheme_type: ClassVar[type[noise.Scheme]]

    @nn.nowrap
    def make_scheme(self) -> noise.Scheme:
        """The scheme that draws this layer's samples."""
        return scheme_of(self, self.scheme_type)

    @nn.nowrap
    def override(self) -> noise.Rate | Schedule | None:
        """A level that no scheme can hold: a traced one, or a schedule; else None."""
        level = dataclasses.fields(self.scheme_type)[0].name
        return override_level(getattr(self, level))

    @nn.nowrap
    def drops_everything(self) -> bool:
        """Whether the rate is 1, which Flax's Dropout takes and no scheme does."""
        return False

    @nn.nowrap
    def shifted(
        self, x: Float[Array, "*shape"], deterministic: bool
    ) -> Float[Array, "*shape"]:
        """`x` as it goes into the noise, and out of it where there is none."""
        del deterministic
        return x

    def __post_init__(self):
        self.make_scheme()  # bad arguments fail here, before anything is traced
        super().__post_init__()

    @nn.compact
    def __call__(
        self,
        inputs: Float[Array, "*shape"],
        deterministic: bool | None = None,
        rng: noise.Key | None = None,
        *,
        sample: noise.Sample | None = None,
        step: jax.typing.ArrayLike | None = None,
    ) -> Float[Array, "*shape"]:
        """Makes `inputs` noisy.

        Args:
          inputs: floating array, batch axes first.
          deterministic: True: no noise (a shift stays). To be given here or as an
            attribute.
          rng: a key to draw with, in place of one of `rng_collection`.
          sample: a sample to apply, in place of a drawn one.
          step: the training step, where the rate is a schedule.

        Returns:
          Noisy inputs: their shape, their dtype.

        Raises:
          ValueError: `deterministic` is given twice or not at all; a rate that is a
            schedule, and no step; a sample of another shape.
        """
        deterministic = controlled_deterministic(
            self,
            lambda: nn.merge_param("deterministic", self.deterministic, deterministic),
        )
        x = self.shifted(inputs, deterministic)
        if deterministic:
            return x
        if self.drops_everything():
            return jnp.zeros_like(x)
        scheme, level = self.make_scheme(), self._level_at(step)
        if level is None and scheme.level == 0:
            return x
        if sample is None:
            sample = replayed_sample(self)
        if sample is None:
            key = self.make_rng(self.rng_collection) if rng is None else rng
            sample = noise.sample_like(key, x, scheme, level=level)
        count_call(self, sample)
        return noise.apply(x, sample)

    @nn.nowrap
    def _level_at(self, step: jax.typing.ArrayLike | None) -> noise.Rate | None:
        level = self.override()
        if not callable(level):
            return level
        if step is None and control_in_force() is not None:
            step = control_in_force().step
        if step is None:
            raise ValueError(
                f"the rate of {'/'.join(self.path) or type(self).__name__} is a "
                "schedule and needs the training step: layer(x, step=step), or, where "
                "the model passes none, layers.control_noise(step=step) around it, or "
                "layers.functional(model)(params, key, x, step=step)"
            )
        return jnp.asarray(level(step))

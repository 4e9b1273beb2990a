"""Base of the Linen noise layers: shift the input, draw a sample, apply it."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
from flax import linen as nn
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax import noise
from noisejax.layers._control import CONTROL
from noisejax.layers._replay import calls_of
from noisejax.layers._shared import document, level_at, make_scheme

SHIFTS = (False, True, "running_average")

EXAMPLE = """
    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import layers
      >>> layer = layers.{name}({arguments}, deterministic=False)
      >>> x, key = jnp.ones((2, 4, 4, 3)), jax.random.key(0)
      >>> y, variables = layer.init_with_output(key, x)
      >>> y.shape
      (2, 4, 4, 3)
    """
"""Example in the docstring of a layer."""


class NoiseLayer(nn.Module):
    """Base class of the Linen noise layers.

    A subclass `class Layer(NoiseLayer, scheme=SomeScheme)` declares fields with the
    names of the fields of its scheme. The first field of a scheme is the level, a rate
    or standard deviation. The level of a layer is a number, a traced scalar, or a
    schedule of the training step (see `control_noise`).

    Attributes:
      scheme: noise scheme, built from the fields.
      level_override: array or schedule that overrides the level of the scheme, or None.
      deterministic: True for no noise; a shift is still added. Set `deterministic` in
        the constructor or in the call.
      rng_collection: key collection for the samples.

    Example:
      >>> from noisejax import layers
      >>> layers.RandomDropout(0.5).scheme.rate
      0.5
    """

    # No annotations: a dataclass would move a subclass's field `shift` to the front.
    drops_all = False  # True at rate 1, which no scheme accepts
    shift = False

    def __init_subclass__(
        cls, scheme: type[noise.Scheme] | None = None, **kwargs: Any
    ) -> None:
        super().__init_subclass__(**kwargs)
        refuse_rngs(cls)
        if scheme is not None:
            cls.scheme_type = scheme
            cls.scheme_fields = [field.name for field in dataclasses.fields(scheme)]
            if cls.__module__.startswith("noisejax."):
                document(cls, cls.__doc__, scheme, EXAMPLE)

    def __post_init__(self) -> None:
        if self.shift not in SHIFTS:
            raise ValueError(f"shift must be one of {SHIFTS}, got {self.shift!r}")
        scheme, level = self._build()
        object.__setattr__(self, "scheme", scheme)
        object.__setattr__(self, "level_override", level)
        super().__post_init__()

    @nn.nowrap
    def _build(self) -> tuple[noise.Scheme, Any]:
        """Return the scheme, and an array or schedule that overrides its level."""
        level, *fields = [getattr(self, name) for name in self.scheme_fields]
        fields = [tuple(f) if isinstance(f, list) else f for f in fields]
        if callable(level) or isinstance(level, jax.Array):
            return make_scheme(self.scheme_type, 0.0, *fields), level
        return make_scheme(self.scheme_type, level, *fields), None

    def __call__(
        self,
        inputs: Float[Array, "*shape"],
        deterministic: bool | None = None,
        rng: noise.Key | None = None,
        *,
        sample: noise.Sample | None = None,
        step: jax.typing.ArrayLike | None = None,
    ) -> Float[Array, "*shape"]:
        """Make `inputs` noisy.

        Args:
          inputs: floating array, batch axes first.
          deterministic: True for no noise. Set `deterministic` either in the call or as
            an attribute.
          rng: key for the draw. The default is a key from `rng_collection`.
          sample: sample to apply. By default a sample is drawn.
          step: training step, for a level that is a schedule.

        Returns:
          Noisy inputs, with the shape and dtype of `inputs`.

        Raises:
          TypeError: the layer is called outside a Linen model.
          ValueError: `deterministic` is set twice or not at all, the step for a
            schedule is missing, or the shape of the sample does not fit.
        """
        check_bound(self)
        control = CONTROL.get()
        off = None if control is None else control.deterministic("/".join(self.path))
        if off is None:
            off = nn.merge_param("deterministic", self.deterministic, deterministic)
        x = self._shifted(inputs, off) if self.shift else inputs
        if off:
            return x
        if self.drops_all:
            return jnp.zeros_like(x)
        level = self.level_override
        if callable(level):
            step = control.step if step is None and control is not None else step
            level = level_at(level, step, "/".join(self.path) or type(self).__name__)
        if level is None and self.scheme.level == 0:
            return x
        calls = calls_of(self)
        sample = calls.next_sample() if sample is None else sample
        if sample is None:
            key = self.make_rng(self.rng_collection) if rng is None else rng
            sample = noise.sample_like(key, x, self.scheme, level=level)
        calls.note(sample)
        return noise.apply(x, sample)

    @nn.nowrap
    def _shifted(
        self, x: Float[Array, "*shape"], deterministic: bool
    ) -> Float[Array, "*shape"]:
        """Add β, or subtract the running mean (Ba et al. 2014, eq. 8 and table 2)."""
        shape = shift_shape(x.shape, self.shift_axes)
        learned = self.shift is True
        name = ("params", "beta") if learned else ("batch_stats", "mean")
        if not self.has_variable(*name):  # `self.param` needs a compact method
            self.scope.variable(*name, jnp.zeros, shape, jnp.float32)
        value = self.get_variable(*name)
        if learned:
            return noise.shift(x, value)
        updates = self.is_mutable_collection("batch_stats")
        if updates and not deterministic and not self.is_initializing():
            value = noise.update_running_mean(value, x)
            self.put_variable(*name, value)
        return noise.shift(x, -value)


def shift_shape(shape: Sequence[int], axes: int | Sequence[int]) -> tuple[int, ...]:
    """Return the shape of a shift that varies along `axes` of an input only.

    Raises:
      ValueError: the input has no such axis.
    """
    axes = (axes,) if isinstance(axes, int) else tuple(axes)
    if not axes or any(not -len(shape) <= axis < len(shape) for axis in axes):
        raise ValueError(
            f"shift_axes must be axes of the input, whose shape is {tuple(shape)}; got "
            f"{axes}"
        )
    varying = {axis % len(shape) for axis in axes}
    first = min(varying)
    return tuple(n if first + i in varying else 1 for i, n in enumerate(shape[first:]))


def check_bound(layer: nn.Module) -> None:
    """Raise a TypeError if a Linen layer is called outside a Linen model."""
    if layer.scope is None:
        name = type(layer).__name__
        raise TypeError(
            f"noisejax.layers.{name} is a Linen layer and was called outside a Linen "
            f"model. In an NNX model use noisejax.layers.nnx.{name}. To call one layer "
            "use layer.apply(variables, x, rngs={'dropout': key})"
        )


def refuse_rngs(cls: type[nn.Module]) -> None:
    """Make the constructor of a Linen layer reject the NNX argument `rngs`."""
    init: Callable[..., None] = cls.__init__

    @functools.wraps(init)
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if "rngs" in kwargs:
            name = cls.__name__
            raise TypeError(
                f"noisejax.layers.{name} is a Linen layer and takes no rngs; in an NNX "
                f"model use noisejax.layers.nnx.{name}"
            )
        init(self, *args, **kwargs)

    cls.__init__ = __init__

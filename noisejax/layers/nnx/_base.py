"""Base of the NNX noise layers: shift the input, draw a sample, apply it."""

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from inspect import Parameter
from typing import Any

import jax
from flax import nnx
from flax.nnx.module import first_from
from jax import numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from noisejax import layers as linen
from noisejax import noise
from noisejax.layers._shared import document, level_at, linen_module

Rngs = nnx.Rngs | nnx.RngStream

EXAMPLE = """
    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from noisejax.layers import nnx as layers
      >>> layer = layers.{name}({arguments}, rngs=nnx.Rngs(0))
      >>> layer(jnp.ones((2, 4, 4, 3))).shape
      (2, 4, 4, 3)
    """
"""Example in the docstring of a layer that a Linen layer declares."""

LINEN_ONLY = ("parent", "name", "shift_axes")
"""Fields of Linen layers that NNX layers do not take."""


class NoiseLayer(nnx.Module):
    """Base class of the NNX noise layers.

    A layer takes the arguments of the Linen layer of the same name, except that
      deterministic: is False by default.
      rngs: contains the key streams; the layer forks the stream `rng_collection`.
      num_features: replaces `shift_axes` in layers with a shift. It is the width of the
        input, or the shape of the last axes: 64 for one shift per feature map,
        (28, 28, 1) for one shift per pixel.

    Attributes:
      scheme: noise scheme.
      level: array or schedule that overrides the level of the scheme, or None.
      drops_all: True at rate 1, which schemes do not accept.
      deterministic: True for no noise; a shift is still applied. `model.eval()` sets
        this attribute.
      rng_collection: name of the key stream for the samples.
      rngs: forked key stream of this layer. If None, each call must pass keys.
      step: training step for a schedule; `nnx.view(model, step=step)` sets it in all
        layers of a model.
      beta: learnable shift, an `nnx.Param`, or None.
      mean: running mean to subtract, an `nnx.BatchStat`, or None.

    Example:
      >>> from noisejax.layers import nnx as layers
      >>> layers.RandomDropout(0.5).scheme.rate
      0.5
    """

    beta = None
    mean = None

    def __init_subclass__(
        cls, like: type[linen.NoiseLayer] | None = None, **kwargs: Any
    ) -> None:
        super().__init_subclass__(**kwargs)
        if like is None:
            return
        cls.__init__ = _init_like(like)
        if not cls.__doc__:
            summary = like.__doc__.partition("Arguments:")[0]
            arguments = "0.5, num_features=3" if like.shift else "0.5"
            document(cls, summary, like.scheme_type, EXAMPLE, arguments)

    def __init__(self, *args: Any, **kwargs: Any):
        raise TypeError("NoiseLayer is a base class; use a layer such as RandomDropout")

    def _declare(
        self,
        layer: linen.NoiseLayer,
        rngs: Rngs | None,
        num_features: int | Sequence[int] | None = None,
    ) -> None:
        """Set the attributes from a Linen layer, which has checked its arguments."""
        self._set_scheme(layer)
        self.deterministic = layer.deterministic
        self.rng_collection = layer.rng_collection
        self.rngs = nnx.data(_fork(rngs, layer.rng_collection))
        self.step = nnx.data(None)
        if not layer.shift:
            return
        if num_features is None:
            raise ValueError(
                f"shift={layer.shift!r} needs num_features, the number of shifts: the "
                "width of the input, or the shape of its last axes"
            )
        shape = (num_features,) if isinstance(num_features, int) else num_features
        zeros = jnp.zeros(tuple(shape), jnp.float32)
        if layer.shift is True:
            self.beta = nnx.Param(zeros)
        else:
            self.mean = nnx.BatchStat(zeros)

    def _set_scheme(self, layer: linen.NoiseLayer) -> None:
        level = layer.level_override
        self.scheme = nnx.static(layer.scheme)
        self.level = nnx.data(level) if isinstance(level, jax.Array) else level
        self.drops_all = layer.drops_all

    def __call__(
        self,
        inputs: Float[Array, "*shape"],
        *,
        deterministic: bool | None = None,
        rngs: Rngs | noise.Key | None = None,
        sample: noise.Sample | None = None,
        step: ArrayLike | None = None,
    ) -> Float[Array, "*shape"]:
        """Make `inputs` noisy.

        Args:
          inputs: floating array, batch axes first.
          deterministic: True for no noise; overrides the attribute.
          rngs: keys for the draw; override the attribute.
          sample: sample to replay. By default a sample is drawn.
          step: training step for a level that is a schedule; overrides the attribute.

        Returns:
          Noisy inputs, with the shape and dtype of `inputs`.

        Raises:
          ValueError: `deterministic`, the keys or the step are missing, or the shape of
            the sample does not fit.
          TypeError: `rngs` is not an Rngs, an RngStream or a key, or the layer draws
            from its stream inside a Linen model.
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
        x = inputs
        if self.beta is not None:  # x + β (Ba et al. 2014, eq. 8)
            x = noise.shift(x, self.beta[...])
        elif self.mean is not None:  # x minus its running mean (table 2)
            if not deterministic:
                self.mean[...] = noise.update_running_mean(self.mean[...], x)
            x = noise.shift(x, -self.mean[...])
        if deterministic:
            return x
        if self.drops_all:
            return jnp.zeros_like(x)
        level = self.level
        if callable(level):
            step = self.step if step is None else step
            level = level_at(level, step, f"this {type(self).__name__}")
        if level is None and self.scheme.level == 0:
            return x
        if sample is None:
            sample = noise.sample_like(self._key(rngs), x, self.scheme, level=level)
        return noise.apply(x, sample)

    def set_view(
        self, deterministic: bool | None = None, step: ArrayLike | None = None
    ) -> None:
        """Set attributes of a view, for `nnx.view`.

        Args:
          deterministic: True for no noise.
          step: training step, for a level that is a schedule.
        """
        if deterministic is not None:
            self.deterministic = deterministic
        if step is not None:
            self.step = nnx.data(jnp.asarray(step))

    def _key(self, rngs: Rngs | noise.Key | None) -> noise.Key:
        name = type(self).__name__
        if rngs is None:
            module = linen_module()
            if module is not None:
                raise TypeError(
                    f"noisejax.layers.nnx.{name} is an NNX layer and is called in the "
                    f"Linen module {type(module).__name__}, where its key stream would "
                    f"not follow `rngs` of `apply`; use noisejax.layers.{name}"
                )
        rngs = first_from(
            rngs,
            self.rngs,
            error_msg=(
                "`deterministic` is False, but no `rngs` argument was provided to "
                f"{name} as either a __call__ argument or class attribute."
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


def _init_like(linen_type: type[linen.NoiseLayer]) -> Callable[..., None]:
    """Make the constructor of an NNX layer from the fields of a Linen layer.

    The level, or a scheme and its shift, may be positional; the rest is keyword-only.
    """
    fields = {field.name: field for field in dataclasses.fields(linen_type)}
    arguments = {
        name: (field.type, field.default)
        for name, field in fields.items()
        if name not in LINEN_ONLY
    }
    arguments["deterministic"] = (bool | None, False)
    arguments["rngs"] = (Rngs | None, None)
    if "shift" in fields:
        default = dataclasses.MISSING if linen_type.shift else None
        arguments["num_features"] = (int | Sequence[int] | None, default)
    positional = ("scheme", "shift") if "scheme" in fields else list(fields)[:1]
    parameters = [Parameter("self", Parameter.POSITIONAL_OR_KEYWORD)]
    for name, (annotation, default) in arguments.items():
        kind = Parameter.KEYWORD_ONLY
        if name in positional:
            kind = Parameter.POSITIONAL_OR_KEYWORD
        default = Parameter.empty if default is dataclasses.MISSING else default
        parameters.append(Parameter(name, kind, default=default, annotation=annotation))
    signature = inspect.Signature(parameters)

    def __init__(self, *args, **kwargs):
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        values = dict(bound.arguments)
        del values["self"]
        rngs = values.pop("rngs")
        num_features = values.pop("num_features", None)
        layer = linen_type(**values, parent=None)
        self._declare(layer, rngs, num_features)

    __init__.__signature__ = signature
    return __init__

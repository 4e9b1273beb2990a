"""From a layer's attributes to its scheme, and to a level that no scheme can hold."""

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

import jax

from noisejax import noise

Schedule: TypeAlias = Callable[[jax.typing.ArrayLike], jax.typing.ArrayLike]
"""A function of the training step, such as optax has them."""


def scheme_of(layer: object, scheme_type: type[noise.Scheme]) -> noise.Scheme:
    """A scheme made of the attributes of `layer` that have the scheme's names.

    Its level, the first of them, is 0 where the layer's is a schedule or an array: that
    one overrides it when a sample is drawn.
    """
    level, *others = [field.name for field in dataclasses.fields(scheme_type)]
    values = {name: getattr(layer, name) for name in others}
    return scheme_type(own_level(getattr(layer, level)), **values)


SHIFTS = (False, True, "running_average")
"""What a layer's `shift` may be: none, learnable, or the running average's."""


def check_shift(shift: bool | str) -> None:
    """Raises a ValueError for an unknown kind of shift."""
    if shift not in SHIFTS:
        raise ValueError(f"shift must be one of {SHIFTS}, got {shift!r}")


def check_scheme(scheme: noise.Scheme) -> None:
    """Raises a TypeError for what is no scheme."""
    if not isinstance(scheme, noise.Scheme):
        raise TypeError(
            f"scheme must be a noise scheme such as noise.Dropout(0.5), got {scheme!r}"
        )


def own_level(level: noise.Rate | Schedule) -> float:
    """What a scheme is made with: a known level, else 0, which is overridden."""
    return 0.0 if override_level(level) is not None else level


def override_level(level: noise.Rate | Schedule | None) -> noise.Rate | Schedule | None:
    """`level` where a scheme cannot hold it (a schedule, an array), else None."""
    return level if callable(level) or isinstance(level, jax.Array) else None


def attention_dropout(rate: float, rank: int, broadcast: bool) -> noise.Dropout:
    """Flax's dropout of attention weights: shared along batch and heads, or not."""
    return noise.Dropout(rate, broadcast_dims=range(rank - 2) if broadcast else ())

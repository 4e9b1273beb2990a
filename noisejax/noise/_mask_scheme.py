"""What dropout, spatial dropout and drop path share: one mask, drawn at one rate."""

import abc
from typing import ClassVar

from jax import numpy as jnp

from noisejax.noise._keys import Key
from noisejax.noise._levels import Rate, check_rate
from noisejax.noise._mask import Shape, bernoulli_mask
from noisejax.noise._rates import (
    check_bits,
    check_resolved,
    inverse_scale,
    round_rate,
)
from noisejax.noise._sample import MaskSample
from noisejax.noise._scheme import Scheme, own_level
from noisejax.noise._sharding import OutSharding


class MaskScheme(Scheme):
    """A scheme with a rate, bits and scale; a subclass says what shares a bit."""

    function: ClassVar[str]
    """The function of x that takes traced rates."""

    def __post_init__(self):
        rate = own_level(self.rate, check_rate, name="rate", function=self.function)
        round_rate(rate, bits=self.bits)
        object.__setattr__(self, "rate", rate)

    @property
    def level(self) -> float:
        return self.rate

    @abc.abstractmethod
    def mask_shape(self, shape: Shape) -> tuple[int, ...]:
        """`shape` with size 1 along the axes that share a bit."""

    def sample(
        self, key, shape, dtype=jnp.float32, out_sharding=None, *, level=None
    ) -> MaskSample:
        return draw_mask_sample(
            key,
            self.mask_shape(shape),
            rate=self.rate if level is None else level,
            bits=self.bits,
            scale=self.scale,
            out_sharding=out_sharding,
        )


def draw_mask_sample(
    key: Key,
    shape: Shape,
    *,
    rate: Rate,
    bits: int,
    scale: bool,
    out_sharding: OutSharding,
) -> MaskSample:
    """A mask of `shape`, with the scale that keeps its mean at 1 or without."""
    check_bits(bits)
    level = check_rate(rate, tuple(shape))
    check_resolved(rate, bits=bits)
    mask = bernoulli_mask(key, shape, rate=level, bits=bits, out_sharding=out_sharding)
    return MaskSample(mask, inverse_scale(level, bits=bits) if scale else 1.0)

"""Draws that are made once, however many steps of a program read them."""

from collections.abc import Callable

import jax
from jax import numpy as jnp
from jax.sharding import NamedSharding
from jaxtyping import Array

from noisejax.noise._keys import Key
from noisejax.noise._sharding import axis_is_whole
from noisejax.noise._words import (
    counts_elements,
    element_index,
    random_words,
    words_of,
)


def draw_once(
    draw: Callable[..., Array],
    key: Key,
    shape: tuple[int, ...],
    sharding: NamedSharding | None,
    *beside: Array,
) -> Array:
    """`draw(random_words(key, shape), *beside)`, kept for all that reads it.

    On a CPU XLA fuses elementwise work into every step that reads it: a mask would be
    drawn in the forward pass, and again in the backward pass. What is put together of
    parts it keeps, so there two halves are drawn.

    Args:
      draw: (words, *beside) -> the values, elementwise.
      key: a typed key. Consumed.
      shape: of the words.
      sharding: as in `random_words`.
      beside: scalars, or arrays of the rank of `shape` that broadcast to it.
    """
    whole = [i for i, n in enumerate(shape) if n > 1 and axis_is_whole(sharding, i)]
    on_cpu = jax.default_backend() == "cpu"
    if not (whole and on_cpu and counts_elements(key, shape)):
        return draw(random_words(key, shape, sharding), *beside)
    index, words_at = element_index(shape, sharding), words_of(key)
    axis = whole[-1]
    middle, halves = shape[axis] // 2, []
    for part in (slice(middle), slice(middle, None)):
        place = (*(slice(None),) * axis, part)
        parts = (a if not a.ndim or a.shape[axis] == 1 else a[place] for a in beside)
        halves.append(draw(words_at(index[place]), *parts))
    return jnp.concatenate(halves, axis=axis)

"""Random draws. All random words of the library are drawn in this file.

From top to bottom, the file defines the public draws, the conversion of random words to
values, the forms of a draw, the sharding of a draw, and threefry.

A draw has one of three forms, which give the same bits:

- Elementwise: each element computes its random word. The draw fuses with the operation
  that uses it, and each device draws its shard only. GPUs and TPUs use this form.
- In halves: the draw is computed in two halves, which are concatenated. CPUs use this
  form, because XLA does not fuse through `concatenate`. An elementwise draw would be
  computed in the forward pass and again in the backward pass.
- In byte planes: at 8 bits one random word serves four elements. The four planes are
  concatenated along the last axis, which must not be sharded. If the sharding is
  unknown, each element computes its random word, which costs as much as 32 bits.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp
from jax.core import Tracer
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float32, UInt32

from noisejax._explicit import explicit_part, has_explicit_axes
from noisejax.noise._checks import (
    LEVELS,
    Key,
    Rate,
    Shape,
    as_key,
    check_bits,
    check_rate,
    rounded,
)

OutSharding: TypeAlias = NamedSharding | PartitionSpec | None


# Public draws.


def bernoulli_mask(
    key: Key,
    shape: Shape,
    *,
    rate: Rate,
    bits: int = 32,
    out_sharding: OutSharding = None,
) -> Bool[Array, "*shape"]:
    """Draw a mask, m ~ Bernoulli(1 - rate) per element; True keeps an element.

    With `bits=32` and a threefry key, the mask equals
    `jax.random.bernoulli(key, float32(1 - rate), shape)` bit for bit and is drawn
    faster. Keys of other PRNG implementations use `jax.random.bits`. With `bits=8`, one
    random word serves four elements, and the rate is rounded to a multiple of 1/256
    (see `round_rate`). The mask of a key does not change between versions, except in a
    breaking change.

    At 8 bits, four elements share a word only if the last axis is known not to be
    sharded: on one CPU device, under Explicit axes, inside `jax.shard_map`, or with
    `out_sharding`. Otherwise each element computes a word, and the mask is the same.

    Args:
      key: PRNG key, typed or raw. Do not reuse it.
      shape: shape of the mask; axes may be symbolic (`jax.export.symbolic_shape`).
      rate: probability of dropping an element, in [0, 1). A Python float, a scalar
        array, or an array of rank `len(shape)` that broadcasts to `shape`.
      bits: number of random bits per element, 32 or 8.
      out_sharding: sharding of the mask, a NamedSharding, or a PartitionSpec for the
        current mesh. Each device then draws its shard only.

    Returns:
      bool[shape], P(True) = 1 - rate.

    Raises:
      TypeError: `key` is not a key, or `rate` is not a number.
      ValueError: `rate` is outside [0, 1), does not broadcast to `shape`, or rounds to
        0 or 1 at 8 bits.

    Example:
      >>> import jax
      >>> from noisejax import noise
      >>> noise.bernoulli_mask(jax.random.key(0), (4,), rate=0.5)
      Array([False, False,  True,  True], dtype=bool)
    """
    key, shape = as_key(key), tuple(shape)
    rate = check_rate(rate, shape, bits=check_bits(bits))
    return draw_mask(key, shape, rate, bits, out_sharding)


def sample_rate(
    key: Key, shape: Shape, *, rate: Rate, out_sharding: OutSharding = None
) -> Float32[Array, "*shape"]:
    """Draw random rates, ρ ~ U(0, rate)  (Bouthillier et al. 2015, section 4.1).

    Args:
      key: PRNG key, typed or raw. Do not reuse it.
      shape: shape of the rates; (B, 1, ...) for one rate per example.
      rate: upper end of the range of ρ, in [0, 1). A Python float, a scalar array, or
        an array of rank `len(shape)` that broadcasts to `shape`.
      out_sharding: sharding of the rates, as in `bernoulli_mask`.

    Returns:
      float32[shape], in [0, rate).

    Raises:
      TypeError: `key` is not a key, or `rate` is not a number.
      ValueError: `rate` is outside [0, 1) or does not broadcast to `shape`.

    Example:
      >>> import jax
      >>> from noisejax import noise
      >>> noise.sample_rate(jax.random.key(0), (3, 1), rate=0.5).shape
      (3, 1)

    Reference:
      Bouthillier et al., "Dropout as data augmentation", arXiv:1506.08700, 2015.
    """
    key, shape = as_key(key), tuple(shape)
    return draw_levels(key, shape, check_rate(rate, shape), out_sharding)


# Draws for checked arguments. They are compiled once, so eager calls are fast.


def draw_mask(
    key: Key, shape: Shape, rate: float | Array, bits: int, out_sharding: OutSharding
) -> Bool[Array, "*shape"]:
    """m ~ Bernoulli(1 - rate)."""
    keep = keep_probability(rate, bits=bits)
    return _draw(_mask, key, shape, out_sharding, keep, bits=bits)


def draw_levels(
    key: Key, shape: Shape, rate: float | Array, out_sharding: OutSharding
) -> Float32[Array, "*shape"]:
    """ρ ~ U(0, rate)."""
    largest = np.float32(rate) if isinstance(rate, float) else rate
    return _draw(_uniform, key, shape, out_sharding) * largest


def draw_normal(
    key: Key, shape: Shape, out_sharding: OutSharding
) -> Float32[Array, "*shape"]:
    """ξ ~ N(0, 1), the values of `jax.random.normal(key, shape, "float32")`."""
    return _draw(_normal, key, shape, out_sharding)


def keep_probability(rate: float | Array, *, bits: int) -> np.float32 | Array:
    """Return 1 - rate, rounded, in float32; traced values are clipped to [0, 1]."""
    if isinstance(rate, float):
        return np.float32(1.0 - rounded(rate, bits))
    return _traced_keep_probability(rate, bits)


@functools.partial(jax.jit, static_argnums=1)
def _traced_keep_probability(rate: Array, bits: int) -> Array:
    if bits < 32:
        levels = np.float32(LEVELS[bits])
        rate = jnp.round(rate * levels) / levels
    # NaN > 0 is false, so a rate of NaN drops everything.
    keep = np.float32(1) - rate
    return jnp.where(keep > 0, jnp.minimum(keep, np.float32(1)), np.float32(0))


def inverse_scale(rate: float | Array, *, bits: int) -> float | Float32[Array, "..."]:
    """Return 1 / (1 - rate) for the rounded rate, or 1 if everything is dropped."""
    keep = keep_probability(rate, bits=bits)
    if isinstance(keep, np.floating):
        return float(np.float32(1) / keep)
    # The division comes last: XLA keeps its result, but not that of the selection.
    return np.float32(1) / jnp.where(keep > 0, keep, 1)


def _draw(
    values: Callable[..., Array],
    key: Key,
    shape: Shape,
    out_sharding: OutSharding,
    *operands: ArrayLike,
    **static: Any,
) -> Array:
    static |= {"shape": shape, "sharding": named(out_sharding, shape)}
    compiled = _compiled(values, static["sharding"], tuple(static))
    return compiled(key, *operands, **static)


@functools.cache
def _compiled(
    values: Callable[..., Array],
    sharding: NamedSharding | None,
    static: tuple[str, ...],
) -> Callable[..., Array]:
    """Compile `values`; inside a traced function XLA inlines the call."""
    concrete = sharding is not None and isinstance(sharding.mesh, Mesh)
    out_shardings = sharding if concrete else None
    return jax.jit(values, static_argnames=static, out_shardings=out_shardings)


# Values of random words.


def _mask(key, keep, *, shape, bits, sharding) -> Bool[Array, "*shape"]:
    """u < keep for u uniform on multiples of 2⁻²³, as `jax.random.bernoulli` draws it.

    That is `word >> 9 < ceil(keep·2²³)`, exactly; at 8 bits `byte < keep·256`.
    """
    threshold = jnp.ceil(keep * np.float32(LEVELS[bits])).astype(jnp.uint32)
    if bits == 8 and shape:
        return _in_bytes(key, threshold, shape, sharding)
    discarded = np.uint32(9 if bits == 32 else 24)
    return _elementwise(
        lambda words, threshold: (words >> discarded) < threshold,
        *(key, shape, sharding, threshold),
    )


def _uniform(key, *, shape, sharding) -> Float32[Array, "*shape"]:
    """U[0, 1) as `jax.random.uniform` draws it: the upper 23 bits of each word."""

    def values(words):
        return (words >> np.uint32(9)).astype(jnp.float32) * np.float32(2.0**-23)

    return _elementwise(values, key, shape, sharding)


def _normal(key, *, shape, sharding) -> Float32[Array, "*shape"]:
    """√2 erf⁻¹(u), u uniform on (-1, 1), the upper 23 bits of each word."""
    lowest = np.nextafter(np.float32(-1), np.float32(0))

    def values(words):
        # The mantissa of a number in [1, 2), as in jax.random.uniform.
        bits = (words >> np.uint32(9)) | np.uint32(0x3F800000)
        u = lax.bitcast_convert_type(bits, jnp.float32) - np.float32(1)
        u = jnp.maximum(lowest, u * (np.float32(1) - lowest) + lowest)
        return np.float32(np.sqrt(2)) * lax.erf_inv(u)

    return _elementwise(values, key, shape, sharding)


# Forms of a draw.


def _elementwise(
    values: Callable[..., Array],
    key: Key,
    shape: tuple[int, ...],
    sharding: NamedSharding | None,
    *operands: Array,
) -> Array:
    """Compute `values(words, *operands)` for one word per element of `shape`.

    On a CPU the draw is split into two halves.

    Args:
      values: elementwise function of the words and of `operands`.
      key: typed key. Consumed.
      shape: shape of the words.
      sharding: sharding of the result, from `named`.
      *operands: scalars, or arrays of the rank of `shape` that broadcast to it.
    """
    if not _is_counted(key, shape):
        words = jax.random.bits(
            key, shape, jnp.uint32, out_sharding=explicit_part(sharding)
        )
        return values(_constrain(words, sharding), *operands)
    words_at, index = _consume(key), _element_index(shape, sharding)
    axes = [
        axis
        for axis, n in enumerate(shape)
        if isinstance(n, int) and n > 1 and _is_whole_on_cpu(sharding, axis)
    ]

    def fused():
        return values(words_at(index), *operands)

    def in_halves():
        axis = axes[-1]
        middle = [shape[axis] // 2]
        halves = [
            jnp.split(a, middle, axis) if a.ndim and a.shape[axis] > 1 else (a, a)
            for a in (index, *operands)
        ]
        parts = [values(words_at(i), *b) for i, *b in zip(*halves, strict=True)]
        return jnp.concatenate(parts, axis=axis)

    return lax.platform_dependent(cpu=in_halves, default=fused) if axes else fused()


def _in_bytes(
    key: Key,
    threshold: UInt32[Array, "..."],
    shape: tuple[int, ...],
    sharding: NamedSharding | None,
) -> Bool[Array, "*shape"]:
    """`byte < threshold`: q = ceil(n / 4) words for a last axis of n, cut into planes.

    Plane j is byte j of each word (bits 8j to 8j + 7) and serves the elements from j·q
    on, so that no bytes have to be interleaved.
    """
    n = shape[-1]
    q = -(-n // 4)
    word_shape = (*shape[:-1], q)

    def bits_of_planes(words, *thresholds):
        """A bit per plane, in one byte: the words would be read for each plane."""
        kept = jnp.zeros_like(words)
        for plane, below in enumerate(thresholds):
            bit = _byte(words, np.uint32(8 * plane)) < below
            kept |= bit.astype(jnp.uint32) << np.uint32(plane)
        return kept.astype(jnp.uint8)

    def in_planes():
        thresholds = [_columns(threshold, plane * q, q) for plane in range(4)]
        word_sharding = named(sharding, word_shape)
        kept = _elementwise(bits_of_planes, key, word_shape, word_sharding, *thresholds)
        planes = [(kept & np.uint8(1 << plane)) != 0 for plane in range(4)]
        return jnp.concatenate(planes, axis=-1)[..., :n]

    def per_element():
        index = _element_index(shape, sharding)
        row, column = index // jnp.uint32(n), index % jnp.uint32(n)
        words = _consume(key)(row * jnp.uint32(q) + column % jnp.uint32(q))
        return _byte(words, np.uint32(8) * (column // jnp.uint32(q))) < threshold

    if not _is_counted(key, shape) or _is_whole(sharding, -1):
        return in_planes()
    if isinstance(n, int) and _is_whole_on_cpu(sharding, -1):
        return lax.platform_dependent(cpu=in_planes, default=per_element)
    return per_element()


def _byte(words: Array, shift: ArrayLike) -> UInt32[Array, "..."]:
    return (words >> shift) & np.uint32(255)


def _columns(threshold: Array, start: int, count: int) -> Array:
    """Columns [start, start + count) of the threshold, padded with any value."""
    if not threshold.ndim or threshold.shape[-1] == 1:
        return threshold
    padding = [(0, 0)] * (threshold.ndim - 1) + [(0, 4 * count - threshold.shape[-1])]
    return jnp.pad(threshold, padding)[..., start : start + count]


# The sharding of a draw, so that each device draws its own shard and no more.


def sharding_of(x: jax.Array) -> NamedSharding | None:
    """Return the named sharding of `x` if JAX knows it, else None.

    JAX knows the sharding of concrete arrays on a mesh, and of traced arrays over
    Explicit axes. Over Auto axes the compiler propagates the sharding of `x` to the
    draw.
    """
    if isinstance(x, Tracer):
        sharding = jax.typeof(x).sharding
        return sharding if has_explicit_axes(sharding) else None
    sharding = getattr(x, "sharding", None)
    return sharding if isinstance(sharding, NamedSharding) else None


def named(out_sharding: OutSharding, shape: Shape) -> NamedSharding | None:
    """Resolve a partition spec against the mesh in context.

    Axes of size 1 in `shape` are replicated.
    """
    if out_sharding is None:
        return None
    if isinstance(out_sharding, PartitionSpec):
        mesh = jax.sharding.get_abstract_mesh()
        if mesh.empty:
            raise ValueError(
                f"out_sharding={out_sharding} is a PartitionSpec and needs a mesh. "
                "Pass a NamedSharding, or enter jax.set_mesh(mesh)"
            )
        out_sharding = NamedSharding(mesh, out_sharding)
    if not isinstance(out_sharding, NamedSharding):
        raise TypeError(
            "out_sharding must be a NamedSharding, a PartitionSpec or None, got "
            f"{type(out_sharding).__name__}"
        )
    spec = tuple(out_sharding.spec)
    if len(spec) > len(shape):
        raise ValueError(
            f"out_sharding {out_sharding.spec} has more axes than the shape {shape}"
        )
    spec += (None,) * (len(shape) - len(spec))
    spec = [None if n == 1 else s for s, n in zip(spec, shape, strict=True)]
    return NamedSharding(out_sharding.mesh, PartitionSpec(*spec))


def _is_whole(sharding: NamedSharding | None, axis: int) -> bool:
    """True if the axis is known not to be sharded, on any platform."""
    if sharding is None:
        mesh = jax.sharding.get_abstract_mesh()
        return not mesh.empty and mesh.are_all_axes_manual
    mesh = sharding.mesh
    known = isinstance(mesh, Mesh) or AxisType.Auto not in mesh.axis_types
    return known and sharding.spec[axis] is None


def _is_whole_on_cpu(sharding: NamedSharding | None, axis: int) -> bool:
    """Return True if the axis is known not to be sharded on a CPU."""
    alone = sharding is None and jax.device_count("cpu") == 1
    return alone or _is_whole(sharding, axis)


def _constrain(x: Array, sharding: NamedSharding | None) -> Array:
    """Shard `x` along Auto axes. Along Explicit axes `x` is already sharded."""
    if sharding is None or has_explicit_axes(sharding):
        return x
    return lax.with_sharding_constraint(x, sharding)


# Random words. Threefry is written as array operations, so that XLA can fuse it.


def _is_counted(key: Key, shape: tuple[int, ...]) -> bool:
    """Return True if each word depends on the key and the index of the element only.

    The index has 32 bits. A symbolic shape is assumed to have fewer than 2³² elements.
    """
    size = math.prod(shape)
    if isinstance(size, int) and size >= 2**32:
        return False
    partitionable = jax.config.jax_threefry_partitionable
    return partitionable and str(jax.random.key_impl(key)) == "threefry2x32"


def _element_index(
    shape: tuple[int, ...], sharding: NamedSharding | None
) -> UInt32[Array, "*shape"]:
    """Row-major index of each element of `shape`."""
    explicit = explicit_part(sharding)
    index = jnp.uint32(0)
    for axis in range(len(shape)):
        count = lax.broadcasted_iota(jnp.uint32, shape, axis, out_sharding=explicit)
        index = index + count * jnp.uint32(math.prod(shape[axis + 1 :]))
    return _constrain(index, sharding)


def _consume(key: Key) -> Callable[[UInt32[Array, "..."]], UInt32[Array, "..."]]:
    """Consume a threefry2x32 key; return the elementwise function index -> word.

    The words are those of `jax.random.bits(key, shape, "uint32")`.
    """
    # The key-reuse checker sees only JAX's random primitives, so a draw of shape (0,)
    # marks the key as consumed. The sum of that draw, 0, is used below, because XLA
    # would otherwise remove the draw as dead code.
    nothing = jnp.sum(jax.random.bits(key, (0,), jnp.uint32), dtype=jnp.uint32)
    words = jax.random.key_data(key)
    return functools.partial(_word, words[0] ^ nothing, words[1])


@jax.jit
def _word(k0: Array, k1: Array, index: Array) -> UInt32[Array, "..."]:
    """Twenty rounds of threefry on two 32-bit words (Salmon et al. 2011, section 3).

    Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
    """
    rotations = ((13, 15, 26, 6), (17, 29, 16, 24))
    keys = (k0, k1, k0 ^ k1 ^ np.uint32(0x1BD11BDA))
    x0, x1 = jnp.zeros_like(index) + keys[0], index + keys[1]
    for group in range(5):
        for rotation in rotations[group % 2]:
            x0 = x0 + x1
            left, right = np.uint32(rotation), np.uint32(32 - rotation)
            x1 = ((x1 << left) | (x1 >> right)) ^ x0
        x0 = x0 + keys[(group + 1) % 3]
        x1 = x1 + keys[(group + 2) % 3] + np.uint32(group + 1)
    return x0 ^ x1

"""Convolutions whose gradients are as fast in a loop as outside of it, on a CPU too."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
from jax import lax
from jax import numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jax.sharding import NamedSharding
from jaxtyping import Array, Float

from noisejax._explicit import explicit_spec, has_unused_axes, within_shard_map
from noisejax.models._by_compiler import by_compiler
from noisejax.models._convolution_gradients import (
    CHANNELS_LAST,
    DimensionNumbers,
    Padding,
    gradient_of_images,
    gradient_of_kernel,
    image_padding,
    is_plain,
)


def convolutions(
    lhs: Float[Array, "batch ... inputs"],
    rhs: Float[Array, "... inputs outputs"],
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: DimensionNumbers = None,
    feature_group_count: int = 1,
    precision: lax.PrecisionLike = None,
    preferred_element_type: jax.typing.DTypeLike | None = None,
    out_sharding: NamedSharding | None = None,
) -> Float[Array, "batch ... outputs"]:
    """`lax.conv_general_dilated`, with gradients that XLA runs fast in loops on a CPU.

    For the `conv_general_dilated` argument of Flax's convolutions. JAX's own gradients
    leave it to the compiler to bring the axes into the order that its CPU library
    takes, which it does not do within `lax.scan` or `lax.map`: an epoch as one program
    is then tens of times slower than step by step. Here the order is right from the
    start. It is JAX's own on other devices, with dilation, feature groups, other axes
    or an element type of the sums, and within `jax.shard_map`.

    Over Explicit axes of a mesh JAX's own cannot be differentiated in the kernel: it
    asks where that gradient is to lie. Here the result lies as the examples and the
    output channels do, and the compiler sees to the gradients.

    Args:
      lhs: images, channels last.
      rhs: kernel.
      window_strides: of the window.
      padding: "SAME", "VALID", or pairs of zeros.
      lhs_dilation: of the images.
      rhs_dilation: of the window.
      dimension_numbers: of the axes, as Flax passes them; None: channels last.
      feature_group_count: groups of channels.
      precision: of the products.
      preferred_element_type: of the sums.
      out_sharding: of the result, over Explicit axes; None: as the operands say.

    Returns:
      The convolution.

    Raises:
      ValueError: feature groups over Explicit axes that the images leave unused.

    Example:
      >>> from flax import linen as nn
      >>> from noisejax import models
      >>> layer = nn.Conv(8, (3, 3), conv_general_dilated=models.convolutions)
    """
    if feature_group_count > 1 and has_unused_axes(lhs):
        raise ValueError(
            f"a convolution with feature groups, {feature_group_count}, gets wrong "
            "gradients from XLA over a mesh of which the images leave an axis unused, "
            f"{jax.typeof(lhs)} over {dict(jax.typeof(lhs).sharding.mesh.shape)}: lay "
            "them over all axes, or take a mesh of one axis"
        )
    dimension_numbers = dimension_numbers or _channels_last(lhs.ndim)
    strides = tuple(window_strides)

    def convolve(lhs: Array, rhs: Array) -> Array:
        ours = (
            jax.default_backend() == "cpu"
            and preferred_element_type is None
            and not (within_shard_map(lhs) or within_shard_map(rhs))
        )
        if ours and is_plain(
            lhs, lhs_dilation, rhs_dilation, feature_group_count, dimension_numbers
        ):
            pads = image_padding(padding, lhs, rhs, strides)
            return _convolve(strides, pads, precision, lhs, rhs)
        return lax.conv_general_dilated(
            lhs,
            rhs,
            strides,
            padding,
            lhs_dilation=lhs_dilation,
            rhs_dilation=rhs_dilation,
            dimension_numbers=dimension_numbers,
            feature_group_count=feature_group_count,
            precision=precision,
            preferred_element_type=preferred_element_type,
        )

    spec = spec_of_result(lhs, rhs, dimension_numbers)
    return by_compiler(convolve, lhs, rhs, spec, out_sharding)


def _channels_last(rank: int) -> lax.ConvDimensionNumbers:
    images = (0, rank - 1, *range(1, rank - 1))
    return lax.ConvDimensionNumbers(
        images, (rank - 1, rank - 2, *range(rank - 2)), images
    )


def spec_of_result(
    lhs: Array, rhs: Array, dimension_numbers: DimensionNumbers
) -> tuple[Any, ...]:
    """Examples lie as the images', channels as the kernel's."""
    numbers = lax.conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers)
    spec = [None] * lhs.ndim
    spec[numbers.out_spec[0]] = explicit_spec(lhs)[numbers.lhs_spec[0]]
    spec[numbers.out_spec[1]] = explicit_spec(rhs)[numbers.rhs_spec[0]]
    return tuple(spec)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
def _convolve(
    strides: Sequence[int],
    padding: Padding,
    precision: lax.PrecisionLike,
    lhs: Array,
    rhs: Array,
) -> Array:
    """y[o] = sum over the window of x[s o + w - p] W[w]."""
    return lax.conv_general_dilated(
        lhs,
        rhs,
        strides,
        padding,
        dimension_numbers=CHANNELS_LAST,
        precision=precision,
    )


def _tangent(strides, padding, precision, primals, tangents):
    """The transposes of our gradients; transposed again, these run backward."""
    lhs, rhs = primals
    convolve = functools.partial(lax.conv_general_dilated, precision=precision)
    out = _convolve(strides, padding, precision, lhs, rhs)
    of_images = functools.partial(
        gradient_of_images, convolve, strides, padding, lhs.shape[1:3], rhs
    )
    of_kernel = functools.partial(
        gradient_of_kernel, convolve, strides, padding, rhs.shape[:2], lhs
    )
    terms = [
        jax.linear_transpose(gradient, out)(tangent)[0]
        for gradient, tangent in zip((of_images, of_kernel), tangents, strict=True)
        if not isinstance(tangent, SymbolicZero)
    ]
    return out, functools.reduce(jnp.add, terms)


_convolve.defjvp(_tangent, symbolic_zeros=True)

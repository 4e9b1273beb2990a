"""Convolutions over images: fast in a loop on a CPU, or in bfloat16."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
from jax import lax
from jax.sharding import NamedSharding
from jaxtyping import Array, Float

from noisejax._explicit import explicit_spec, has_unused_axes, within_shard_map
from noisejax.models._bilinear import bilinear, by_compiler
from noisejax.models._convolution_form import CHANNELS_LAST, ONES, convolution

DimensionNumbers = lax.ConvDimensionNumbers | tuple[str, str, str] | None


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

      y[o] = Σ_w x[s o + w - p] W[w]

    For the `conv_general_dilated` argument of Flax's convolutions. JAX's own gradients
    leave it to the compiler to bring the axes into the order that its CPU library
    takes. Within `lax.scan` or `lax.map` it does not, so an epoch as one program is
    tens of times slower than step by step. Here the order is right from the start.

    It is JAX's own with dilation, feature groups, other axes or an element type of the
    sums, and within `jax.shard_map`. Over Explicit axes of a mesh, JAX's own cannot be
    differentiated in the kernel; here the result is sharded as the examples and the
    output channels are, and the compiler shards the gradients.

    Args:
      lhs: images, channels last.
      rhs: kernel.
      window_strides: steps of the window.
      padding: "SAME", "VALID", or pairs of numbers of zeros.
      lhs_dilation: dilation of the images.
      rhs_dilation: dilation of the window.
      dimension_numbers: order of the axes, as Flax passes it; None: channels last.
      feature_group_count: number of groups of channels.
      precision: precision of the products.
      preferred_element_type: dtype of the sums.
      out_sharding: sharding of the result, over Explicit axes; None: that of the
        operands.

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
            "XLA computes wrong gradients of a convolution with feature groups if the "
            f"images leave a mesh axis unused; got {feature_group_count} groups and "
            f"{jax.typeof(lhs)} over {dict(jax.typeof(lhs).sharding.mesh.shape)}. "
            "Shard the images over all axes, or use a mesh of one axis"
        )
    dimension_numbers = dimension_numbers or _channels_last(lhs.ndim)
    plain = _is_plain(
        lhs, lhs_dilation, rhs_dilation, feature_group_count, dimension_numbers
    )
    in_shard_map = within_shard_map(lhs) or within_shard_map(rhs)
    if plain and preferred_element_type is None and not in_shard_map:
        form = convolution(lhs, rhs, window_strides, padding, precision=precision)
        product = functools.partial(bilinear, form)
    else:
        product = functools.partial(
            lax.conv_general_dilated,
            window_strides=window_strides,
            padding=padding,
            lhs_dilation=lhs_dilation,
            rhs_dilation=rhs_dilation,
            dimension_numbers=dimension_numbers,
            feature_group_count=feature_group_count,
            precision=precision,
            preferred_element_type=preferred_element_type,
        )
    spec = _spec_of_result(lhs, rhs, dimension_numbers)
    return by_compiler(product, lhs, rhs, spec, out_sharding)


def bfloat16_convolutions(
    lhs: Float[Array, "batch height width inputs"],
    rhs: Float[Array, "window_y window_x inputs outputs"],
    window_strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: DimensionNumbers = None,
    feature_group_count: int = 1,
    precision: lax.PrecisionLike = None,
    preferred_element_type: jax.typing.DTypeLike | None = None,
    out_sharding: NamedSharding | None = None,
) -> Float[Array, "batch out_y out_x outputs"]:
    """`lax.conv_general_dilated` of operands rounded to bfloat16, sums in float32.

    For the `conv_general_dilated` argument of Flax's convolutions over images.
    Parameters, activations and gradients stay float32; the products are of bfloat16
    operands forward and backward, in every order of derivatives.

    Args:
      lhs: images, channels last.
      rhs: kernel.
      window_strides: steps of the window.
      padding: "SAME", "VALID", or pairs of numbers of zeros.
      lhs_dilation: ones, or None.
      rhs_dilation: ones, or None.
      dimension_numbers: channels last, as Flax passes them, or None.
      feature_group_count: 1.
      precision: ignored; bfloat16 has one.
      preferred_element_type: ignored; sums are float32.
      out_sharding: sharding of the result, over Explicit axes; None: that of the
        operands.

    Returns:
      The convolution, float32.

    Raises:
      ValueError: dilations, feature groups, or operands that are not images.

    Example:
      >>> from flax import linen as nn
      >>> from noisejax import models
      >>> layer = nn.Conv(
      ...     8, (3, 3), conv_general_dilated=models.bfloat16_convolutions
      ... )
    """
    del precision, preferred_element_type
    if not _is_plain(
        lhs, lhs_dilation, rhs_dilation, feature_group_count, dimension_numbers
    ):
        raise ValueError(
            "bfloat16_convolutions needs images [B, Y, X, C] without dilation or "
            f"feature groups; got {lhs.shape}, dilations {lhs_dilation} and "
            f"{rhs_dilation}, {feature_group_count} groups, axes {dimension_numbers}. "
            "Use models.convolutions"
        )
    form = convolution(lhs, rhs, window_strides, padding, rounded=True)
    product = functools.partial(bilinear, form)
    spec = _spec_of_result(lhs, rhs, CHANNELS_LAST)
    return by_compiler(product, lhs, rhs, spec, out_sharding)


def _is_plain(
    lhs: Array,
    lhs_dilation: Sequence[int] | None,
    rhs_dilation: Sequence[int] | None,
    feature_group_count: int,
    dimension_numbers: DimensionNumbers,
) -> bool:
    """True for images, channels last, without dilation and feature groups."""
    dilated = any(tuple(d or ONES) != ONES for d in (lhs_dilation, rhs_dilation))
    if lhs.ndim != 4 or dilated or feature_group_count != 1:
        return False
    ranks = (1,) * 4
    plain = lax.conv_dimension_numbers(ranks, ranks, CHANNELS_LAST)
    return lax.conv_dimension_numbers(ranks, ranks, dimension_numbers or plain) == plain


def _channels_last(rank: int) -> lax.ConvDimensionNumbers:
    images = (0, rank - 1, *range(1, rank - 1))
    return lax.ConvDimensionNumbers(
        images, (rank - 1, rank - 2, *range(rank - 2)), images
    )


def _spec_of_result(
    lhs: Array, rhs: Array, dimension_numbers: DimensionNumbers
) -> tuple[Any, ...]:
    """Examples are sharded as the images', channels as the kernel's."""
    numbers = lax.conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers)
    spec = [None] * lhs.ndim
    spec[numbers.out_spec[0]] = explicit_spec(lhs)[numbers.lhs_spec[0]]
    spec[numbers.out_spec[1]] = explicit_spec(rhs)[numbers.rhs_spec[0]]
    return tuple(spec)

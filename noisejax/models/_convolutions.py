"""Image convolutions that are fast in loops on a CPU, or have bfloat16 operands."""

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
    """`lax.conv_general_dilated` whose gradients are fast in loops on a CPU.

      y[o] = Σ_w x[s o + w - p] W[w]

    Pass it as the `conv_general_dilated` argument of a Flax convolution. XLA's CPU
    library needs a certain axis order for the gradients. XLA does not transpose the
    axes within `lax.scan` or `lax.map`, where the standard gradients are tens of times
    slower. Here the gradients have the right axis order from the start.

    The function is `lax.conv_general_dilated` within `jax.shard_map`, and for
    dilations, feature groups, other axis orders and a given `preferred_element_type`.
    On Explicit mesh axes, JAX cannot differentiate its convolution with respect to the
    kernel. Here the result has the sharding of the examples and the output channels,
    and the compiler chooses the sharding of the gradients.

    Args:
      lhs: images, channels last.
      rhs: kernel.
      window_strides: strides of the window.
      padding: "SAME", "VALID", or numbers of zeros before and after each spatial axis.
      lhs_dilation: dilation of the images.
      rhs_dilation: dilation of the window.
      dimension_numbers: axis order, as passed by Flax. The default is channels last.
      feature_group_count: number of groups of channels.
      precision: precision of the products.
      preferred_element_type: dtype of the sums.
      out_sharding: sharding of the result on Explicit axes. By default it follows from
        the operands.

    Returns:
      The convolution.

    Raises:
      ValueError: there are feature groups, and the images are sharded over some but not
        all Explicit axes.

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
            "Shard the images over all axes, or use a mesh with one axis"
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
    """`lax.conv_general_dilated` of operands rounded to bfloat16, with float32 sums.

    Pass it as the `conv_general_dilated` argument of a Flax convolution over images.
    Parameters, activations and gradients stay in float32. All products have bfloat16
    operands, in the forward pass and in derivatives of any order.

    Args:
      lhs: images, channels last.
      rhs: kernel.
      window_strides: strides of the window.
      padding: "SAME", "VALID", or numbers of zeros before and after each spatial axis.
      lhs_dilation: must be None or ones.
      rhs_dilation: must be None or ones.
      dimension_numbers: axis order, which must be channels last or None.
      feature_group_count: must be 1.
      precision: ignored, because the operands are bfloat16.
      preferred_element_type: ignored, because sums are float32.
      out_sharding: sharding of the result on Explicit axes. By default it follows from
        the operands.

    Returns:
      The convolution, in float32.

    Raises:
      ValueError: there are dilations or feature groups, or the operands are not images.

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
    """Return True for images with channels last, without dilation or feature groups."""
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
    """Return mesh axes: the batch as in the images, channels as in the kernel."""
    numbers = lax.conv_dimension_numbers(lhs.shape, rhs.shape, dimension_numbers)
    spec = [None] * lhs.ndim
    spec[numbers.out_spec[0]] = explicit_spec(lhs)[numbers.lhs_spec[0]]
    spec[numbers.out_spec[1]] = explicit_spec(rhs)[numbers.rhs_spec[0]]
    return tuple(spec)

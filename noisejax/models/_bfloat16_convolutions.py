"""Convolutions in bfloat16 with float32 accumulation."""

import functools
from collections.abc import Sequence

import jax
from jax import lax
from jax import numpy as jnp
from jax.sharding import NamedSharding
from jaxtyping import Array, Float

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
from noisejax.models._convolutions import spec_of_result


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
    """A `lax.conv_general_dilated` of bfloat16 operands, its sums in float32.

    For the `conv_general_dilated` argument of Flax's convolutions over images: forward
    and both backward products; parameters, activations and gradients stay float32.
    Reverse mode only.

    Args:
      lhs: images, channels last.
      rhs: kernel.
      window_strides: of the window.
      padding: "SAME", "VALID", or pairs of zeros.
      lhs_dilation: ones, or None.
      rhs_dilation: ones, or None.
      dimension_numbers: channels last, as Flax passes them, or None.
      feature_group_count: 1.
      precision: ignored; bfloat16 has one.
      preferred_element_type: ignored; sums are float32.
      out_sharding: of the result, over Explicit axes; None: as the operands say.

    Returns:
      The convolution, float32.

    Raises:
      ValueError: dilations or feature groups, or no images.

    Example:
      >>> from flax import linen as nn
      >>> from noisejax import models
      >>> layer = nn.Conv(
      ...     8, (3, 3), conv_general_dilated=models.bfloat16_convolutions
      ... )
    """
    del precision, preferred_element_type
    plain = is_plain(
        lhs, lhs_dilation, rhs_dilation, feature_group_count, dimension_numbers
    )
    if not plain:
        raise ValueError(
            "bfloat16_convolutions takes images [B, Y, X, C] without dilation or "
            f"feature groups, got {lhs.shape}, dilations {lhs_dilation} and "
            f"{rhs_dilation}, {feature_group_count} groups, axes {dimension_numbers}; "
            "use JAX's own convolution"
        )
    strides = tuple(window_strides)
    pads = image_padding(padding, lhs, rhs, strides)
    convolve = functools.partial(_convolve, strides, pads)
    spec = spec_of_result(lhs, rhs, CHANNELS_LAST)
    return by_compiler(convolve, lhs, rhs, spec, out_sharding)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _convolve(strides: Sequence[int], padding: Padding, lhs: Array, rhs: Array):
    """y[o] = sum over the window of x[s o + w - p] W[w], of rounded operands."""
    return _sums(lhs, rhs, strides, padding)


def _forward(strides, padding, lhs, rhs):
    lhs, rhs = lhs.astype(jnp.bfloat16), rhs.astype(jnp.bfloat16)
    return _convolve(strides, padding, lhs, rhs), (lhs, rhs)


def _backward(strides, padding, operands, gradient):
    lhs, rhs = operands
    where = _sums, strides, padding
    return (
        gradient_of_images(*where, lhs.shape[1:3], rhs, gradient),
        gradient_of_kernel(*where, rhs.shape[:2], lhs, gradient),
    )


_convolve.defvjp(_forward, _backward)


def _sums(
    lhs: Array,
    rhs: Array,
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    *,
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: tuple[str, str, str] = CHANNELS_LAST,
) -> Array:
    """A convolution of rounded operands."""
    return lax.conv_general_dilated(
        lhs.astype(jnp.bfloat16),
        rhs.astype(jnp.bfloat16),
        strides,
        padding,
        lhs_dilation=lhs_dilation,
        rhs_dilation=rhs_dilation,
        dimension_numbers=dimension_numbers,
        preferred_element_type=jnp.float32,
    )

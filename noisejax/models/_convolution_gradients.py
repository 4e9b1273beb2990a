"""The two gradients of a convolution over images, each a convolution again."""

from collections.abc import Callable, Sequence

import jax
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float

CHANNELS_LAST = ("NHWC", "HWIO", "NHWC")
ONES = (1, 1)
Padding = tuple[tuple[int, int], ...]

DimensionNumbers = lax.ConvDimensionNumbers | tuple[str, str, str] | None

Convolve = Callable[..., Array]
"""`lax.conv_general_dilated`, or the same of rounded operands."""


def image_padding(
    padding: str | Sequence[tuple[int, int]],
    lhs: Float[Array, "batch height width inputs"],
    rhs: Float[Array, "window_y window_x inputs outputs"],
    strides: Sequence[int],
) -> Padding:
    """Zeros before and after each axis of the images."""
    if isinstance(padding, str):
        padding = lax.padtype_to_pads(
            lhs.shape[1:3], rhs.shape[:2], strides, padding.upper()
        )
    return tuple(map(tuple, padding))


def is_plain(
    lhs: Float[Array, "..."],
    lhs_dilation: Sequence[int] | None,
    rhs_dilation: Sequence[int] | None,
    feature_group_count: int,
    dimension_numbers: DimensionNumbers,
) -> bool:
    """Whether it is of images, channels last, without dilation and feature groups."""
    dilated = any(tuple(d or ONES) != ONES for d in (lhs_dilation, rhs_dilation))
    if lhs.ndim != 4 or dilated or feature_group_count != 1:
        return False
    return dimension_numbers is None or _axes(dimension_numbers) == _axes(CHANNELS_LAST)


def _axes(dimension_numbers: DimensionNumbers) -> lax.ConvDimensionNumbers:
    ranks = (1,) * 4
    return lax.conv_dimension_numbers(ranks, ranks, dimension_numbers)


def gradient_of_images(
    convolve: Convolve,
    strides: Sequence[int],
    padding: Padding,
    size: Sequence[int],
    rhs: Float[Array, "window_y window_x inputs outputs"],
    gradient: Float[Array, "batch out_y out_x outputs"],
) -> Float[Array, "batch height width inputs"]:
    """The gradient in images of height and width `size`."""
    pads = []
    for (low, _), n, window, out, s in zip(
        padding, size, rhs.shape[:2], gradient.shape[1:3], strides, strict=True
    ):
        pads.append((window - 1 - low, n + low - (s * (out - 1) + 1)))
    flipped = jnp.flip(rhs, (0, 1)).swapaxes(2, 3)
    return convolve(
        gradient,
        flipped,
        ONES,
        pads,
        lhs_dilation=strides,
        dimension_numbers=CHANNELS_LAST,
    )


def gradient_of_kernel(
    convolve: Convolve,
    strides: Sequence[int],
    padding: Padding,
    size: Sequence[int],
    lhs: Float[Array, "batch height width inputs"],
    gradient: Float[Array, "batch out_y out_x outputs"],
) -> Float[Array, "window_y window_x inputs outputs"]:
    """The gradient in a kernel of window `size`.

    Channels of x count as examples, examples as channels: the sum is over them. On a
    CPU the axes are moved first: XLA does that itself, but not within a loop, and runs
    there what it did not move tens of times slower.
    """
    pads = []
    for (low, _), n, window, out, s in zip(
        padding, lhs.shape[1:3], size, gradient.shape[1:3], strides, strict=True
    ):
        pads.append((low, s * (out - 1) + window - low - n))
    axes = ("CHWN", "IHWO", "HWNC")
    move = jax.default_backend() == "cpu"
    if move:
        lhs, gradient = lhs.transpose(3, 1, 2, 0), gradient.transpose(1, 2, 0, 3)
        axes = CHANNELS_LAST
    kernel = convolve(
        lhs, gradient, ONES, pads, rhs_dilation=strides, dimension_numbers=axes
    )
    return kernel.transpose(1, 2, 0, 3) if move else kernel

"""Convolutions over images: fast in a loop on a CPU, or in bfloat16."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
from jax import lax
from jax import numpy as jnp
from jax.sharding import NamedSharding
from jaxtyping import Array, Float

from noisejax._explicit import explicit_spec, has_unused_axes, within_shard_map
from noisejax.models._bilinear import Bilinear, bilinear, by_compiler

CHANNELS_LAST = ("NHWC", "HWIO", "NHWC")
ONES = (1, 1)
IMAGES, KERNEL, OUT = "images", "kernel", "out"

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
        form = _form(lhs, rhs, window_strides, padding, precision=precision)
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
    form = _form(lhs, rhs, window_strides, padding, rounded=True)
    product = functools.partial(bilinear, form)
    spec = _spec_of_result(lhs, rhs, CHANNELS_LAST)
    return by_compiler(product, lhs, rhs, spec, out_sharding)


@dataclasses.dataclass(frozen=True)
class Convolution(Bilinear):
    """A convolution of images and a kernel, or one of its transposes.

    Attributes:
      strides: steps of the window.
      padding: zeros before and after each axis of the images.
      size: height and width of the images.
      window: height and width of the kernel.
      precision: precision of the products.
      mapped: number of leading axes of all arrays that are mapped over.
    """

    strides: tuple[int, ...] = ONES
    padding: tuple[tuple[int, int], ...] = ()
    size: tuple[int, ...] = ()
    window: tuple[int, ...] = ()
    precision: lax.PrecisionLike = None
    mapped: int = 0

    def __call__(self, lhs, rhs):
        return self._compute(lhs, rhs, on_cpu=False)

    def on_cpu(self, lhs, rhs):
        return self._compute(lhs, rhs, on_cpu=True)

    def batch(self, args, axes):
        size = next(
            x.shape[i] for x, i in zip(args, axes, strict=True) if i is not None
        )
        args = [
            jnp.broadcast_to(x, (size, *x.shape))
            if i is None
            else jnp.moveaxis(x, i, 0)
            for x, i in zip(args, axes, strict=True)
        ]
        roles = {self.left: axes[0], self.right: axes[1]}
        if self.mapped or roles.get(KERNEL, 0) is not None:
            form = dataclasses.replace(self, mapped=self.mapped + 1)
            return bilinear(form, *args)
        # One kernel for all: the new axis is merged with the examples.
        kernel, many = args if self.left == KERNEL else args[::-1]
        many = many.reshape(-1, *many.shape[2:])
        pair = (kernel[0], many) if self.left == KERNEL else (many, kernel[0])
        out = bilinear(self, *pair)
        return out.reshape(size, -1, *out.shape[1:])

    def _compute(self, lhs, rhs, *, on_cpu):
        def compute(lhs, rhs):
            arrays = {self.left: lhs, self.right: rhs}
            if self.out == OUT:
                return self._convolve(arrays[IMAGES], arrays[KERNEL], self.padding)
            if self.out == IMAGES:
                return self._gradient_of_images(arrays[OUT], arrays[KERNEL])
            return self._gradient_of_kernel(arrays[IMAGES], arrays[OUT], on_cpu)

        for _ in range(self.mapped):
            compute = jax.vmap(compute)
        return compute(lhs, rhs)

    def _gradient_of_images(self, gradient, kernel):
        pads = []
        for (low, _), n, window, out, s in self._sizes(gradient):
            pads.append((window - 1 - low, n + low - (s * (out - 1) + 1)))
        flipped = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)
        return self._convolve(gradient, flipped, pads, strides=ONES, lhs_d=self.strides)

    def _gradient_of_kernel(self, images, gradient, on_cpu):
        """Channels of the images count as examples, examples as channels.

        XLA moves the axes itself on a CPU, except within a loop. A loop over axes that
        are not moved is tens of times slower.
        """
        pads = []
        for (low, _), n, window, out, s in self._sizes(gradient):
            pads.append((low, s * (out - 1) + window - low - n))
        axes = ("CHWN", "IHWO", "HWNC")
        if on_cpu:
            images = images.transpose(3, 1, 2, 0)
            gradient = gradient.transpose(1, 2, 0, 3)
            axes = CHANNELS_LAST
        kernel = self._convolve(
            images, gradient, pads, strides=ONES, rhs_d=self.strides, axes=axes
        )
        return kernel.transpose(1, 2, 0, 3) if on_cpu else kernel

    def _sizes(self, gradient):
        sizes = self.padding, self.size, self.window, gradient.shape[1:3], self.strides
        return zip(*sizes, strict=True)

    def _convolve(
        self, lhs, rhs, padding, *, strides=None, lhs_d=None, rhs_d=None, axes=None
    ):
        return lax.conv_general_dilated(
            self.round(lhs),
            self.round(rhs),
            self.strides if strides is None else strides,
            padding,
            lhs_dilation=lhs_d,
            rhs_dilation=rhs_d,
            dimension_numbers=axes or CHANNELS_LAST,
            precision=self.precision,
            preferred_element_type=jnp.float32 if self.rounded else None,
        )


def _form(lhs, rhs, strides, padding, **options) -> Convolution:
    """Return the convolution of these operands, with its padding in numbers."""
    if isinstance(padding, str):
        padding = lax.padtype_to_pads(
            lhs.shape[1:3], rhs.shape[:2], strides, padding.upper()
        )
    return Convolution(
        IMAGES,
        KERNEL,
        OUT,
        strides=tuple(strides),
        padding=tuple(map(tuple, padding)),
        size=lhs.shape[1:3],
        window=rhs.shape[:2],
        **options,
    )


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

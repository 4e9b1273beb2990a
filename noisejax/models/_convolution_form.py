"""Image convolutions and their gradients as bilinear products."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax.models._bilinear import Bilinear, bilinear

CHANNELS_LAST = ("NHWC", "HWIO", "NHWC")
ONES = (1, 1)
IMAGES, KERNEL, OUT = "images", "kernel", "out"


@dataclasses.dataclass(frozen=True)
class Convolution(Bilinear):
    """A convolution of images with a kernel, or one of the transposes.

    Attributes:
      strides: strides of the window.
      padding: number of zeros before and after each spatial axis of the images.
      size: height and width of the images.
      window: height and width of the kernel.
      precision: precision of the products.
      mapped: number of leading axes over which the convolution is mapped.
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
        # The kernel is not mapped, so the mapped axis is merged with the batch axis.
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
        """Convolve with the roles of examples and channels exchanged.

        On a CPU, XLA transposes the axes for its fast library only outside loops.
        Without the transposition a loop is tens of times slower, so it is explicit
        here.
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


def convolution(
    lhs: Float[Array, "batch height width inputs"],
    rhs: Float[Array, "window_y window_x inputs outputs"],
    strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    **options: Any,
) -> Convolution:
    """Build the `Convolution` of two operands, with numeric padding."""
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

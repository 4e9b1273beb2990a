"""Folds shifts into the next layer, so that a plain network remains at test time.

If the next layer f is affine, then f(a + β) = f(a) + (f(β) - f(0)), so the shift
becomes a bias (Ba et al. 2014, after eq. 9). Max-pooling commutes with a constant per
channel, but not with one per unit. Other nonlinear layers are not supported.
"""

import math
from collections.abc import Sequence

from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax.noise._checks import fit


def fold_into_dense(
    beta: Float[Array, "..."],
    kernel: Float[Array, "inputs outputs"],
    bias: Float[Array, " outputs"] | None = None,
    *,
    input_shape: Sequence[int] | None = None,
) -> Float[Array, " outputs"]:
    """Fold the shifts of a dense layer's input into its bias:  b + β W.

    Args:
      beta: shifts of the layer's input.
      kernel: W, [inputs, outputs].
      bias: b, [outputs], or None for zeros.
      input_shape: shape of the input before it was flattened, e.g. (Y, X, C), if
        `beta` has that shape or is per channel. None means that the input was flat.

    Returns:
      New bias, [outputs]. The kernel does not change.

    Raises:
      ValueError: `beta` does not fit the input, or the input does not fit the kernel.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import noise
      >>> noise.fold_into_dense(jnp.array([1.0, 2.0]), jnp.ones((2, 3)))
      Array([3., 3., 3.], dtype=float32)
    """
    inputs, outputs = kernel.shape
    input_shape = (inputs,) if input_shape is None else tuple(input_shape)
    if math.prod(input_shape) != inputs:
        raise ValueError(
            f"an input of shape {input_shape} has {math.prod(input_shape)} units, but "
            f"the kernel {kernel.shape} takes {inputs}; pass its unflattened shape"
        )
    constant = _at_all_units(beta, input_shape).reshape(inputs)
    return _bias(bias, outputs, kernel.dtype) + jnp.matmul(
        constant.astype(kernel.dtype), kernel, precision=lax.Precision.HIGHEST
    )


def fold_into_conv(
    beta: Float[Array, "..."],
    kernel: Float[Array, "*window inputs outputs"],
    bias: Float[Array, " outputs"] | None = None,
    *,
    input_shape: Sequence[int],
    padding: str | Sequence[tuple[int, int]] = "SAME",
    strides: int | Sequence[int] = 1,
    kernel_dilation: int | Sequence[int] = 1,
    feature_group_count: int = 1,
) -> Float[Array, "..."]:
    """Fold the shifts of a convolution's input into its bias:  b + β ⋆ W.

    With VALID padding, shifts per channel become one bias per output channel. With
    padded zeros the border receives less of the shift, so the bias differs between
    output positions. Shifts per position also give a bias per position.

    Args:
      beta: shifts of the layer's input: per channel [C], or per position [*spatial, C].
      kernel: W, [*window, C / groups, outputs], as in Flax.
      bias: b, [outputs] or per position, or None for zeros.
      input_shape: [*spatial, C] of one example.
      padding: "VALID", "SAME", or pairs (low, high) of zeros per spatial axis.
      strides: strides of the window, one number or one per spatial axis.
      kernel_dilation: dilation of the kernel, one number or one per spatial axis.
      feature_group_count: number of groups of channels, as in Flax.

    Returns:
      New bias, [outputs] if it is the same at all positions, and
      [*output spatial, outputs] otherwise. Add it to the convolution without a bias.

    Raises:
      ValueError: `beta` does not fit the input, the input does not fit the kernel, or
        no bias is exact under the padding (for CIRCULAR, wrap the input and pass
        VALID).

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import noise
      >>> beta, kernel = jnp.ones(1), jnp.ones((3, 1, 1))
      >>> noise.fold_into_conv(beta, kernel, input_shape=(4, 1))[:, 0]
      Array([2., 3., 3., 2.], dtype=float32)
      >>> noise.fold_into_conv(beta, kernel, input_shape=(4, 1), padding="VALID")
      Array([3.], dtype=float32)
    """
    input_shape = tuple(input_shape)
    rank = kernel.ndim - 2
    if len(input_shape) != rank + 1:
        raise ValueError(
            f"input_shape must be the {rank} spatial axes and the channels of one "
            f"example for a kernel {kernel.shape}, got {input_shape}"
        )
    if input_shape[-1] != kernel.shape[-2] * feature_group_count:
        raise ValueError(
            f"the kernel {kernel.shape} in {feature_group_count} groups takes "
            f"{kernel.shape[-2] * feature_group_count} channels, the input "
            f"{input_shape} has {input_shape[-1]}"
        )
    if isinstance(padding, str) and padding not in ("VALID", "SAME"):
        raise ValueError(
            f"padding must be VALID, SAME or pairs of zeros per spatial axis, got "
            f"{padding!r}, under which the shift is not folded exactly"
        )
    spatial = "xyzuvw"[:rank]
    constant = _at_all_units(beta, input_shape)
    response = lax.conv_general_dilated(
        constant[None].astype(kernel.dtype),
        kernel,
        window_strides=_per_axis(strides, rank),
        padding=padding,
        rhs_dilation=_per_axis(kernel_dilation, rank),
        dimension_numbers=(f"N{spatial}C", f"{spatial}IO", f"N{spatial}C"),
        feature_group_count=feature_group_count,
        precision=lax.Precision.HIGHEST,
    )[0]
    if _is_per_channel(beta) and not _pads(padding, kernel.shape[:-2]):
        response = response.reshape(-1, response.shape[-1])[0]
    bias = _bias(bias, response.shape[-1], kernel.dtype)
    return bias.reshape((1,) * (response.ndim - bias.ndim) + bias.shape) + response


def fold_through_max_pool(
    beta: Float[Array, "..."], *, input_shape: Sequence[int]
) -> Float[Array, "..."]:
    """Move shifts from before a max-pooling to after it.

    max(a_i + β) = max(a_i) + β if β is constant in each channel, so such shifts do not
    change. Shifts per unit influence which unit is the largest and cannot be moved.

    Args:
      beta: shifts before the pooling; per channel, [C] or [1, ..., 1, C].
      input_shape: [*spatial, C] of one example before the pooling.

    Returns:
      Shifts after the pooling, [C].

    Raises:
      ValueError: the shifts differ between positions.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import noise
      >>> noise.fold_through_max_pool(jnp.array([1.0, 2.0]), input_shape=(4, 4, 2))
      Array([1., 2.], dtype=float32)
    """
    channels = input_shape[-1]
    if not _is_per_channel(beta):
        raise ValueError(
            "a shift per position does not commute with max-pooling and cannot be "
            f"folded exactly: got beta {beta.shape} on {tuple(input_shape)}; use one "
            f"shift per channel, ({channels},), or shift after the pooling"
        )
    return _at_all_units(beta.reshape(beta.shape[-1:]), (channels,))


def _at_all_units(beta: Array, input_shape: tuple[int, ...]) -> Array:
    shape = fit(beta.shape, input_shape, name="beta")
    return jnp.broadcast_to(beta.reshape(shape), input_shape)


def _is_per_channel(beta: Array) -> bool:
    return all(n == 1 for n in beta.shape[:-1])


def _pads(padding: str | Sequence[tuple[int, int]], window: tuple[int, ...]) -> bool:
    if isinstance(padding, str):
        return padding == "SAME" and any(n > 1 for n in window)
    return any(low or high for low, high in padding)


def _bias(bias: Array | None, outputs: int, dtype) -> Array:
    if bias is None:
        return jnp.zeros(outputs, dtype)
    if bias.shape[-1:] != (outputs,):
        raise ValueError(f"bias must be of shape ({outputs},), got {bias.shape}")
    return bias


def _per_axis(value: int | Sequence[int], rank: int) -> tuple[int, ...]:
    return (value,) * rank if isinstance(value, int) else tuple(value)

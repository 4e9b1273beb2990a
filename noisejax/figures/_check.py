"""Checks of arguments, and means over seeds."""

from collections.abc import Collection

import numpy as np
from jaxtyping import Float


def check_some(values: Collection, what: str) -> None:
    """Checks that there is something to draw.

    Args:
      values: what is drawn one by one, such as the layers of a mapping.
      what: words for it, such as "layers".

    Raises:
      ValueError: `values` is empty.
    """
    if not len(values):
        raise ValueError(
            f"there is nothing to draw: {what} must not be empty, got none"
        )


def check_series(**arrays: Float[np.ndarray, "..."] | None) -> list[np.ndarray]:
    """Returns arrays of one axis and one length, in float64.

    Args:
      **arrays: arrays by their names in the message; None is left out.

    Raises:
      ValueError: an array is empty or has several axes, or lengths differ.
    """
    wide = {
        name: np.asarray(array, np.float64)
        for name, array in arrays.items()
        if array is not None
    }
    shapes = {name: array.shape for name, array in wide.items()}
    one = next(iter(shapes.values()))
    if len(set(shapes.values())) > 1 or len(one) != 1 or not one[0]:
        received = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(
            "arrays of one curve must have one axis of the same length, at least 1; "
            f"got the shapes {received}"
        )
    return list(wide.values())


def check_images(name: str, images: np.ndarray, ndim: int, what: str) -> np.ndarray:
    """Returns grey images [..., h, w] or coloured ones [..., h, w, 3], as float64.

    Args:
      name: name of the argument.
      images: images; a last axis of size 1 is removed.
      ndim: number of axes of grey images.
      what: the shape in words.

    Raises:
      ValueError: there is no image, or the shape is another.
    """
    images = np.asarray(images, np.float64)
    if images.ndim == ndim + 1 and images.shape[-1] == 1:
        images = images[..., 0]
    coloured = images.ndim == ndim + 1 and images.shape[-1] == 3
    if not images.size or not (images.ndim == ndim or coloured):
        raise ValueError(
            f"{name} must be {what}, grey or with a last axis of 3 colours, got shape "
            f"{images.shape}"
        )
    return images


def mean_and_error(
    values: Float[np.ndarray, "seeds ..."],
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """Returns means over seeds and their standard errors, 0 for one seed.

    NaN is left out.
    """
    values = np.asarray(values, np.float64)
    known = np.isfinite(values)
    count = known.sum(axis=0)
    mean = np.where(known, values, 0.0).sum(axis=0) / np.maximum(count, 1)
    squares = np.where(known, (values - mean) ** 2, 0.0).sum(axis=0)
    error = np.sqrt(squares / np.maximum(count - 1, 1) / np.maximum(count, 1))
    return np.where(count > 0, mean, np.nan), error

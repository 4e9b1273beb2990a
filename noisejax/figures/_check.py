"""What can be drawn: arrays that hold something and fit each other."""

from collections.abc import Collection

import numpy as np
from jaxtyping import Float


def check_some(values: Collection, what: str) -> None:
    """Raises a ValueError where there is nothing to draw.

    Args:
      values: what is drawn one by one, such as the layers of a mapping.
      what: it is, in words, such as "layers".
    """
    if not len(values):
        raise ValueError(
            f"there is nothing to draw: {what} must not be empty, got none"
        )


def check_series(**arrays: Float[np.ndarray, "..."] | None) -> list[np.ndarray]:
    """The arrays in float64, of one axis and one length.

    Args:
      **arrays: by the names that the message gives them; None: left out.

    Raises:
      ValueError: another number of axes, an empty array, or lengths that differ.
    """
    wide = {
        name: np.asarray(array, np.float64)
        for name, array in arrays.items()
        if array is not None
    }
    shapes = {name: array.shape for name, array in wide.items()}
    one = next(iter(shapes.values()))
    if len(set(shapes.values())) > 1 or len(one) != 1 or not one[0]:
        told = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(
            "what is drawn against each other must have one axis of the same length, "
            f"at least 1; got the shapes {told}"
        )
    return list(wide.values())


def check_images(name: str, images: np.ndarray, ndim: int, what: str) -> np.ndarray:
    """Grey pictures [..., h, w] or coloured ones [..., h, w, 3], as float64.

    Args:
      name: of the argument.
      images: to check; a last axis of size 1 is taken off.
      ndim: axes of grey pictures.
      what: the shape in words.

    Raises:
      ValueError: no picture, or another shape.
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

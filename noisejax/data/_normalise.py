"""Normalisation of images: each by itself, or by the training part's statistics."""

import dataclasses

import numpy as np
from jaxtyping import Float, Shaped

EPSILON = 1e-8


def as_float(x: Shaped[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Pixels of bytes in [0, 1]; floating examples as they are, float32."""
    if x.dtype == np.uint8:
        return x.astype(np.float32) / np.float32(255)
    return x.astype(np.float32)


def normalise_contrast(
    x: Shaped[np.ndarray, "examples ..."], *, scale: float = 1.0
) -> Float[np.ndarray, "examples ..."]:
    """Global contrast normalisation:  x ↦ scale (x - mean(x)) / std(x), per image.

    (Ba et al. 2014, section 3.2.) A constant image becomes 0. The scale is ours: the
    paper prints none.

    Args:
      x: examples, uint8 or floating.
      scale: the standard deviation afterwards.

    Returns:
      Float32 examples of mean 0 and standard deviation `scale` each.

    Example:
      >>> import numpy as np
      >>> from noisejax import data
      >>> data.normalise_contrast(np.array([[0.0, 1.0], [3.0, 3.0]]))
      array([[-1.,  1.],
             [ 0.,  0.]], dtype=float32)
    """
    x = as_float(x)
    axes = tuple(range(1, x.ndim))
    centred = x - x.mean(axes, keepdims=True)
    std = centred.std(axes, keepdims=True)
    return (scale * centred / np.maximum(std, EPSILON)).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Standardisation:
    """Mean and standard deviation per channel, of the training part.

    Attributes:
      mean: [C].
      std: [C].
    """

    mean: Float[np.ndarray, " channels"]
    std: Float[np.ndarray, " channels"]

    def transform(self, x: Shaped[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """(x - mean) / std."""
        return ((as_float(x) - self.mean) / self.std).astype(np.float32)

    def inverse(self, x: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """Back to pixels in [0, 1]."""
        return (x * self.std + self.mean).astype(np.float32)


def fit_standardisation(x: Shaped[np.ndarray, "examples ..."]) -> Standardisation:
    """Means and standard deviations over examples and positions.

    Args:
      x: the training part alone, channels last.

    Returns:
      What standardises any part.

    Example:
      >>> import numpy as np
      >>> from noisejax import data
      >>> fit = data.fit_standardisation(np.array([[1.0, 5.0], [3.0, 5.0]]))
      >>> fit.mean.tolist(), fit.transform(np.array([[4.0, 5.0]])).tolist()
      ([2.0, 5.0], [[2.0, 0.0]])
    """
    x = as_float(x)
    axes = tuple(range(x.ndim - 1))
    std = x.std(axes, dtype=np.float64)
    return Standardisation(
        mean=x.mean(axes, dtype=np.float64).astype(np.float32),
        std=np.where(std > EPSILON, std, 1.0).astype(np.float32),
    )

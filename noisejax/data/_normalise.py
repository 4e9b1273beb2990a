"""Normalisation per image, or by statistics of the training examples."""

import dataclasses

import numpy as np
from jaxtyping import Float, Shaped

EPSILON = 1e-8


def as_float(x: Shaped[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Convert to float32; uint8 pixels are scaled to [0, 1]."""
    if x.dtype == np.uint8:
        return x.astype(np.float32) / np.float32(255)
    return x.astype(np.float32)


def normalise_contrast(
    x: Shaped[np.ndarray, "examples ..."], *, scale: float = 1.0
) -> Float[np.ndarray, "examples ..."]:
    """Global contrast normalisation:  x ↦ scale (x - mean(x)) / std(x), per image.

    See Ba et al. 2014, section 3.2, which prints no scale. A constant image becomes 0.

    Args:
      x: examples, uint8 or floating.
      scale: standard deviation of each normalised image.

    Returns:
      Normalised examples in float32, each with mean 0.

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
    """Standardisation of channels to mean 0 and standard deviation 1.

    Attributes:
      mean: mean of each channel of the training examples, [C].
      std: standard deviation of each channel, [C].
    """

    mean: Float[np.ndarray, " channels"]
    std: Float[np.ndarray, " channels"]

    def transform(self, x: Shaped[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """Return (x - mean) / std."""
        return ((as_float(x) - self.mean) / self.std).astype(np.float32)

    def inverse(self, x: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """Return x std + mean."""
        return (x * self.std + self.mean).astype(np.float32)


def fit_standardisation(x: Shaped[np.ndarray, "examples ..."]) -> Standardisation:
    """Compute the mean and standard deviation of each channel.

    Args:
      x: training examples, with channels last.

    Returns:
      The fitted standardisation. A constant channel has the standard deviation 1.

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

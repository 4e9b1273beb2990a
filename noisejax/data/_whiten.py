"""Principal component analysis (PCA) and zero-phase whitening (ZCA)."""

import dataclasses
import math

import numpy as np
from jaxtyping import Float, Shaped

from noisejax.data._normalise import as_float

CHUNK = 10_000
"""Number of examples per partial sum of the covariance."""


@dataclasses.dataclass(frozen=True)
class PCA:
    """Projection onto the leading principal axes, without whitening.

    Attributes:
      mean: mean of the training examples, [D].
      axes: principal axes, [D, K], as orthonormal columns in decreasing order of
        variance. The entry of each axis with the largest magnitude is positive.
      variances: variances along the axes, [K].
      shape: shape of an example.
    """

    mean: Float[np.ndarray, " inputs"]
    axes: Float[np.ndarray, "inputs components"]
    variances: Float[np.ndarray, " components"]
    shape: tuple[int, ...]

    def transform(
        self, x: Shaped[np.ndarray, "examples ..."]
    ) -> Float[np.ndarray, "examples components"]:
        """Return (x - mean) axes."""
        return (_flat(x) - self.mean) @ self.axes

    def inverse(
        self, projected: Float[np.ndarray, "examples components"]
    ) -> Float[np.ndarray, "examples ..."]:
        """Return projected axesᵀ + mean, reshaped to examples."""
        x = projected @ self.axes.T + self.mean
        return x.reshape(len(x), *self.shape)


@dataclasses.dataclass(frozen=True)
class ZCA:
    """Zero-phase whitening:  x ↦ (x - mean) U (Λ + ε)^(-1/2) Uᵀ.

    Attributes:
      mean: mean of the training examples, [D].
      matrix: symmetric matrix U (Λ + ε)^(-1/2) Uᵀ, [D, D].
    """

    mean: Float[np.ndarray, " inputs"]
    matrix: Float[np.ndarray, "inputs inputs"]

    def transform(
        self, x: Shaped[np.ndarray, "examples ..."]
    ) -> Float[np.ndarray, "examples ..."]:
        """Return the whitened examples, with the shape of x."""
        return ((_flat(x) - self.mean) @ self.matrix).reshape(x.shape)


def fit_pca(x: Shaped[np.ndarray, "examples ..."], *, num_components: int) -> PCA:
    """Fit principal axes (Bouthillier et al. 2015, section 5.1).

    Args:
      x: training examples.
      num_components: number K of axes. The paper uses 781.

    Returns:
      The fitted projection.

    Raises:
      ValueError: K is below 1 or above the number of examples or inputs.

    Example:
      >>> import numpy as np
      >>> from noisejax import data
      >>> x = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
      >>> pca = data.fit_pca(x, num_components=1)
      >>> np.allclose(pca.inverse(pca.transform(x)), x, atol=1e-6)
      True
    """
    examples, inputs = len(x), math.prod(x.shape[1:])
    if not 1 <= num_components <= min(examples, inputs):
        raise ValueError(
            f"num_components must lie in 1..{min(examples, inputs)} for {examples} "
            f"examples of {inputs} inputs, got {num_components}"
        )
    mean, variances, axes = _eigen(x)
    order = np.argsort(variances)[::-1][:num_components]
    axes = axes[:, order]
    largest = np.abs(axes).argmax(0)
    axes = axes * np.sign(axes[largest, np.arange(num_components)])
    return PCA(
        mean=mean.astype(np.float32),
        axes=axes.astype(np.float32),
        variances=variances[order].astype(np.float32),
        shape=tuple(x.shape[1:]),
    )


def fit_zca(x: Shaped[np.ndarray, "examples ..."], *, epsilon: float = 0.1) -> ZCA:
    """Fit zero-phase whitening (Ba et al. 2014, section 3.2).

    Args:
      x: training examples.
      epsilon: number ε above 0 that is added to the variances, so that axes with small
        variance are not amplified. The paper prints no value.

    Returns:
      The fitted whitening.

    Raises:
      ValueError: `epsilon` is not above 0.

    Example:
      >>> import numpy as np
      >>> from noisejax import data
      >>> x = np.random.default_rng(0).normal(size=(1000, 2)) * [1, 5]
      >>> white = data.fit_zca(x, epsilon=1e-6).transform(x)
      >>> np.allclose(np.cov(white.T), np.eye(2), atol=1e-3)
      True
    """
    if not epsilon > 0:
        raise ValueError(f"epsilon must be above 0, got {epsilon}")
    mean, variances, axes = _eigen(x)
    rest = 1 / np.sqrt(epsilon)  # scale of directions that have no variance
    scales = 1 / np.sqrt(np.maximum(variances, 0) + epsilon)
    matrix = (axes * (scales - rest)) @ axes.T + rest * np.eye(len(mean))
    return ZCA(mean=mean.astype(np.float32), matrix=matrix.astype(np.float32))


def _flat(x: np.ndarray) -> np.ndarray:
    return as_float(x).reshape(len(x), -1)


def _eigen(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the mean, and the eigenvalues and eigenvectors of the covariance (ddof 1).

    If there are fewer examples than inputs, eigenvectors without variance are omitted.
    """
    if len(x) < 2:
        raise ValueError(f"a covariance needs two examples or more, got {len(x)}")
    chunks = range(0, len(x), CHUNK)
    mean = sum(_flat(x[i : i + CHUNK]).sum(0, dtype=np.float64) for i in chunks)
    mean = mean / len(x)
    if len(x) < len(mean):
        _, singular, axes = np.linalg.svd(_flat(x) - mean, full_matrices=False)
        return mean, singular**2 / (len(x) - 1), axes.T
    covariance = np.zeros((len(mean), len(mean)))
    for i in chunks:
        centred = _flat(x[i : i + CHUNK]) - mean
        covariance += centred.T @ centred
    variances, axes = np.linalg.eigh(covariance / (len(x) - 1))
    return mean, variances, axes

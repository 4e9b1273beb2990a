"""From names of steps to a preprocessed data set."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from noisejax.data._dataset import Dataset
from noisejax.data._normalise import (
    as_float,
    fit_standardisation,
    normalise_contrast,
)
from noisejax.data._whiten import fit_pca, fit_zca

PREPROCESSING = ("gcn", "zca", "pca", "standardise")
"""Global contrast normalisation, ZCA whitening, PCA, mean and standard deviation."""

Transform = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Preprocessed:
    """A data set behind its preprocessing.

    Attributes:
      dataset: float32 examples.
      inverse: examples -> images in the original encoding, or None where a step (gcn,
        zca) is not undone.
    """

    dataset: Dataset
    inverse: Transform | None


def preprocess(
    dataset: Dataset,
    steps: Sequence[str],
    *,
    fit_on: np.ndarray | None = None,
    num_components: int = 781,
    zca_epsilon: float = 0.1,
) -> Preprocessed:
    """Applies steps in order, each fitted on the training part behind those before.

    Args:
      dataset: uint8 or float32 examples.
      steps: of `PREPROCESSING`; (): none.
      fit_on: indices of the training examples to fit on, such as those that are held
        out for no validation; None: all. Test examples never count.
      num_components: of "pca".
      zca_epsilon: of "zca".

    Returns:
      The new data set, and the way back where there is one.

    Raises:
      ValueError: an unknown step (the known ones are listed), too many components.

    Example:
      >>> from noisejax import data
      >>> digits = data.load_dataset("digits")
      >>> done = data.preprocess(digits, ("pca",), num_components=20)
      >>> done.dataset.train_x.shape, done.inverse(done.dataset.test_x).shape
      ((1437, 20), (360, 8, 8, 1))
    """
    for step in steps:
        if step not in PREPROCESSING:
            raise ValueError(
                f"a step of data.preprocess must be one of {', '.join(PREPROCESSING)}; "
                f"got {step!r}"
            )
    train, test = as_float(dataset.train_x), as_float(dataset.test_x)
    inverses: list[Transform | None] = []
    for step in steps:
        fitted = train if fit_on is None else train[fit_on]
        inverse = None
        if step == "gcn":
            transform = normalise_contrast
        elif step == "zca":
            transform = fit_zca(fitted, epsilon=zca_epsilon).transform
        elif step == "pca":
            pca = fit_pca(fitted, num_components=num_components)
            transform, inverse = pca.transform, pca.inverse
        else:
            scaling = fit_standardisation(fitted)
            transform, inverse = scaling.transform, scaling.inverse
        inverses.append(inverse)
        train, test = transform(train), transform(test)
    changed = dataclasses.replace(dataset, train_x=train, test_x=test)
    return Preprocessed(changed, _chain(inverses))


def _chain(inverses: list[Transform | None]) -> Transform | None:
    if None in inverses:
        return None

    def inverse(x: np.ndarray) -> np.ndarray:
        for step in reversed(inverses):
            x = step(x)
        return x

    return inverse

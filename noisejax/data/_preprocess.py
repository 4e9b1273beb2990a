"""Preprocessing steps that are fitted on training examples."""

import dataclasses
import os
import zipfile
from collections.abc import Callable, Sequence

import numpy as np

from noisejax.data._dataset import Dataset
from noisejax.data._normalise import (
    Standardisation,
    as_float,
    fit_standardisation,
    normalise_contrast,
)
from noisejax.data._whiten import PCA, ZCA, fit_pca, fit_zca

PREPROCESSING = ("gcn", "zca", "pca", "standardise")
"""Names of the steps: "gcn" is global contrast normalisation."""

Transform = Callable[[np.ndarray], np.ndarray]

FITTED = {"gcn": None, "zca": ZCA, "pca": PCA, "standardise": Standardisation}
"""Class of the fitted transform of each step; "gcn" needs no fit."""


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """Fitted preprocessing steps.

    Attributes:
      steps: name and fitted transform of each step, in order. The transform of "gcn" is
        None.
    """

    steps: tuple[tuple[str, PCA | ZCA | Standardisation | None], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the steps."""
        return tuple(name for name, _ in self.steps)

    def transform(self, x: np.ndarray) -> np.ndarray:
        """Apply the steps to examples [N, ...], uint8 or floating."""
        x = as_float(x)
        for _, fitted in self.steps:
            x = normalise_contrast(x) if fitted is None else fitted.transform(x)
        return x

    @property
    def inverse(self) -> Transform | None:
        """Inverse of `transform`, or None if a step has no inverse ("gcn" or "zca")."""
        if any(name in ("gcn", "zca") for name in self.names):
            return None

        def inverse(x: np.ndarray) -> np.ndarray:
            for _, fitted in reversed(self.steps):
                x = fitted.inverse(x)
            return x

        return inverse

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Convert to named arrays for `np.savez`."""
        arrays = {"steps": np.asarray(self.names)}
        for i, (_, fitted) in enumerate(self.steps):
            for field in dataclasses.fields(fitted) if fitted else ():
                arrays[f"{i}.{field.name}"] = np.asarray(getattr(fitted, field.name))
        return arrays


def load_preprocessing(path: str | os.PathLike[str]) -> Preprocessing:
    """Load fitted steps from an .npz file of `Preprocessing.to_arrays()`.

    Raises:
      ValueError: the file is damaged.
    """
    try:
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        steps = []
        for i, name in enumerate(arrays["steps"].tolist()):
            cls = FITTED[name]
            names = [field.name for field in dataclasses.fields(cls)] if cls else []
            values = {n: arrays[f"{i}.{n}"] for n in names}
            if "shape" in values:
                values["shape"] = tuple(values["shape"].tolist())
            steps.append((name, cls(**values) if cls else None))
    except (zipfile.BadZipFile, KeyError, EOFError, OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    return Preprocessing(tuple(steps))


def fit_preprocessing(
    x: np.ndarray,
    steps: Sequence[str],
    *,
    num_components: int = 781,
    zca_epsilon: float = 0.1,
) -> Preprocessing:
    """Fit steps in order, each on the output of the previous steps.

    Args:
      x: training examples [N, ...], uint8 or floating.
      steps: names of the steps, from `PREPROCESSING`.
      num_components: number of components of "pca".
      zca_epsilon: ε of "zca".

    Raises:
      ValueError: a step is unknown, or there are fewer examples or inputs than
        components.

    Example:
      >>> import numpy as np
      >>> from noisejax import data
      >>> fitted = data.fit_preprocessing(np.array([[1.0], [3.0]]), ("standardise",))
      >>> fitted.transform(np.array([[4.0]]))
      array([[2.]], dtype=float32)
    """
    x, fitted = as_float(x), []
    for step in steps:
        if step not in PREPROCESSING:
            raise ValueError(
                f"a step of data.preprocess must be one of {', '.join(PREPROCESSING)}; "
                f"got {step!r}"
            )
        fit = {
            "gcn": lambda x: None,
            "zca": lambda x: fit_zca(x, epsilon=zca_epsilon),
            "pca": lambda x: fit_pca(x, num_components=num_components),
            "standardise": fit_standardisation,
        }[step](x)
        fitted.append((step, fit))
        x = Preprocessing(((step, fit),)).transform(x)
    return Preprocessing(tuple(fitted))


@dataclasses.dataclass(frozen=True)
class Preprocessed:
    """A preprocessed data set.

    Attributes:
      dataset: data set of preprocessed float32 examples.
      inverse: inverse of the preprocessing, as in `Preprocessing.inverse`.
      fitted: fitted steps.
    """

    dataset: Dataset
    inverse: Transform | None
    fitted: Preprocessing


def preprocess(
    dataset: Dataset,
    steps: Sequence[str],
    *,
    fit_on: np.ndarray | None = None,
    num_components: int = 781,
    zca_epsilon: float = 0.1,
) -> Preprocessed:
    """Fit steps on training examples and apply them to all examples.

    Args:
      dataset: data set of uint8 or float32 examples.
      steps: names of the steps in order, from `PREPROCESSING`.
      fit_on: indices of the training examples for the fit, by default all.
      num_components: number of components of "pca".
      zca_epsilon: ε of "zca".

    Raises:
      ValueError: see `fit_preprocessing`.

    Example:
      >>> from noisejax import data
      >>> digits = data.load_dataset("digits")
      >>> done = data.preprocess(digits, ("pca",), num_components=20)
      >>> done.dataset.train_x.shape, done.inverse(done.dataset.test_x).shape
      ((1437, 20), (360, 8, 8, 1))
    """
    x = dataset.train_x if fit_on is None else dataset.train_x[fit_on]
    fitted = fit_preprocessing(
        x, steps, num_components=num_components, zca_epsilon=zca_epsilon
    )
    changed = dataclasses.replace(
        dataset,
        train_x=fitted.transform(dataset.train_x),
        test_x=fitted.transform(dataset.test_x),
    )
    return Preprocessed(changed, fitted.inverse, fitted)

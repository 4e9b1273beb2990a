"""A trained network with its data, if they are at hand."""

import dataclasses
import pathlib
from typing import Any

import numpy as np
from flax import linen as nn
from jax import numpy as jnp
from jaxtyping import Array, Float, PyTree, UInt8

from noisejax import data
from noisejax.training._batches import to_float
from noisejax.training._config import Config
from noisejax.training._examples import Examples, Prepared


class MissingData:
    """Stands for data that are not at hand; any use of them is an error."""

    def __init__(self, reason: str):
        """Remembers why the data are missing."""
        self._reason = reason

    def __getattr__(self, name: str) -> Any:
        """Raises a FileNotFoundError."""
        if name.startswith("__"):
            raise AttributeError(name)
        raise FileNotFoundError(f"the data of the run are not at hand: {self._reason}")


@dataclasses.dataclass(frozen=True)
class TrainedRun:
    """A trained network and its data.

    If the data are not at hand, the network can be used all the same; `dataset`,
    `train`, `test` and `prepared.dataset` then raise a FileNotFoundError when used.

    Attributes:
      path: path of the run's folder.
      config: configuration of the run.
      dataset: data set as it was loaded.
      train: training examples, preprocessed; validation examples included.
      test: test examples, preprocessed.
      prepared: preparation of the examples.
      model: network, called as model.apply(variables, x, train=...) -> (outputs,
        activations).
      variables: {"params": ..., "batch_stats": ...} of one seed, at the epoch that its
        test error is reported for.
      seed: that seed.
    """

    path: pathlib.Path
    config: Config
    dataset: data.Dataset | data.SoftTargets
    train: Examples
    test: Examples
    prepared: Prepared
    model: nn.Module
    variables: dict[str, PyTree[Array]]
    seed: int

    def prepare(
        self, x: UInt8[np.ndarray, "batch ..."] | Float[np.ndarray, "batch ..."]
    ) -> Float[Array, "batch ..."]:
        """Convert raw examples [B, ...] to network inputs, as fitted in training."""
        return self.inputs(jnp.asarray(self.prepared.convert(np.asarray(x))))

    def inputs(
        self, x: UInt8[Array, "batch ..."] | Float[Array, "batch ..."]
    ) -> Float[Array, "batch ..."]:
        """Convert examples [B, ...] of `train` or `test` to network inputs."""
        return to_float(x, inverted=self.prepared.inverted)

    def pictures(self, x: Float[Array, "batch ..."]) -> Float[np.ndarray, "batch ..."]:
        """Convert network inputs [B, ...] to images [B, height, width, channels].

        Raises:
          ValueError: the examples are no images, or a step of the preprocessing has no
            inverse.
        """
        if len(self.dataset.shape) != 3:
            raise ValueError(
                f"the examples of {self.dataset.name} are no images: their shape is "
                f"{self.dataset.shape}"
            )
        if self.prepared.pictures is None:
            raise ValueError(
                f"data.preprocess={self.config.data.preprocess} has no way back to "
                "images: gcn and zca lose what they take away; pca and standardise can "
                "be undone"
            )
        return self.prepared.pictures(np.asarray(x))

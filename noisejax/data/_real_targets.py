"""Data sets with real-valued targets, for regression."""

import dataclasses

import numpy as np
from jaxtyping import Float

from noisejax.data._dataset import check_examples


@dataclasses.dataclass(frozen=True)
class RealTargets:
    """A regression data set as arrays.

    Targets are centred by the mean of each output over the training examples, and
    divided by one scale for all outputs, the root of the mean of their variances. A
    squared error of 1 is therefore that of the prediction of the mean.

    Attributes:
      name: name of the data set.
      train_x: training examples, [N, *shape]: uint8 (pixels, 0 to 255) or float32.
      train_y: training targets, centred and scaled, float32 [N, K].
      test_x: test examples, [M, *shape], of the same dtype.
      test_y: test targets, centred and scaled alike, float32 [M, K].
      mean: mean of the training targets in their own units, float32 [K].
      scale: scale of the targets in their own units.
    """

    name: str
    train_x: np.ndarray
    train_y: Float[np.ndarray, "examples outputs"]
    test_x: np.ndarray
    test_y: Float[np.ndarray, "tests outputs"]
    mean: Float[np.ndarray, " outputs"]
    scale: float

    @property
    def num_classes(self) -> int:
        """Number of outputs of a network, K."""
        return self.train_y.shape[1]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an example."""
        return self.train_x.shape[1:]

    def to_units(
        self, outputs: Float[np.ndarray, "batch outputs"]
    ) -> Float[np.ndarray, "batch outputs"]:
        """Convert outputs of a network [B, K] to the units of the targets.

        Example:
          >>> import numpy as np
          >>> from noisejax import data
          >>> x, y = np.ones((4, 2), np.float32), np.array([10.0, 20.0, 30.0, 40.0])
          >>> dataset = data.make_real_targets("heights", x, y, x, y)
          >>> dataset.to_units(dataset.test_y).ravel().round(3).tolist()
          [10.0, 20.0, 30.0, 40.0]
        """
        return self.mean + np.float32(self.scale) * np.asarray(outputs)

    def with_scale(
        self, mean: Float[np.ndarray, " outputs"], scale: float
    ) -> "RealTargets":
        """Centre and scale the targets like those of another data set.

        A trained network predicts targets with the scale of its training data.

        Args:
          mean: mean of the targets of the other data set, [K].
          scale: scale of the targets of the other data set.

        Raises:
          ValueError: the data sets have different numbers of outputs.

        Example:
          >>> import numpy as np
          >>> from noisejax import data
          >>> x, y = np.ones((2, 3), np.float32), np.array([0.0, 10.0])
          >>> dataset = data.make_real_targets("sensor", x, y, x, y)
          >>> dataset.with_scale(np.zeros(1), 2.0).test_y.ravel().tolist()
          [0.0, 5.0]
        """
        mean = np.asarray(mean, np.float32)
        if mean.shape != self.mean.shape:
            raise ValueError(
                f"{self.name} has {len(self.mean)} outputs, and the mean is of shape "
                f"{mean.shape}; data sets of one network need equal outputs"
            )
        scaled = {
            name: (self.to_units(getattr(self, name)) - mean) / np.float32(scale)
            for name in ("train_y", "test_y")
        }
        return dataclasses.replace(self, mean=mean, scale=float(scale), **scaled)


def make_real_targets(
    name: str,
    train_x: np.ndarray,
    train_y: Float[np.ndarray, "..."],
    test_x: np.ndarray,
    test_y: Float[np.ndarray, "..."],
) -> RealTargets:
    """Make a regression data set: check its arrays, centre and scale its targets.

    Args:
      name: name of the data set.
      train_x: training examples, [N, ...], uint8 (pixels) or float32.
      train_y: training targets in their own units, floating, [N] or [N, K].
      test_x: test examples, [M, ...].
      test_y: test targets, [M] or [M, K].

    Raises:
      ValueError: shapes or dtypes do not fit, a value is not finite, or all training
        targets are equal.

    Example:
      >>> import numpy as np
      >>> from noisejax import data
      >>> x, y = np.ones((2, 3), np.float32), np.array([0.0, 10.0])
      >>> dataset = data.make_real_targets("sensor", x, y, x, y)
      >>> dataset.train_y.ravel().tolist(), dataset.mean.tolist(), dataset.scale
      ([-1.0, 1.0], [5.0], 5.0)
    """
    check_examples(name, train_x, test_x)
    targets = {}
    for part, x, y in (("train", train_x, train_y), ("test", test_x, test_y)):
        y = y[:, None] if y.ndim == 1 else y
        if not np.issubdtype(y.dtype, np.floating) or y.ndim != 2 or not y.shape[1]:
            raise ValueError(
                f"{name}: {part} targets must be floating numbers [N] or [N, outputs]; "
                f"got {y.dtype} {list(y.shape)}"
            )
        if len(x) != len(y):
            raise ValueError(
                f"{name}: {part} has {len(x)} examples and {len(y)} targets; one "
                "target per example is needed"
            )
        if not np.isfinite(y).all():
            row = int(np.argwhere(~np.isfinite(y))[0, 0])
            raise ValueError(
                f"{name}: {part} target {row} is NaN or infinite; clean the data"
            )
        targets[part] = y.astype(np.float64)
    outputs = [y.shape[1] for y in targets.values()]
    if outputs[0] != outputs[1]:
        raise ValueError(
            f"{name}: training targets have {outputs[0]} outputs, test targets "
            f"{outputs[1]}; they must agree"
        )
    mean = targets["train"].mean(axis=0)
    scale = float(np.sqrt(targets["train"].var(axis=0).mean()))
    if not 0 < scale < np.inf:
        raise ValueError(
            f"{name}: the standard deviation of the training targets is {scale}; there "
            "is nothing to predict if all are equal"
        )
    train_y, test_y = (
        ((y - mean) / scale).astype(np.float32) for y in targets.values()
    )
    mean = mean.astype(np.float32)
    return RealTargets(name, train_x, train_y, test_x, test_y, mean, scale)

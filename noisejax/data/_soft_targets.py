"""Data sets with distributions as targets, such as alternative splicing."""

import dataclasses
import pathlib

import numpy as np
from jaxtyping import Float

from noisejax.data._npz import read_arrays

NUM_EXONS, NUM_FEATURES, NUM_OUTCOMES, NUM_PARTITIONS = 3665, 1014, 3, 6
"""Sizes of the mouse data (Ba et al. 2014, section 3.4 and table 5)."""

NUM_TISSUES = 4
"""Number of tissues as in Barash et al. 2010; Ba et al. do not print it."""

KEYS = ("x", "y", "partition")


@dataclasses.dataclass(frozen=True)
class SoftTargets:
    """A data set whose targets are one distribution over outcomes per tissue.

    Attributes:
      name: name of the data set.
      train_x: training features, float32 [N, D].
      train_y: training targets, float32 [N, T, K], each summing to 1 over K.
      test_x: test features, float32 [M, D].
      test_y: test targets, float32 [M, T, K].
    """

    name: str
    train_x: Float[np.ndarray, "examples features"]
    train_y: Float[np.ndarray, "examples tissues outcomes"]
    test_x: Float[np.ndarray, "tests features"]
    test_y: Float[np.ndarray, "tests tissues outcomes"]

    @property
    def num_tissues(self) -> int:
        """Number of distributions per example, T."""
        return self.train_y.shape[1]

    @property
    def num_outcomes(self) -> int:
        """Number of outcomes of each distribution, K."""
        return self.train_y.shape[2]

    @property
    def num_classes(self) -> tuple[int, int]:
        """Shape (T, K) of the network output for one example."""
        return self.num_tissues, self.num_outcomes

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an example."""
        return self.train_x.shape[1:]


def load_soft_targets(path: str | pathlib.Path, *, test_partition: int) -> SoftTargets:
    """Load soft targets from an .npz file, with one partition for testing.

    `np.savez(path, x=..., y=..., partition=...)` writes such a file. It has floating
    features `x` [N, D], distributions `y` [N, T, K] over K outcomes for each of T
    tissues, and integers `partition` [N].

    Args:
      path: path of the file.
      test_partition: partition for testing. The other partitions are the training
        examples. The paper does not print how it uses its six partitions.

    Returns:
      The data set.

    Raises:
      FileNotFoundError: the file does not exist.
      ValueError: the file is damaged, an array has the wrong shape or dtype, or the
        partition does not exist.
    """
    path = pathlib.Path(path)
    arrays = read_arrays(path, KEYS, needed=KEYS)
    x, y, partition = (arrays[key] for key in KEYS)
    _check(path, x, y, partition)
    return _split(path.stem, x, y, partition, test_partition)


def generate_splicing(
    *, test_partition: int, num_exons: int = NUM_EXONS, seed: int = 0
) -> SoftTargets:
    """Generate random data with the shapes of the splicing data.

    The mouse data of the paper are not public. In the generated data a tenth of the
    features is not 0, the targets depend on a tenth of the features, and one outcome is
    more frequent than the others. Sizes are those of the paper.

    Args:
      test_partition: partition for testing, 0 to 5.
      num_exons: number of examples in all partitions.
      seed: seed of the generator.

    Returns:
      The data set, with the name "splicing_stand_in (generated)".

    Raises:
      ValueError: the partition does not exist.

    Example:
      >>> from noisejax import data
      >>> stand_in = data.generate_splicing(test_partition=0)
      >>> stand_in.name, stand_in.train_x.shape[1], stand_in.train_y.shape[1:]
      ('splicing_stand_in (generated)', 1014, (4, 3))
    """
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(num_exons, NUM_FEATURES))
    x *= rng.random(x.shape) < 0.1
    shape = (NUM_FEATURES, NUM_TISSUES, NUM_OUTCOMES)
    weights = rng.normal(size=shape) * (rng.random(NUM_FEATURES) < 0.1)[:, None, None]
    bias = np.array([-1.0, 2.0, -1.0])  # most exons do not change
    noise = rng.normal(size=(num_exons, *shape[1:]))
    logits = 0.5 * np.tensordot(x, weights, 1) + bias + noise
    y = np.exp(logits - logits.max(-1, keepdims=True))
    y /= y.sum(-1, keepdims=True)
    partition = rng.permutation(num_exons) % NUM_PARTITIONS
    return _split("splicing_stand_in (generated)", x, y, partition, test_partition)


def _split(name, x, y, partition, test_partition) -> SoftTargets:
    known = np.unique(partition).tolist()
    if test_partition not in known:
        raise ValueError(
            f"the partitions are {', '.join(map(str, known))}; got {test_partition}"
        )
    test = partition == test_partition
    if test.all():
        raise ValueError(
            "the test partition must leave examples to train on; it has all examples"
        )
    x, y = x.astype(np.float32), y.astype(np.float32)
    return SoftTargets(name, x[~test], y[~test], x[test], y[test])


def _check(path, x, y, partition) -> None:
    if x.ndim != 2 or not np.issubdtype(x.dtype, np.floating):
        raise ValueError(
            f"{path}: x must be floating features [examples, features], got {x.dtype} "
            f"{x.shape}"
        )
    if y.ndim != 3 or len(y) != len(x):
        raise ValueError(
            f"{path}: y must be distributions [{len(x)}, tissues, outcomes], got shape "
            f"{y.shape}"
        )
    if partition.shape != (len(x),) or not np.issubdtype(partition.dtype, np.integer):
        raise ValueError(
            f"{path}: partition must be {len(x)} integers, one per example, got "
            f"{partition.dtype} {partition.shape}"
        )
    if not np.isfinite(x).all():
        raise ValueError(f"{path}: x holds NaN or infinity; clean the data")
    if not ((y >= 0).all() and np.allclose(y.sum(-1), 1, atol=1e-3)):
        raise ValueError(f"{path}: each y[example, tissue] must be a distribution")

"""Data whose targets are distributions: alternative splicing, and its stand-in."""

import dataclasses
import pathlib
import zipfile

import numpy as np
from jaxtyping import Float

NUM_EXONS, NUM_FEATURES, NUM_OUTCOMES, NUM_PARTITIONS = 3665, 1014, 3, 6
"""Of the mouse data, as printed (Ba et al. 2014, section 3.4 and table 5)."""

NUM_TISSUES = 4
"""Ours: the paper does not say how many. (Barash et al. 2010 group tissues in four.)"""

KEYS = ("x", "y", "partition")


@dataclasses.dataclass(frozen=True)
class SoftTargets:
    """A data set whose targets are distributions over outcomes, one per tissue.

    Attributes:
      name: of the data set; a stand-in says so.
      train_x: features, float32 [N, D].
      train_y: targets, float32 [N, T, K], each summing to 1 over K.
      test_x: features, float32 [M, D].
      test_y: targets, float32 [M, T, K].
    """

    name: str
    train_x: Float[np.ndarray, "examples features"]
    train_y: Float[np.ndarray, "examples tissues outcomes"]
    test_x: Float[np.ndarray, "tests features"]
    test_y: Float[np.ndarray, "tests tissues outcomes"]

    @property
    def num_tissues(self) -> int:
        """T, how many distributions are predicted per example."""
        return self.train_y.shape[1]

    @property
    def num_outcomes(self) -> int:
        """K, outcomes of each."""
        return self.train_y.shape[2]

    @property
    def num_classes(self) -> tuple[int, int]:
        """(T, K), the outputs of a network."""
        return self.num_tissues, self.num_outcomes

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return self.train_x.shape[1:]


def holds_soft_targets(path: str | pathlib.Path) -> bool:
    """Whether an .npz file is one of soft targets: has an array `partition`."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as file:
        return "partition.npy" in file.namelist()


def load_soft_targets(path: str | pathlib.Path, *, test_partition: int) -> SoftTargets:
    """Loads soft targets from an .npz file and holds one partition out for testing.

    The file holds three arrays, as `np.savez(path, x=..., y=..., partition=...)` writes
    them: `x` [N, D], floating features; `y` [N, T, K], floating, for each of T tissues
    a distribution over K outcomes; `partition` [N], integers from 0 on.

    Args:
      path: of the file.
      test_partition: the examples to test on; the others are trained on. (How the paper
        uses its six partitions is not printed; this is ours.)

    Returns:
      The data set.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: the file is damaged, its arrays are not as described, or there is no
        such partition.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such file; soft targets come from an .npz file with the "
            f"arrays {', '.join(KEYS)}"
        )
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is no .npz file, or it is damaged")
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [key for key in KEYS if key not in file]
            if missing:
                raise ValueError(
                    f"{path} must hold the arrays {', '.join(KEYS)}; missing: "
                    f"{', '.join(missing)}; found: {', '.join(file.files) or 'none'}"
                )
            x, y, partition = (file[key] for key in KEYS)
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise ValueError(
            f"{path} is no .npz file, or it is damaged: {error}"
        ) from error
    _check(path, x, y, partition)
    return _split(path.stem, x, y, partition, test_partition)


def generate_splicing(
    *, test_partition: int, num_exons: int = NUM_EXONS, seed: int = 0
) -> SoftTargets:
    """A GENERATED stand-in of the splicing data's shape: no biology is in it.

    The mouse data are not public. Features are sparse (a tenth is not 0), and targets
    lean on a few of them, most on the same outcome; sizes are those printed.

    Args:
      test_partition: 0 to 5, the examples to test on.
      num_exons: examples of all partitions.
      seed: that decides.

    Returns:
      The data set, named "splicing_stand_in (generated)".

    Raises:
      ValueError: there is no such partition.

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
        raise ValueError("all examples are of the test partition: none to train on")
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

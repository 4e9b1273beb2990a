"""Random splits into training and validation examples."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int


def validation_size(num_examples: int, validation: float) -> int:
    """Return the number of validation examples.

    Args:
      num_examples: number of training examples.
      validation: share in [0, 1), or number of examples, at least 1.

    Raises:
      ValueError: `validation` is negative or leaves no training examples.
    """
    size = num_examples
    if 0 <= validation < num_examples:
        size = round(validation * num_examples if validation < 1 else validation)
    if size >= num_examples:
        raise ValueError(
            "data.validation must be a share of the training examples in [0, 1) or a "
            f"number of them below {num_examples}, got {validation}"
        )
    return size


def split_indices(
    num_examples: int, validation: float, *, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Split examples at random into training and validation examples.

    Args:
      num_examples: number of training examples.
      validation: share or number of validation examples, as in `validation_size`.
      seed: seed of the split, any integer.

    Returns:
      Sorted int32 indices of the training and of the validation examples.

    Example:
      >>> from noisejax import data
      >>> train, validation = data.split_indices(10, 0.2, seed=0)
      >>> len(train), len(validation)
      (8, 2)
    """
    size = validation_size(num_examples, validation)
    order = np.random.default_rng(seed).permutation(num_examples).astype(np.int32)
    return np.sort(order[size:]), np.sort(order[:size])


def split_per_class(
    labels: Int[np.ndarray, " examples"],
    *,
    part_sizes: Sequence[int],
    per_class: Sequence[int],
    seed: int,
) -> tuple[Int[np.ndarray, " train"], Int[np.ndarray, " held_out"]]:
    """Hold out a number of examples per class from each part of the training data.

    For SVHN, Ba et al. 2014 (section 3.3) follow Sermanet et al. and hold out 400
    examples per class from the "train" part and 200 from the "extra" part.

    Args:
      labels: labels of the training examples, part by part.
      part_sizes: number of examples of each part.
      per_class: number of examples per class to hold out from each part.
      seed: seed of the split, any integer.

    Returns:
      Sorted int32 indices of the training and of the validation examples.

    Raises:
      ValueError: the sizes do not add up, or a class has too few examples.

    Example:
      >>> import numpy as np
      >>> from noisejax import data
      >>> labels = np.array([0, 1, 0, 1, 0, 0, 1, 1])
      >>> train, held_out = data.split_per_class(
      ...     labels, part_sizes=(4, 4), per_class=(1, 0), seed=0
      ... )
      >>> sorted(labels[held_out].tolist()), bool(held_out.max() < 4)
      ([0, 1], True)
    """
    if sum(part_sizes) != len(labels) or len(part_sizes) != len(per_class):
        raise ValueError(
            f"part_sizes must add up to the {len(labels)} examples, one number of "
            f"per_class for each; got {tuple(part_sizes)} and {tuple(per_class)}"
        )
    rng = np.random.default_rng(seed)
    is_held_out = np.zeros(len(labels), bool)
    start = 0
    for size, count in zip(part_sizes, per_class, strict=True):
        part = np.arange(start, start + size)
        start += size
        for label in np.unique(labels):
            members = part[labels[part] == label]
            if len(members) < count:
                raise ValueError(
                    f"class {label} has {len(members)} examples in a part from which "
                    f"{count} per class are held out; use a smaller number"
                )
            is_held_out[rng.permutation(members)[:count]] = True
    train, held_out = (~is_held_out).nonzero()[0], is_held_out.nonzero()[0]
    return train.astype(np.int32), held_out.astype(np.int32)

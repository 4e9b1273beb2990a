"""Validation examples, held out per class of each part (SVHN's usual split)."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int


def split_per_class(
    labels: Int[np.ndarray, " examples"],
    *,
    part_sizes: Sequence[int],
    per_class: Sequence[int],
    seed: int,
) -> tuple[Int[np.ndarray, " train"], Int[np.ndarray, " held_out"]]:
    """Holds out a number of examples per class of each part of the training data.

    Ba et al. 2014 (section 3.3), after Sermanet et al., hold out 400 per class of
    SVHN's train part and 200 per class of its extra part.

    Args:
      labels: labels of the training examples, one part after another.
      part_sizes: number of examples of each part.
      per_class: number per class to hold out of each part.
      seed: seed of the split, any integer.

    Returns:
      Sorted indices, int32, of the examples to train on and to validate on.

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
                    f"class {label} has {len(members)} examples in a part of which "
                    f"{count} per class are to be held out"
                )
            is_held_out[rng.permutation(members)[:count]] = True
    train, held_out = (~is_held_out).nonzero()[0], is_held_out.nonzero()[0]
    return train.astype(np.int32), held_out.astype(np.int32)

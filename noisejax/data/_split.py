"""Validation examples, held out by seed."""

import numpy as np


def validation_size(num_examples: int, validation: float) -> int:
    """Return the number of examples that are held out.

    Args:
      num_examples: number of training examples.
      validation: a share in [0, 1), or a number of examples, 1 or more.

    Raises:
      ValueError: `validation` is negative or leaves nothing to train on.
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
    """Split the examples of a seed into training and validation examples.

    Args:
      num_examples: number of training examples.
      validation: share or number to hold out, as in `validation_size`.
      seed: seed of the split, any integer.

    Returns:
      Sorted indices, int32, of the examples to train on and to validate on.

    Example:
      >>> from noisejax import data
      >>> train, validation = data.split_indices(10, 0.2, seed=0)
      >>> len(train), len(validation)
      (8, 2)
    """
    size = validation_size(num_examples, validation)
    order = np.random.default_rng(seed).permutation(num_examples).astype(np.int32)
    return np.sort(order[size:]), np.sort(order[:size])

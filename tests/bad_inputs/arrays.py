"""Arrays and helpers for the tables of bad inputs."""

import jax
import numpy as np

X = np.ones((4, 5), np.float32)
INTEGERS = np.ones((4, 5), np.int32)
IMAGES = np.ones((2, 6, 6, 1), np.float32)


def key():
    """Return a new key, because the checker of key reuse stores used keys."""
    return jax.random.key(0)

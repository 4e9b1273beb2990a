"""What the tables are made of."""

import jax
import numpy as np

X = np.ones((4, 5), np.float32)
INTEGERS = np.ones((4, 5), np.int32)
IMAGES = np.ones((2, 6, 6, 1), np.float32)


def key():
    """A fresh one: the checker of key reuse remembers."""
    return jax.random.key(0)

"""How much of everything is measured."""

import dataclasses
from collections.abc import Iterator

import numpy as np
from jaxtyping import Array, Float

from noisejax.measuring._network import Network


@dataclasses.dataclass(frozen=True)
class Amounts:
    """Examples and draws; they bound time and memory.

    Attributes:
      examples: of the test set, for what is seen of activations.
      gradients: training examples, for gradients and curvature.
      chunk: examples that are held at the same time.
      num_draws: of all masks, for variances and slopes.
      num_samples: S, for the bound.
      iterations: Hessian-vector products.
      rows: at most, of activations that are correlated.
      shares: draws of each mask, for the dropped share.
    """

    examples: int = 1000
    gradients: int = 500
    chunk: int = 100
    num_draws: int = 20
    num_samples: int = 64
    iterations: int = 30
    rows: int = 10_000
    shares: int = 10_000


def amounts_for(network: Network) -> Amounts:
    """Images in every layer take more time and memory than units do."""
    if network.convolutional:
        return Amounts(examples=200, gradients=50, chunk=10, iterations=15)
    return Amounts()


def chunks(x: Array, *, limit: int, size: int) -> Iterator[np.ndarray]:
    """The first `limit` examples in chunks of at most `size`, all of one length.

    Fewer examples than there are chunks are left out at the end.
    """
    x = np.asarray(x[:limit])  # slices of it compile nothing
    count = -(-len(x) // size)
    size = len(x) // count
    for start in range(0, count * size, size):
        yield x[start : start + size]


def rows_of_units(
    a: Float[np.ndarray, "examples ..."], limit: int
) -> Float[np.ndarray, "rows units"]:
    """Units or feature maps as columns; of all positions at most `limit`, evenly."""
    a = a.reshape(-1, a.shape[-1])
    return a[:: max(1, -(-len(a) // limit))]

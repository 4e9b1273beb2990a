"""Batch normalisation as all networks here have it."""

from flax import linen as nn
from jaxtyping import Array, Float

MOMENTUM = 0.9
"""Of the running averages: a tenth of each batch's statistics is taken up."""


def batch_normalise(
    x: Float[Array, "*shape"], *, name: str, train: bool
) -> Float[Array, "*shape"]:
    """Adds a batch normalisation to the module whose compact method calls this.

    One forward pass has one set of statistics. Under `vmap` or `map` over noise samples
    each sample is its own pass (take the mean of the updated averages over samples);
    where S copies are folded into the batch the statistics are over all copies.

    Args:
      x: activities, channels last.
      name: of the layer.
      train: whether the batch's own statistics are used, and remembered.

    Returns:
      The normalised activities.
    """
    norm = nn.BatchNorm(
        use_running_average=not train, momentum=MOMENTUM, epsilon=1e-5, name=name
    )
    return norm(x)

"""How much gradient flows into each weight matrix (Hahn and Choi 2018, eq. 5)."""

from collections.abc import Callable

import chex
import jax
from jax import numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from noisejax._floating import at_least_float32
from noisejax.diagnostics._chunks import count_examples, sum_over_chunks


def gradient_information(
    loss_fn: Callable[..., Float[Array, " batch"]],
    params: PyTree[Array],
    *batch: PyTree[Array],
    chunk_size: int = 32,
) -> PyTree[Array]:
    """The gradient information of every parameter array, from per-example gradients:

      G = 1/N Σₙ mean |∂Eₙ / ∂Wᵢⱼ|   (Hahn and Choi 2018, eq. 5)

    The mean inside is over the entries of the array. ("N is the number of nodes" is a
    misprint of the paper for examples.) Under inverted scaling a weight's gradient is
    1 / (1 - rate) times that of the paper's scaling: multiply by 1 - rate to compare.

    Args:
      loss_fn: (params, *batch) -> the loss of every example, [B]. It is called with
        batches of one, and mapped.
      params: of the network.
      *batch: arrays that lead with the examples; a key per example, jax.random.split(
        key, N), where the loss is noisy: it arrives as one key in an array of one.
      chunk_size: examples whose gradients are held at the same time.

    Returns:
      A scalar for every array of `params`, float32 at least.

    Raises:
      ValueError: arrays of different length, a `chunk_size` below 1.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import diagnostics
      >>> def loss_fn(w, x, y):
      ...     return 0.5 * (x @ w - y) ** 2
      >>> x, y = jnp.array([[1.0, 2.0], [0.0, 4.0]]), jnp.array([1.0, -1.0])
      >>> diagnostics.gradient_information(loss_fn, jnp.zeros(2), x, y)
      Array(1.75, dtype=float32)

    Reference:
      Hahn and Choi, "Understanding dropout as an optimization trick", arXiv:1806.09783.
    """

    def of_example(*example):
        alone = jax.tree.map(lambda leaf: leaf[None], example)
        return mean_absolute(jax.grad(lambda p: loss_fn(p, *alone).sum())(params))

    def of_chunk(*chunk):
        return jax.tree.map(lambda m: m.sum(axis=0), jax.vmap(of_example)(*chunk))

    n = count_examples(batch)
    total = sum_over_chunks(of_chunk, batch, chunk_size)
    return jax.tree.map(lambda t: t / n, total)


def mean_absolute(gradients: PyTree[Array]) -> PyTree[Array]:
    """mean |∂E / ∂Wᵢⱼ| of each array."""
    return jax.tree.map(
        lambda g: jnp.mean(jnp.abs(g.astype(at_least_float32(g.dtype)))), gradients
    )


@chex.dataclass(frozen=True)
class GradientAverage:
    """Gradient information accumulated through training: a pytree for its state.

    Attributes:
      mean: a scalar for every parameter array: the mean of mean |∂E / ∂Wᵢⱼ| over steps.
      count: of the steps.
    """

    mean: PyTree[Array]
    count: Int[Array, ""]


def start_gradient_average(params: PyTree[Array]) -> GradientAverage:
    """The gradient information of no step yet.

    Args:
      params: of the network.

    Returns:
      Zeros.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import diagnostics
      >>> average = diagnostics.start_gradient_average({"w": jnp.ones((3, 2))})
      >>> for gradient in (jnp.full((3, 2), -1.0), jnp.full((3, 2), 3.0)):
      ...     average = diagnostics.update_gradient_average(average, {"w": gradient})
      >>> average.mean, int(average.count)
      ({'w': Array(2., dtype=float32)}, 2)
    """
    mean = jax.tree.map(lambda p: jnp.zeros((), at_least_float32(p.dtype)), params)
    return GradientAverage(mean=mean, count=jnp.int32(0))


def update_gradient_average(
    average: GradientAverage, gradients: PyTree[Array]
) -> GradientAverage:
    """Adds a step's gradient to the average: for use inside a training step.

    It is the minibatch gradient that is averaged here, as in Hahn and Choi's table 2
    ("during the whole iterations"); the mean over examples lies within the absolute
    value, so it is smaller than `gradient_information`.

    Args:
      average: so far.
      gradients: of the step, a tree like the parameters.

    Returns:
      The average over one step more.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import diagnostics
      >>> average = diagnostics.start_gradient_average(jnp.ones(2))
      >>> average = diagnostics.update_gradient_average(average, jnp.array([1.0, -3.0]))
      >>> float(average.mean)
      2.0
    """
    count = average.count + 1
    mean = jax.tree.map(
        lambda m, new: m + (new - m) / count.astype(m.dtype),
        average.mean,
        mean_absolute(gradients),
    )
    return GradientAverage(mean=mean, count=count)

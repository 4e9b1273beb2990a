"""Gradient information of parameters (Hahn and Choi 2018, eq. 5)."""

from collections.abc import Callable
from typing import Any

import jax
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float, Int, PyTree

from noisejax._dataclass import dataclass
from noisejax._floating import at_least_float32


def gradient_information(
    loss_fn: Callable[..., Float[Array, " batch"]],
    params: PyTree[Array],
    *batch: PyTree[Array],
    chunk_size: int = 32,
) -> PyTree[Array]:
    """Compute the gradient information of each parameter array:

      G = 1/N Σₙ mean |∂Eₙ / ∂Wᵢⱼ|   (Hahn and Choi 2018, eq. 5)

    The inner mean is over the entries of the array, and N is the number of examples.
    (The paper says "nodes", which is a misprint.) With inverted scaling, gradients are
    1 / (1 - rate) times those of the paper.

    Args:
      loss_fn: function (params, *batch) -> loss of each example, [B]. It is vectorised
        over batches of one example.
      params: parameters of the network.
      *batch: pytrees of arrays with the batch axis first. If the loss is noisy, one
        array has a key for each example, jax.random.split(key, N).
      chunk_size: number of per-example gradients in memory at a time.

    Returns:
      A pytree like `params` with a scalar for each array, in float32 at least.

    Raises:
      ValueError: arrays have different lengths, or `chunk_size` is below 1.

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
    """Return the mean of |∂E / ∂Wᵢⱼ| over each array."""
    return jax.tree.map(
        lambda g: jnp.mean(jnp.abs(g.astype(at_least_float32(g.dtype)))), gradients
    )


@dataclass
class GradientAverage:
    """Running average of mean |∂E / ∂Wᵢⱼ| over training steps.

    Attributes:
      mean: average over steps, a scalar for each parameter array.
      count: number of steps.
    """

    mean: PyTree[Array]
    count: Int[Array, ""]


def start_gradient_average(params: PyTree[Array]) -> GradientAverage:
    """Create the average before the first step.

    Args:
      params: parameters of the network.

    Returns:
      The average over no steps.

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
    """Add the gradient of a training step to the average.

    Hahn and Choi 2018 average over all iterations in table 2. The gradients are those
    of the minibatch, so the mean over examples is inside the absolute value. The result
    is therefore smaller than `gradient_information`.

    Args:
      average: average over the previous steps.
      gradients: gradients of the step, a pytree like the parameters.

    Returns:
      The updated average.

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


def count_examples(batch: tuple[PyTree[Array], ...]) -> int:
    """Return the length of the first axis, which all arrays of a batch share.

    Raises:
      ValueError: there are no arrays, or their lengths differ.
    """
    lengths = {jnp.shape(leaf)[:1] for leaf in jax.tree.leaves(batch)}
    if len(lengths) != 1 or () in lengths or (0,) in lengths:
        raise ValueError(
            "all arrays of a batch must have the same number of examples, at least 1, "
            f"on their first axis; got first axes {sorted(lengths)}"
        )
    return lengths.pop()[0]


def sum_over_chunks(
    fn: Callable[..., PyTree[Array]], batch: tuple[PyTree[Array], ...], chunk_size: int
) -> Any:
    """Sum fn(*chunk) over the chunks of a batch, with one chunk in memory at a time.

    Args:
      fn: function of the arrays of a chunk that returns sums over examples.
      batch: pytrees of arrays with the batch axis first.
      chunk_size: number of examples per chunk. The last chunk may be smaller.

    Returns:
      The sum of the results of `fn`.

    Raises:
      ValueError: `chunk_size` is below 1, or arrays have different lengths.
    """
    if chunk_size < 1:
        raise ValueError(f"chunk_size must be at least 1 example, got {chunk_size}")
    n = count_examples(batch)
    chunk_size = min(chunk_size, n)
    whole = n - n % chunk_size

    def split(leaf):
        return leaf[:whole].reshape(-1, chunk_size, *leaf.shape[1:])

    def body(total, chunk):
        return jax.tree.map(jnp.add, total, fn(*chunk)), ()

    chunks = jax.tree.map(split, batch)
    shapes = jax.eval_shape(lambda c: fn(*jax.tree.map(lambda a: a[0], c)), chunks)
    zeros = jax.tree.map(jnp.zeros_like, shapes)  # varies like the sums in shard_map
    total, _ = lax.scan(body, zeros, chunks)
    if whole == n:
        return total
    rest = jax.tree.map(lambda leaf: leaf[whole:], batch)
    return jax.tree.map(jnp.add, total, fn(*rest))

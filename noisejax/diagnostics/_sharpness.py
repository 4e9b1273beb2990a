"""Sharpness of the loss: extreme eigenvalues of the Hessian."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float, PyTree

from noisejax import noise
from noisejax._dataclass import dataclass
from noisejax.diagnostics._gradient_information import (
    count_examples,
    sum_over_chunks,
)


@dataclass
class Sharpness:
    """Extreme eigenvalues of the Hessian of the mean loss.

    Attributes:
      largest: largest eigenvalue.
      smallest: smallest eigenvalue, negative if the loss is not convex.
      residual: error |H v - λ v| for the estimated eigenvector v of the largest
        eigenvalue λ. There is an eigenvalue at most this far from `largest`.
    """

    largest: Float[Array, ""]
    smallest: Float[Array, ""]
    residual: Float[Array, ""]


def sharpness(
    key: noise.Key,
    loss_fn: Callable[..., Float[Array, " batch"]],
    params: PyTree[Array],
    *batch: PyTree[Array],
    num_iterations: int = 30,
    chunk_size: int = 256,
) -> Sharpness:
    """Compute extreme eigenvalues of the Hessian of the mean loss by Lanczos iteration.

    Hahn and Choi 2018 claim that dropout and GAAF converge to flat regions. The largest
    eigenvalue is our measure of flatness. Hessian-vector products use reverse mode
    twice, so that functions with a custom_vjp are supported. The iteration stores three
    vectors of the size of the parameters.

    Second derivatives of GAAF are not meaningful. Use the plain activation,
    `model.clone(activation=plain_activation(model.activation))`, in networks with GAAF.

    Args:
      key: typed or raw PRNG key for the initial vector. Consumed.
      loss_fn: function (params, *batch) -> noise-free loss of each example, [B].
      params: parameters of the network, all floating.
      *batch: pytrees of arrays with the batch axis first.
      num_iterations: number of Hessian-vector products, at least 1. A large `residual`
        shows that more are needed.
      chunk_size: number of examples per chunk, which limits the memory use.

    Returns:
      The extreme eigenvalues, and the error of the largest.

    Raises:
      TypeError: `key` is not a PRNG key.
      ValueError: `num_iterations` or `chunk_size` is below 1, or arrays have different
        lengths.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import diagnostics
      >>> def loss_fn(w, x):
      ...     return 0.5 * (x @ w) ** 2
      >>> x = jnp.diag(jnp.array([1.0, 2.0, 3.0]))
      >>> result = diagnostics.sharpness(jax.random.key(0), loss_fn, jnp.ones(3), x)
      >>> round(float(result.largest), 3)  # largest eigenvalue of xᵀx / 3
      3.0

    Reference:
      Lanczos, "An iteration method for the solution of the eigenvalue problem", 1950.
    """
    if num_iterations < 1:
        raise ValueError(f"num_iterations must be at least 1, got {num_iterations}")
    n = count_examples(batch)
    leaves, treedef = jax.tree.flatten(params)
    keys = jax.random.split(noise.as_key(key), len(leaves))
    start = treedef.unflatten(
        [
            jax.random.normal(k, a.shape, a.dtype)
            for k, a in zip(keys, leaves, strict=True)
        ]
    )

    def hessian_times(v):
        def of_chunk(*chunk):
            gradient = jax.grad(lambda p: loss_fn(p, *chunk).sum())
            return jax.vjp(gradient, params)[1](v)[0]

        return _scale(1 / n, sum_over_chunks(of_chunk, batch, chunk_size))

    def body(carry, _):
        before, v, beta, size = carry
        w = hessian_times(v)
        alpha = _dot(v, w)
        w = jax.tree.map(lambda w, v, b: w - alpha * v - beta * b, w, v, before)
        # After all directions have been used, w consists of rounding errors.
        size = jnp.maximum(size, jnp.abs(alpha) + beta)
        next_beta = jnp.sqrt(_dot(w, w))
        alive = next_beta > 1e-6 * size
        next_beta = jnp.where(alive, next_beta, 0.0)
        next_v = _scale(jnp.where(alive, 1 / jnp.where(alive, next_beta, 1.0), 0.0), w)
        return (v, next_v, next_beta, size), (alpha, beta, next_beta, _dot(v, v) > 0.5)

    unit = _scale(1 / jnp.sqrt(_dot(start, start)), start)
    zeros = jax.tree.map(jnp.zeros_like, unit)
    zero = jnp.zeros_like(_dot(unit, unit))
    first = (zeros, unit, zero, zero)
    _, (alphas, betas, next_betas, alive) = lax.scan(body, first, length=num_iterations)
    # After an early end, fill the diagonal with a value inside the spectrum.
    alphas = jnp.where(alive, alphas, alphas[0])
    off = jnp.diag(betas[1:], 1)
    values, vectors = jnp.linalg.eigh(jnp.diag(alphas) + off + off.T)
    last = jnp.abs(vectors[-1, -1]) * next_betas[-1]
    return Sharpness(largest=values[-1], smallest=values[0], residual=last)


def _dot(a: PyTree[Array], b: PyTree[Array]) -> Float[Array, ""]:
    products = jax.tree.map(
        lambda a, b: jnp.sum(a.astype(np.float32) * b.astype(np.float32)), a, b
    )
    total: Any = sum(jax.tree.leaves(products), start=jnp.float32(0))
    return total


def _scale(factor: Float[Array, ""] | float, a: PyTree[Array]) -> PyTree[Array]:
    return jax.tree.map(lambda a: a * jnp.asarray(factor, a.dtype), a)

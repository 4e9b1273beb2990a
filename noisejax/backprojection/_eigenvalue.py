"""The largest eigenvalue of a matrix per example, known by its products alone."""

from collections.abc import Callable

from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax.backprojection._objective import along_batch, inner


def largest_eigenvalue(
    times: Callable[[Array], Array],
    start: Float[Array, "batch ..."],
    num_iterations: int,
) -> Float[Array, " batch"]:
    """Of a positive semi-definite matrix per example, by Lanczos' iteration.

    It costs what power iteration costs, a product each, and its estimate is the best
    that there is among all combinations of the vectors that power iteration visits:
    five products come as near as power iteration with dozens.

    Args:
      times: v -> the matrices' product with v.
      start: the first vectors.
      num_iterations: products.

    Returns:
      The largest Ritz value: never above the eigenvalue but for rounding; 0 where the
      products are 0.
    """

    def body(carry, _):
        before, v, beta = carry
        w = times(v) - along_batch(beta, v) * before
        alpha = inner(w, v)
        w = w - along_batch(alpha, v) * v
        beta = _norm(w)
        return (v, _divided(w, beta), beta), (alpha, beta)

    norm = _norm(start)
    carry = (jnp.zeros_like(start), _divided(start, norm), jnp.zeros_like(norm))
    _, (alphas, betas) = lax.scan(body, carry, length=num_iterations)
    diagonal = jnp.eye(num_iterations, dtype=start.dtype)
    beside = jnp.eye(num_iterations, k=1, dtype=start.dtype)
    beside = beside[:-1] if num_iterations > 1 else beside[:0]
    tridiagonal = jnp.einsum("ib,ij->bij", alphas, diagonal)
    tridiagonal += jnp.einsum("ib,ij,ik->bjk", betas[:-1], diagonal[:-1], beside)
    values = jnp.linalg.eigvalsh(tridiagonal, UPLO="U", symmetrize_input=False)
    return jnp.maximum(values[:, -1], 0)


def _divided(x: Float[Array, "batch ..."], norm: Float[Array, " batch"]) -> Array:
    return x / along_batch(jnp.where(norm > 0, norm, 1), x)


def _norm(x: Float[Array, "batch ..."]) -> Float[Array, " batch"]:
    # Scaled first: the squares of tiny gradients are no float32 numbers.
    axes = tuple(range(1, x.ndim))
    largest = jnp.max(jnp.abs(x), axis=axes)
    scale = jnp.where(largest > 0, largest, 1)
    return scale * jnp.sqrt(jnp.sum((x / along_batch(scale, x)) ** 2, axis=axes))

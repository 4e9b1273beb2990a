"""Distances between x* and x, and distances between classes."""

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float, Int

from noisejax._floating import promote


def distances(
    x: Float[Array, "batch ..."], x_star: Float[Array, "..."]
) -> Float[Array, "..."]:
    """Compute the Euclidean distances |x* - x|.

    In the paper, distances vary less for dropout than for random dropout.

    Args:
      x: inputs, [B, ...].
      x_star: inputs x* from `back_project`, [B, ...], or [L, B, ...] with `per_layer`.

    Returns:
      The distances, [B] or [L, B].

    Raises:
      ValueError: the shape of `x_star` is neither that of x nor [L, *x.shape].

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import backprojection
      >>> x = jnp.zeros((1, 2))
      >>> backprojection.distances(x, jnp.array([[[3.0, 4.0]], [[0.0, 1.0]]]))
      Array([[5.],
             [1.]], dtype=float32)

    Reference:
      Bouthillier et al., "Dropout as data augmentation", arXiv:1506.08700, 2015,
      section 4.1.
    """
    if x_star.shape not in (x.shape, (*x_star.shape[:1], *x.shape)):
        raise ValueError(
            f"x_star must have the shape {x.shape} of x, or [L, *x.shape]; got "
            f"{x_star.shape}"
        )
    difference = promote(x_star) - jnp.broadcast_to(promote(x), x_star.shape)
    axes = tuple(range(x_star.ndim - x.ndim + 1, x_star.ndim))
    return jnp.sqrt(jnp.sum(difference**2, axis=axes))


def class_distances(
    x: Float[Array, "batch ..."], labels: Int[Array, " batch"], *, num_classes: int
) -> Float[Array, "classes classes"]:
    """Compute the root mean square distance between the examples of two classes:

      d_ij² = mean |a - b|²,  a of class i, b of class j

    The diagonal excludes pairs of an example with itself. Compare `distances` with
    these values.

    Args:
      x: inputs, [B, ...].
      labels: class labels, [B], from 0 to num_classes - 1.
      num_classes: number C of classes.

    Returns:
      The distances, [C, C], with NaN for classes without a pair.

    Raises:
      ValueError: the labels do not have the shape [B].

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import backprojection
      >>> x, labels = jnp.array([[0.0], [2.0], [5.0]]), jnp.array([0, 0, 1])
      >>> backprojection.class_distances(x, labels, num_classes=2).round(2)
      Array([[2.  , 4.12],
             [4.12,  nan]], dtype=float32)
    """
    if labels.shape != x.shape[:1]:
        raise ValueError(
            f"labels must be one per example, {x.shape[:1]}, got {labels.shape}"
        )
    x = promote(x).reshape(x.shape[0], -1)
    x = x - jnp.mean(x, axis=0, keepdims=True)  # for precision of the squares
    members = jax.nn.one_hot(labels, num_classes, axis=0, dtype=x.dtype)
    count = members.sum(axis=1)
    sums, squares = members @ x, members @ jnp.sum(x * x, axis=1)
    # Σ over pairs |a - b|² = n_j Σ|a|² + n_i Σ|b|² - 2 Σa·Σb
    crossed = jnp.outer(squares, count)
    total = crossed + crossed.T - 2 * sums @ sums.T
    pairs = jnp.outer(count, count) - jnp.diag(count)
    squared = jnp.maximum(total, 0) / jnp.where(pairs > 0, pairs, 1)
    return jnp.where(pairs > 0, jnp.sqrt(squared), jnp.nan)


def agreement(
    outputs: Float[Array, "batch classes"], outputs_star: Float[Array, "batch classes"]
) -> Float[Array, ""]:
    """Compute the share of examples with the same predicted class at x* and at x.

    Args:
      outputs: logits or probabilities at x.
      outputs_star: logits or probabilities at x*.

    Returns:
      The share, in [0, 1].

    Raises:
      ValueError: the outputs are not both [B, C].

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import backprojection
      >>> backprojection.agreement(jnp.eye(2), jnp.array([[1.0, 0.0], [3.0, 1.0]]))
      Array(0.5, dtype=float32)
    """
    if outputs.shape != outputs_star.shape or outputs.ndim != 2:
        raise ValueError(
            "outputs of x and x* must both be [B, C], got "
            f"{outputs.shape} and {outputs_star.shape}"
        )
    return jnp.mean(jnp.argmax(outputs, axis=1) == jnp.argmax(outputs_star, axis=1))

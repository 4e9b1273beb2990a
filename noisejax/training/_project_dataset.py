"""Back-projection of a data set in batches, with results on the host."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Float, PyTree
from tqdm import tqdm

from noisejax import backprojection, noise

TargetsFn = Callable[[Any, noise.Key, Array], Sequence[Array]]
"""Function (params, key, x [B, ...]) -> noisy activations for `back_project`."""

SHOWN = 64
"""Largest number of diverged examples that determine the largest stable step."""


@dataclasses.dataclass(frozen=True, eq=False)
class ProjectedDataset:
    """Inputs x* and residuals of N examples for L layers, on the host.

    Attributes:
      x_star: inputs x*, [N, ...]; with `per_layer` [L, N, ...].
      residual_before: residuals Σ (f - target)² / Σ target² at x, [L, N].
      residual_after: residuals at x*, [L, N]; with `per_layer`, at the x* of each
        layer.
    """

    x_star: Float[np.ndarray, "..."]
    residual_before: Float[np.ndarray, "layers examples"]
    residual_after: Float[np.ndarray, "layers examples"]


def project_dataset(
    features_fn: Callable[..., tuple[Array, ...]],
    params: PyTree[Array],
    x: Float[np.ndarray, "examples ..."],
    targets_fn: TargetsFn,
    *,
    key: noise.Key,
    num_steps: int = 20,
    method: backprojection.Method | None = None,
    layer_weights: Sequence[float] | None = None,
    per_layer: bool = False,
    bounds: tuple[float, float] | None = None,
    batch_size: int = 1000,
    progress: bool = True,
) -> ProjectedDataset:
    """Find x* for every example, in batches to limit the memory.

    `num_steps`, `method`, `layer_weights`, `per_layer` and `bounds` are arguments of
    `backprojection.back_project`.

    Args:
      features_fn: function (params, x [B, ...]) -> L noise-free activations.
      params: parameters of the network.
      x: examples, [N, ...], on the host or the device.
      targets_fn: function (params, key, x [B, ...]) -> L noisy activations.
      key: random key; batch i uses jax.random.fold_in(key, i).
      num_steps: number of descent steps.
      method: descent method; None: `stable_descent()`.
      layer_weights: weights of the layers; None: all 1.
      per_layer: True to find an x* for each layer.
      bounds: bounds (lo, hi) of every element of x*; x must satisfy the bounds.
      batch_size: number of examples per batch.
      progress: True to show a progress bar.

    Returns:
      Inputs x* and residuals of all examples.

    Raises:
      TypeError, ValueError: `back_project` rejects an argument, an example is not
        finite, or an example violates the bounds.
      FloatingPointError: an x* is not finite, or an objective increased.

    Example:
      >>> import jax, numpy as np
      >>> from noisejax import noise, training
      >>> w = np.eye(3, dtype=np.float32)
      >>> def features_fn(w, x):
      ...     return (x @ w,)
      >>> def targets_fn(w, key, x):
      ...     return (noise.dropout(key, x @ w, rate=0.5),)
      >>> x = np.ones((5, 3), np.float32)
      >>> found = training.project_dataset(
      ...     features_fn, w, x, targets_fn, key=jax.random.key(0), progress=False
      ... )
      >>> sorted({round(float(value)) for value in found.x_star.ravel()})
      [0, 2]

    Reference:
      Bouthillier et al., "Dropout as data augmentation", arXiv:1506.08700, 2015.
    """
    key, total = noise.as_key(key), len(x)
    _check_examples(x, bounds, batch_size)
    size = min(batch_size, total)

    @jax.jit
    def project(params, method, key, x):
        result = backprojection.back_project(
            features_fn,
            params,
            x,
            tuple(targets_fn(params, key, x)),
            num_steps=num_steps,
            method=method,
            layer_weights=layer_weights,
            per_layer=per_layer,
            bounds=bounds,
        )
        return (
            result.x_star,
            result.residual_before,
            result.residual_after,
            result.diverged,
        )

    method = backprojection.stable_descent() if method is None else method
    axes = (1 if per_layer else 0, 1, 1)  # axis of the examples
    parts: list[list[np.ndarray]] = []
    with tqdm(total=total, desc="x*", unit="example", disable=not progress) as bar:
        for i, begin in enumerate(range(0, total, size)):
            count = min(size, total - begin)
            # The last batch is padded to reuse the compiled program.
            rows = np.minimum(np.arange(begin, begin + size), total - 1)
            batch = jnp.asarray(x[rows])
            result = project(params, method, jax.random.fold_in(key, i), batch)
            *kept, diverged = (np.asarray(leaf) for leaf in result)
            bad = np.flatnonzero(diverged[:count])
            if bad.size:
                raise FloatingPointError(
                    f"finding x* diverged for {bad.size} of the examples {begin} to "
                    f"{begin + count - 1}, first {begin + bad[0]}; "
                    + advise(features_fn, params, batch[bad[:SHOWN]], method)
                )
            parts.append(
                [
                    leaf.take(np.arange(count), axis=axis)
                    for leaf, axis in zip(kept, axes, strict=True)
                ]
            )
            bar.update(count)
    columns = zip(zip(*parts, strict=True), axes, strict=True)
    return ProjectedDataset(*(np.concatenate(c, axis=axis) for c, axis in columns))


def advise(
    features_fn: Callable[..., tuple[Array, ...]],
    params: PyTree[Array],
    x: Float[Array, "batch ..."],
    method: backprojection.Method,
) -> str:
    """Suggest stable learning rates, or another method."""
    rates = getattr(method, "learning_rates", None)
    if rates is None:
        return (
            f"with {type(method).__name__}; use stable_descent(), which undoes steps "
            "that fail, and check that all parameters of the network are finite"
        )
    largest = float(
        jnp.max(backprojection.curvature(features_fn, params, x, layer_weights=rates))
    )
    stable = ", ".join(f"{rate * 2 / largest:.3g}" for rate in rates)
    return (
        f"the learning rates {', '.join(f'{rate:g}' for rate in rates)} are too large "
        f"for this network: at these examples rates below {stable} are stable. Use "
        "those, or stable_descent() (projection.method=stable), which finds its step"
    )


def _check_examples(x, bounds, batch_size: int) -> None:
    if len(x) < 1 or batch_size < 1:
        raise ValueError(
            f"there must be examples and a batch size above 0, got {len(x)} examples "
            f"and batch_size={batch_size}"
        )
    values = np.asarray(x)
    finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"x must be finite; {np.sum(~finite)} examples are not, first "
            f"{int(np.argmin(finite))}"
        )
    if bounds is not None and len(bounds) == 2:
        low, high = values.min(), values.max()
        if low < bounds[0] or high > bounds[1]:
            raise ValueError(
                f"bounds must hold x, whose numbers lie in [{low:g}, {high:g}]; got "
                f"({bounds[0]:g}, {bounds[1]:g})"
            )

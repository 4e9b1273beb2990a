"""Preconditioner of back-projection: the inverse of the mean curvature."""

import dataclasses
import math
from collections.abc import Callable

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float, PyTree

from noisejax._explicit import gather
from noisejax._floating import promote
from noisejax.backprojection._check import (
    Shapes,
    check_features,
    check_floating_input,
    check_layer_weights,
)
from noisejax.backprojection._objective import (
    Features,
    FeaturesFn,
    Objective,
    largest_eigenvalue,
)

MAX_SIZE = 4096
"""Maximum number of entries per example. A matrix of this size takes 64 MiB."""

DAMPING = 0.1
"""Default damping, relative to the mean eigenvalue."""

PROBES = 8
"""Number of random products with J' per row of a matrix."""

STEP_EXAMPLES = 64
"""Number of examples for the estimate of the step size."""

STEP_ITERATIONS = 6

STEP_QUANTILE = 0.25
"""Quantile of the curvature that determines the step size.

Examples with larger curvature undo a step and halve it.
"""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Preconditioner:
    """Set-up of `preconditioned` for one network, built by `preconditioner`.

    Attributes:
      inverses: inverse matrices for all layers together and for each layer alone,
        [1 + L, D, D].
      steps: step size for each matrix, [1 + L].
      layer_weights: weights λ of the layers, [L].
      shape: shape of an example.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import backprojection
      >>> setup = backprojection.preconditioner(
      ...     lambda w, x: (x @ w,), jnp.eye(3), jnp.ones((4, 3))
      ... )
      >>> setup.inverses.shape, setup.steps.shape
      ((2, 3, 3), (2,))
    """

    inverses: Float[Array, "parts D D"]
    steps: Float[Array, " parts"]
    layer_weights: Float[Array, " layers"]
    shape: tuple[int, ...] = dataclasses.field(metadata={"static": True})

    def solve(
        self, x: Float[Array, "batch ..."], part: int
    ) -> Float[Array, "batch ..."]:
        """Multiply each example by an inverse matrix."""
        return (x.reshape(x.shape[0], -1) @ self.inverses[part]).reshape(x.shape)


def preconditioner(
    features_fn: FeaturesFn,
    params: PyTree[Array],
    x_sample: Float[Array, "batch ..."],
    *,
    layer_weights: Float[Array, " layers"] | None = None,
    damping: float = DAMPING,
) -> Preconditioner:
    """Build the set-up of preconditioned descent for a network:

      M = H + damping · mean eigenvalue of H · I
      H = mean over examples of 2 Σ_l λ_l J_l'J_l / N_l

    J_l is the derivative of layer l with respect to the input, and N_l is the number of
    units of layer l. Products of J_l' with random signs estimate the mean. There are
    about 8 products per input entry, so a few hundred examples are enough. The cost is
    that of one or two descent steps on 4096 examples. The set-up also has a matrix for
    each layer alone, for `per_layer`. This function is pure, also under jit and vmap.

    Args:
      features_fn: function (params, x) -> tuple of L noise-free activations, as in
        `back_project`.
      params: parameters of the network.
      x_sample: a few hundred examples of the inputs, with at most 4096 entries each.
      layer_weights: weights λ of `back_project`, by default all 1.
      damping: damping relative to the mean eigenvalue, above 0.

    Returns:
      The set-up for `preconditioned`, a pytree.

    Raises:
      TypeError: the features are not a tuple, or `x_sample` is not floating.
      ValueError: an example has more than 4096 entries, there are no examples, the
        weights have the wrong length or are negative, or `damping` is not above 0.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import backprojection
      >>> w = jax.random.normal(jax.random.key(0), (5, 7))
      >>> def features_fn(w, x):
      ...     return (jax.nn.relu(x @ w),)
      >>> x = jax.random.uniform(jax.random.key(1), (64, 5))
      >>> setup = backprojection.preconditioner(features_fn, w, x)
      >>> backprojection.preconditioned(setup).momentum
      True
    """
    x_sample = check_floating_input(x_sample, name="x_sample")
    shapes = check_features(features_fn, params, x_sample)
    weights = check_layer_weights(layer_weights, len(shapes))
    if not (math.isfinite(damping) and damping > 0):
        raise ValueError(f"damping must be a finite number above 0, got {damping!r}")
    x = gather(promote(x_sample))
    return precondition(
        lambda x: features_fn(params, x), x, shapes, weights, damping=damping
    )


def precondition(
    features: Callable[[Float[Array, "batch ..."]], Features],
    x: Float[Array, "batch ..."],
    shapes: Shapes,
    weights: Float[Array, " layers"],
    *,
    damping: float = DAMPING,
) -> Preconditioner:
    """Build a `Preconditioner` from checked arguments."""
    shape, size = x.shape[1:], math.prod(x.shape[1:])
    if size > MAX_SIZE:
        raise ValueError(
            "preconditioned descent needs a D x D matrix for D entries per example, at "
            f"most {MAX_SIZE}; got {size} (examples of shape {shape}). Use "
            "stable_descent(momentum=True)"
        )
    weights = weights.astype(x.dtype)
    layers = _mean_curvatures(features, x, shapes)
    joint = jnp.tensordot(weights, layers, 1)
    matrices = jnp.concatenate([joint[None], layers])
    added = damping * jnp.trace(matrices, axis1=-2, axis2=-1) / size
    added = jnp.where(added > 0, added, 1)[:, None, None]
    eye = jnp.broadcast_to(jnp.eye(size, dtype=matrices.dtype), matrices.shape)
    factors = jnp.linalg.cholesky(matrices + added * eye)
    inverses = jax.scipy.linalg.cho_solve((factors, True), eye)
    setup = Preconditioner(inverses, jnp.ones(len(matrices)), weights, shape)
    return dataclasses.replace(setup, steps=_steps(features, x, shapes, setup))


def _mean_curvatures(features, x, shapes) -> Float[Array, "layers D D"]:
    """Estimate E[2 J_l'J_l / N_l] = E[2 u u' / N_l] with u = J_l'(random signs)."""
    size = math.prod(x.shape[1:])
    count = -(-PROBES * size // x.shape[0])
    outputs, pull = jax.vjp(features, x)

    def one_layer(key, index):
        signs = jax.random.rademacher(key, outputs[index].shape, outputs[index].dtype)
        cotangents = [jnp.zeros_like(out) for out in outputs]
        cotangents[index] += signs
        u = pull(tuple(cotangents))[0].reshape(x.shape[0], -1)
        return u.T @ u / x.shape[0] * (2 / math.prod(shapes[index][1:]))

    def body(total, probe):
        keys = jax.random.split(
            jax.random.fold_in(jax.random.key(0), probe), len(shapes)
        )
        return total + jnp.stack([one_layer(k, i) for i, k in enumerate(keys)]), ()

    zeros = jnp.zeros_like(x, shape=(len(shapes), size, size))
    total, _ = lax.scan(body, zeros, jnp.arange(count))
    return total / count


def _steps(features, x, shapes, setup) -> Float[Array, " parts"]:
    """Return 1 / a quantile over examples of the largest eigenvalue of M⁻¹H."""
    x = x[:STEP_EXAMPLES]
    targets = tuple(jnp.zeros((1, *shape[1:]), x.dtype) for shape in shapes)
    start = jnp.asarray(np.random.default_rng(0).standard_normal(x.shape), x.dtype)
    start = start + jnp.zeros_like(x)
    together = Objective(features, targets, setup.layer_weights)
    alone = Objective(features, targets, jnp.ones_like(setup.layer_weights))
    steps = []
    for part in range(1 + len(shapes)):
        times = (alone.layer(part - 1) if part else together).curvature(x)
        largest = largest_eigenvalue(
            lambda v, times=times, part=part: setup.solve(times(v), part),
            start,
            STEP_ITERATIONS,
        )
        bound = jnp.quantile(largest, STEP_QUANTILE)
        steps.append(1 / jnp.where(bound > 0, bound, 1))
    return jnp.stack(steps)

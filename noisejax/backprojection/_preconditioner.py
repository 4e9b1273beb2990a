"""The mean curvature over examples, inverted: one matrix for all of them."""

import dataclasses
import math
from collections.abc import Callable

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float, PyTree

from noisejax._explicit import gather
from noisejax.backprojection._check import (
    Shapes,
    check_features,
    check_floating_input,
    check_layer_weights,
)
from noisejax.backprojection._eigenvalue import largest_eigenvalue
from noisejax.backprojection._objective import (
    Features,
    FeaturesFn,
    Objective,
    widened,
)
from noisejax.backprojection._solver import Dense, Fourier

MAX_DENSE = 4096
"""Input numbers per example up to which a whole matrix is held, 64 MiB each."""

DAMPING = 0.1
"""Share of the mean eigenvalue that is added to every one."""

STEP_EXAMPLES = 64
"""Examples of the sample on which the step is measured."""

STEP_ITERATIONS = 6

STEP_QUANTILE = 0.25
"""Share of them for which the step is short enough; for others it is soon halved."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Preconditioner:
    """What `preconditioned` has to know of a network: see `preconditioner`.

    Attributes:
      solver: the inverse matrices, for all layers together and then for each alone.
      steps: the step that suits each of them, [1 + L].
      layer_weights: λ of the layers together, [L].

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import backprojection
      >>> setup = backprojection.preconditioner(
      ...     lambda w, x: (x @ w,), jnp.eye(3), jnp.ones((4, 3))
      ... )
      >>> setup.solver.inverses.shape, setup.steps.shape
      ((2, 3, 3), (2,))
    """

    solver: Dense | Fourier
    steps: Float[Array, " parts"]
    layer_weights: Float[Array, " layers"]


def preconditioner(
    features_fn: FeaturesFn,
    params: PyTree[Array],
    x_sample: Float[Array, "batch ..."],
    *,
    layer_weights: Float[Array, " layers"] | None = None,
    kind: str = "auto",
    damping: float = DAMPING,
) -> Preconditioner:
    """Sets preconditioned descent up: once for a network, for all its examples.

      M = H + damping · mean eigenvalue of H · I
      H = mean over examples of 2 Σ_l λ_l J_l'J_l / N_l

    J_l is the derivative of layer l by the input, N_l its units. The mean is estimated
    by products of J' with random signs (the same in every call), about
    8 per input number, so a few hundred examples are enough: it costs what one or two
    steps of descent on a batch of 4096 do. The matrices of single layers, for
    `per_layer`, come with it. Pure: it can be called within jit and vmap.

    Args:
      features_fn: (params, x) -> tuple of L noise-free activations, as for
        `back_project`.
      params: of the network.
      x_sample: a few hundred examples, of the inputs to be projected.
      layer_weights: λ, as they will be given to `back_project`; default: all 1.
      kind: "dense", a matrix of D x D for D input numbers, D at most 4096; "fourier",
        for images [B, ..., C]: a C x C matrix per spatial frequency, exact where the
        network treats all places alike; "auto": fourier where the first features have
        spatial axes too, else dense.
      damping: share of the mean eigenvalue that is added.

    Returns:
      The set-up, for `preconditioned`: a pytree.

    Raises:
      TypeError: features that are no tuple, `x_sample` not floating.
      ValueError: an unknown kind, one that does not suit the input, weights of the
        wrong length or negative, no example, a damping not above 0.

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
    _check_damping(damping)
    x = gather(widened(x_sample))

    def features(x):
        return features_fn(params, x)

    return precondition(features, x, shapes, weights, kind=kind, damping=damping)


def precondition(
    features: Callable[[Float[Array, "batch ..."]], Features],
    x: Float[Array, "batch ..."],
    shapes: Shapes,
    weights: Float[Array, " layers"],
    *,
    kind: str = "auto",
    damping: float = DAMPING,
) -> Preconditioner:
    """`preconditioner`, of what has been checked: features as a function of x."""
    solver_class = _choose(kind, x.shape[1:], shapes[0])
    weights = weights.astype(x.dtype)
    layers = _mean_curvatures(features, x, shapes, solver_class)
    joint = jnp.tensordot(weights.astype(layers.dtype), layers, 1)
    moments = jnp.concatenate([joint[None], layers])
    solver = solver_class.invert(moments, damping, x.shape[1:])
    return Preconditioner(solver, _steps(features, x, shapes, weights, solver), weights)


def _mean_curvatures(features, x, shapes, solver_class) -> Float[Array, "layers ..."]:
    """The mean of 2 J_l'J_l / N_l: that of 2 u u' / N_l, u = J_l'(random signs)."""
    wanted = solver_class.num_probes(x.shape[1:])
    count = -(-wanted // x.shape[0])
    outputs, pull = jax.vjp(features, x)

    def one_layer(key, index):
        signs = jax.random.rademacher(key, outputs[index].shape, outputs[index].dtype)
        cotangents = [jnp.zeros_like(out) for out in outputs]
        cotangents[index] = signs
        (u,) = pull(tuple(cotangents))
        return solver_class.second_moment(u) * (2 / math.prod(shapes[index][1:]))

    def body(total, probe):
        keys = jax.random.split(
            jax.random.fold_in(jax.random.key(0), probe), len(shapes)
        )
        probed = [one_layer(keys[i], i) for i in range(len(shapes))]
        return total + jnp.stack(probed), ()

    one = jax.eval_shape(solver_class.second_moment, x)
    zeros = jnp.zeros((len(shapes), *one.shape), one.dtype)
    total, _ = lax.scan(body, zeros, jnp.arange(count))
    return total / count


def _steps(features, x, shapes, weights, solver) -> Float[Array, " parts"]:
    """1 / the largest eigenvalue of M⁻¹H, H that of an example: a low quantile."""
    x = x[:STEP_EXAMPLES]
    targets = tuple(jnp.zeros((1, *shape[1:]), x.dtype) for shape in shapes)
    start = jnp.asarray(np.random.default_rng(0).standard_normal(x.shape), x.dtype)
    objective = Objective(features, targets, weights)
    steps = []
    for part in range(1 + len(shapes)):
        if part:
            alone = Objective(features, targets, jnp.ones_like(weights))
            objective = alone.layer(part - 1)
        times = objective.curvature(x)

        def preconditioned_times(v, times=times, part=part):
            return solver.solve(times(v), part)

        largest = largest_eigenvalue(preconditioned_times, start, STEP_ITERATIONS)
        bound = jnp.quantile(largest, STEP_QUANTILE)
        steps.append(1 / jnp.where(bound > 0, bound, 1))
    return jnp.stack(steps)


def _choose(kind, shape, first) -> type[Dense] | type[Fourier]:
    kinds = ("auto", "dense", "fourier")
    if kind not in kinds:
        raise ValueError(f"kind must be one of {sorted(kinds)}, got {kind!r}")
    spatial = len(shape) in (2, 3, 4)
    if kind == "auto":
        kind = "fourier" if spatial and len(first) >= 3 else "dense"
    if kind == "fourier":
        if not spatial:
            raise ValueError(
                "kind='fourier' needs inputs [B, ..., C] with 1 to 3 spatial axes, got "
                f"examples of shape {shape}; use kind='dense'"
            )
        return Fourier
    size = math.prod(shape)
    if size > MAX_DENSE:
        raise ValueError(
            f"kind='dense' holds a matrix of D x D, D at most {MAX_DENSE} input "
            f"numbers, got {size} (examples of shape {shape}); use kind='fourier' for "
            "images, or stable_descent()"
        )
    return Dense


def _check_damping(damping):
    if not (math.isfinite(damping) and damping > 0):
        raise ValueError(f"damping must be a finite number above 0, got {damping!r}")

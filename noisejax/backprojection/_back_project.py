"""x*: the input that makes the noise-free network do what the noise made it do."""

import dataclasses
import functools
from collections.abc import Hashable, Sequence

import jax
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from noisejax.backprojection._bounds import Box
from noisejax.backprojection._check import (
    check_bounds,
    check_features,
    check_floating_input,
    check_layer_weights,
    check_num_steps,
    check_targets,
)
from noisejax.backprojection._method import Method
from noisejax.backprojection._objective import (
    FeaturesFn,
    Objective,
    along_batch,
    widened,
)
from noisejax.backprojection._stable_descent import stable_descent


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class BackProjection:
    """What `back_project` found, for B examples and L layers.

    Attributes:
      x_star: [B, ...]; with `per_layer` [L, B, ...]. float32 at least.
      loss: the objective at every step, summed over the batch, [num_steps + 1]; with
        `per_layer` [L, num_steps + 1].
      residual_before: Σ (f_l(x) - target_l)² / Σ target_l², [L, B], 0 / 0 being 0.
      residual_after: the same at x*; with `per_layer` at the layer's own.
      diverged: examples whose x* or objective is not finite, or whose objective ends
        above its start by more than rounding, [B].

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import backprojection
      >>> x = jnp.ones((1, 2))
      >>> found = backprojection.back_project(
      ...     lambda w, x: (w * x,), jnp.float32(1), x, (2 * x,), num_steps=30
      ... )
      >>> found.residual_before, found.residual_after.round(3)
      (Array([[0.25]], dtype=float32), Array([[0.]], dtype=float32))
    """

    x_star: Float[Array, "..."]
    loss: Float[Array, "... steps"]
    residual_before: Float[Array, "layers batch"]
    residual_after: Float[Array, "layers batch"]
    diverged: Bool[Array, " batch"]


def back_project(
    features_fn: FeaturesFn,
    params: PyTree[Array],
    x: Float[Array, "batch ..."],
    targets: Sequence[Float[Array, "batch ..."]],
    *,
    num_steps: int = 20,
    method: Method | None = None,
    layer_weights: Float[Array, " layers"] | Sequence[float] | None = None,
    per_layer: bool = False,
    bounds: tuple[float, float] | None = None,
) -> BackProjection:
    """Projects noise back into the input: descends from x to an x* with f(x*) ≈ target.

      x* = argmin Σ_l λ_l mean over units (f_l(x*) - target_l)²   (eq. 8)

    With `per_layer` there is an x* for each layer. Only the input moves: no gradient of
    a parameter is computed. Examples do not depend on each other. It is compiled for
    each `features_fn`: keep one function for all parameters.

    Args:
      features_fn: (params, x [B, ...]) -> tuple of L noise-free activations [B, ...],
        first layer first, each example on its own. For products in bfloat16 it uses
        `models.bfloat16_products` (on a CPU casting alone gains nothing: products that
        give bfloat16 are computed in float32); errors, steps and sums are float32.
      params: of the network.
      x: inputs [B, ...], where descent starts.
      targets: the noisy activations, in the features' shapes: noise at every hidden
        layer up to theirs, none on the input.
      num_steps: of descent.
      method: `stable_descent()` (the default), `preconditioned(setup)`,
        `gradient_descent(learning_rates)`, or `from_optax(tx)`.
      layer_weights: λ, default: all 1.
      per_layer: whether each layer has an x* of its own.
      bounds: (lo, hi) in which every number of x* lies: x is clipped first, then after
        each step.

    Returns:
      The x*, and how well they do. Methods that take steps back count what they keep:
      their losses never rise.

    Raises:
      TypeError: x not floating, features that are no tuple, another kind of method.
      ValueError: targets or weights that do not match the features, `num_steps` below
        1, bounds without lo < hi, rates or a set-up for another number of layers.

    Example: shut a hidden unit off and see which input lacks it.
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import backprojection, noise
      >>> def features_fn(params, x):
      ...     return (jax.nn.relu(x @ params),)
      >>> params = jax.random.normal(jax.random.key(0), (10, 6))
      >>> x = jax.random.uniform(jax.random.key(1), (4, 10))
      >>> mask = noise.mask_sample(jnp.arange(6)[None] != 2)
      >>> targets = tuple(noise.apply(h, mask) for h in features_fn(params, x))
      >>> found = backprojection.back_project(
      ...     features_fn, params, x, targets, num_steps=200
      ... )
      >>> bool((found.residual_after < 1e-3).all())
      True

    Reference:
      Bouthillier et al., "Dropout as data augmentation", arXiv:1506.08700, 2015.
    """
    x = check_floating_input(x, name="x")
    shapes = check_features(features_fn, params, x)
    targets = check_targets(targets, shapes)
    weights = check_layer_weights(layer_weights, len(shapes))
    num_steps = check_num_steps(num_steps)
    box = Box() if bounds is None else Box(*check_bounds(bounds))
    method = stable_descent() if method is None else method
    if not isinstance(method, Method):
        raise TypeError(
            "method must come from stable_descent, preconditioned, gradient_descent or "
            f"from_optax, got {type(method).__name__}"
        )
    method.check(len(shapes), x.shape[1:])
    if not isinstance(features_fn, Hashable):
        raise TypeError(
            "features_fn must be hashable, as functions are, got "
            f"{type(features_fn).__name__}"
        )
    return _descend(
        features_fn,
        params,
        x,
        targets,
        weights,
        box,
        method,
        num_steps=num_steps,
        per_layer=bool(per_layer),
    )


@functools.partial(
    jax.jit, static_argnums=0, static_argnames=("num_steps", "per_layer")
)
def _descend(
    features_fn, params, x, targets, weights, box, method, *, num_steps, per_layer
) -> BackProjection:
    x = box.clip(widened(x))

    def features(x):
        return features_fn(params, x)

    objective = Objective(features, targets, weights.astype(x.dtype))
    method = method.prepare(objective, x)
    if not per_layer:
        return _one(objective, x, method, box, num_steps)
    found = [
        _one(objective.layer(i), x, method.layer(i), box, num_steps)
        for i in range(len(targets))
    ]
    return BackProjection(
        x_star=jnp.stack([f.x_star for f in found]),
        loss=jnp.stack([f.loss for f in found]),
        residual_before=jnp.concatenate([f.residual_before for f in found]),
        residual_after=jnp.concatenate([f.residual_after for f in found]),
        diverged=jnp.stack([f.diverged for f in found]).any(axis=0),
    )


def _one(
    objective: Objective,
    x: Float[Array, "batch ..."],
    method: Method,
    box: Box,
    num_steps: int,
) -> BackProjection:
    """One x* for all layers of the objective."""
    weights = method.gradient_weights(objective.weights)

    def step(x, state, squared, gradient, i):
        value, last = objective.per_example(squared), i == num_steps - 1
        return method.move(state, x, value, gradient, last, box)

    def body(carry, i):
        x, state = carry
        squared, gradient = objective.evaluate(x, weights)
        return step(x, state, squared, gradient, i), squared

    # The first step stands alone: what a method measures at the start shares its pass.
    first, gradient = objective.evaluate(x, weights)
    state = method.start(objective, x, gradient)
    carry = step(x, state, first, gradient, jnp.int32(0))
    (x_star, state), between = lax.scan(body, carry, jnp.arange(1, num_steps))
    end = objective.squared_errors(x_star)
    squared = jnp.concatenate([first[None], between, end[None]])
    values = jax.vmap(objective.per_example)(squared)
    best = method.best(state)
    if best is not None:
        values = jnp.where(jnp.isnan(values), jnp.inf, values)
        found = jnp.argmin(values, axis=0)
        at_end = along_batch(found == num_steps, x)
        x_star = jnp.where(at_end, x_star, best)
        end = jnp.take_along_axis(squared, found[None, None], axis=0)[0]
        values = lax.cummin(values)
    return BackProjection(
        x_star=x_star,
        loss=values.sum(axis=1),
        residual_before=_residual(objective, first),
        residual_after=_residual(objective, end),
        diverged=_diverged(objective, values[0], values[-1], x_star),
    )


def _residual(
    objective: Objective, squared: Float[Array, "layers batch"]
) -> Float[Array, "layers batch"]:
    """Errors relative to targets; nothing to reach and nothing missed is 0."""
    size = objective.squared_targets()
    known = (size > 0) | (squared != 0)
    return jnp.where(known, squared / jnp.where(known, size, 1), 0)


def _diverged(
    objective: Objective, before: Array, after: Array, x_star: Float[Array, "batch ..."]
) -> Bool[Array, " batch"]:
    """Not finite, or worse than before by more than the features' rounding."""
    finite = jnp.isfinite(x_star).reshape(x_star.shape[0], -1).all(axis=1)
    rounded = [jnp.finfo(t.dtype).eps for t in objective.targets]
    scale = objective.per_example(objective.squared_targets())
    allowed = (4 * max(rounded)) ** 2 * scale + 1e-5 * before
    return ~(finite & (after <= before + allowed) & jnp.isfinite(after))

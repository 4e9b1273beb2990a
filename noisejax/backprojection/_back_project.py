"""Back-projection by descent on the input."""

import dataclasses
import functools
from collections.abc import Hashable, Sequence

import jax
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from noisejax._floating import promote
from noisejax.backprojection._check import (
    check_bounds,
    check_features,
    check_floating_input,
    check_layer_weights,
    check_num_steps,
    check_targets,
)
from noisejax.backprojection._guarded import stable_descent
from noisejax.backprojection._methods import Box, Method, Point
from noisejax.backprojection._objective import (
    FeaturesFn,
    Objective,
    along_batch,
)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class BackProjection:
    """Result of `back_project` for B examples and L layers.

    Attributes:
      x_star: inputs x*, [B, ...], or [L, B, ...] with `per_layer`. The dtype is at
        least float32.
      loss: objective before each step and at the end, summed over the batch,
        [num_steps + 1], or [L, num_steps + 1] with `per_layer`.
      residual_before: relative error Σ (f_l(x) - target_l)² / Σ target_l² at x, [L, B].
        A target can be 0, for example if noise drops a whole path. The error is then
        relative to Σ f_l(x)², and 0 / 0 is 0.
      residual_after: relative error at x*, [L, B]. With `per_layer`, each layer has its
        own x*.
      diverged: True for each example with a nonfinite x* or objective, or with a final
        objective that exceeds the initial one by more than rounding, [B].

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
    """Find inputs x* whose noise-free activations are close to noisy activations.

      x* = argmin Σ_l λ_l mean over units (f_l(x*) - target_l)²   (eq. 8)

    The descent starts at x, and each example has its own x*. No gradients of parameters
    are computed. `features_fn` needs to support reverse mode only. JAX compiles this
    function once for each `features_fn`, so use the same function for all parameters.

    Args:
      features_fn: function (params, x [B, ...]) -> tuple of the noise-free activations
        of L layers, each [B, ...], in the order of the layers. Examples must not
        depend on each other. For bfloat16 products use `models.bfloat16_products`.
        Errors, steps and sums are in float32.
      params: parameters of the network.
      x: inputs, [B, ...], at which the descent starts.
      targets: noisy activations with the shapes of the features. There is noise on all
        hidden layers but not on the input.
      num_steps: number of steps.
      method: method from `stable_descent`, `preconditioned`, `gradient_descent` or
        `from_optax`. The default is `stable_descent()`.
      layer_weights: weights λ of the layers, by default all 1.
      per_layer: True to find a separate x* for each layer.
      bounds: lower and upper bound of all entries of x*. Inputs are clipped at the
        start and after each step.

    Returns:
      The inputs x*, with losses and residuals. `stable_descent` and `preconditioned`
      undo steps that increase the objective, so that the loss never increases.

    Raises:
      TypeError: x is not floating, the features are not a tuple, the method is unknown,
        or the method needs a second derivative that `features_fn` does not have.
      ValueError: targets or weights do not match the features, `num_steps` is below 1,
        the lower bound is not below the upper one, or the method is for another number
        of layers.

    Example: drop one hidden unit, and find an input at which this unit is 0.
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
    x = box.clip(promote(x))
    objective = Objective(
        lambda x: features_fn(params, x), targets, weights.astype(x.dtype)
    )
    method = method.prepare(objective, x)
    if not per_layer:
        return _descend_jointly(objective, x, method, box, num_steps)
    found = [
        _descend_jointly(objective.layer(i), x, method.layer(i), box, num_steps)
        for i in range(len(targets))
    ]
    return BackProjection(
        x_star=jnp.stack([f.x_star for f in found]),
        loss=jnp.stack([f.loss for f in found]),
        residual_before=jnp.concatenate([f.residual_before for f in found]),
        residual_after=jnp.concatenate([f.residual_after for f in found]),
        diverged=jnp.stack([f.diverged for f in found]).any(axis=0),
    )


def _descend_jointly(
    objective: Objective,
    x: Float[Array, "batch ..."],
    method: Method,
    box: Box,
    num_steps: int,
) -> BackProjection:
    """Find one x* per example for all layers together."""
    weights = method.gradient_weights(objective.weights)

    def evaluate(x, i):
        squared, gradient = objective.evaluate(x, weights)
        value = objective.per_example(squared)
        return squared, Point(x, value, gradient, i == num_steps - 1)

    def body(carry, i):
        x, state = carry
        squared, point = evaluate(x, i)
        return method.update(state, point, objective, box), squared

    # The first step is outside the loop, so that its forward pass is shared with the
    # initialisation of the method.
    first, point = evaluate(x, jnp.int32(0))
    state = method.start(objective, point)
    carry = method.update(state, point, objective, box)
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
        residual_before=_residual(objective, first, first),
        residual_after=_residual(objective, first, end),
        diverged=_diverged(objective, values[0], values[-1], x_star),
    )


def _residual(
    objective: Objective,
    first: Float[Array, "layers batch"],
    squared: Float[Array, "layers batch"],
) -> Float[Array, "layers batch"]:
    """Return squared errors relative to the targets, or to `first` for zero targets."""
    size = objective.squared_targets()
    scale = jnp.where(size > 0, size, first)
    known = scale != 0
    relative = squared / jnp.where(known, scale, 1)
    return jnp.where(known, relative, jnp.sign(squared))


def _diverged(
    objective: Objective, before: Array, after: Array, x_star: Float[Array, "batch ..."]
) -> Bool[Array, " batch"]:
    """Return True if nonfinite or worse than before by more than rounding."""
    finite = jnp.isfinite(x_star).reshape(x_star.shape[0], -1).all(axis=1)
    rounded = [jnp.finfo(t.dtype).eps for t in objective.targets]
    scale = objective.per_example(objective.squared_targets())
    allowed = (4 * max(rounded)) ** 2 * scale + 1e-5 * before
    return ~(finite & (after <= before + allowed) & jnp.isfinite(after))

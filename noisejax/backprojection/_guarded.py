"""Descent methods that undo steps that increase the objective."""

import dataclasses
from typing import NamedTuple

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Float, Int

from noisejax._explicit import gather
from noisejax.backprojection._methods import Method
from noisejax.backprojection._objective import along_batch, inner, largest_eigenvalue
from noisejax.backprojection._preconditioner import Preconditioner, precondition

ITERATIONS = 4
"""Number of Lanczos iterations."""

SAFETY = 1.1
"""Safety factor of the estimated largest eigenvalue."""

SAMPLE = 512
"""Number of examples from which `preconditioned()` builds its set-up."""


class Guard(NamedTuple):
    """State of the descent for each example.

    Attributes:
      best: best inputs so far.
      value: objective at `best`, infinite at the start.
      direction: direction of descent at `best`.
      step: step size.
      before: inputs after the previous step, before momentum was added.
      count: number of steps since the last one that was undone.
    """

    best: Float[Array, "batch ..."]
    value: Float[Array, " batch"]
    direction: Float[Array, "batch ..."]
    step: Float[Array, " batch"]
    before: Float[Array, "batch ..."]
    count: Int[Array, " batch"]  # pyright: ignore[reportIncompatibleMethodOverride]


class Guarded(Method):
    """Descent  x ← best - step · direction,  optionally with Nesterov momentum.

    If the objective of an example increases, the example returns to its best inputs,
    its step size is halved, and its momentum is reset. The objective is computed
    together with the gradient, so this needs no further forward pass.
    """

    momentum: bool

    def first_step(self, objective, first) -> Float[Array, " batch"]:
        """Return the initial step size of each example."""
        raise NotImplementedError

    def direction(self, gradient, free) -> Float[Array, "batch ..."]:
        """Return the direction of descent, which is 0 for entries that are not free."""
        return jnp.where(free, gradient, 0)

    def start(self, objective, first):
        x = first.x
        nothing = jnp.zeros_like(inner(x, x))  # keeps the sharding of the examples
        return Guard(
            best=x,
            value=nothing + jnp.inf,
            direction=jnp.zeros_like(x),
            step=nothing + self.first_step(objective, first),
            before=x,
            count=nothing.astype(jnp.int32),
        )

    def update(self, state, point, objective, box):
        x, gradient = point.x, point.gradient
        better = point.value <= state.value
        wide = along_batch(better, x)
        held = (x <= box.lo) & (gradient > 0) | (x >= box.hi) & (gradient < 0)
        best = jnp.where(wide, x, state.best)
        direction = jnp.where(wide, self.direction(gradient, ~held), state.direction)
        step = jnp.where(better, state.step, state.step / 2)
        count = jnp.where(better, state.count + 1, 0)
        plain = next_x = box.clip(best - along_batch(step, x) * direction)
        if self.momentum:
            count_as_float = count.astype(x.dtype)
            beta = jnp.where(point.is_last, 0, count_as_float / (count_as_float + 3))
            next_x = box.clip(plain + along_batch(beta, x) * (plain - state.before))
        value = jnp.where(better, point.value, state.value)
        return next_x, Guard(best, value, direction, step, plain, count)

    def best(self, state):
        return state.best


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class StableDescent(Guarded):
    """Method of `stable_descent`."""

    momentum: bool = False

    def first_step(self, objective, first):
        # The gradient may be 0 or orthogonal to the leading eigenvector, so noise is
        # added. It is the same for all examples, so that they stay independent.
        x = first.x
        noise = np.random.default_rng(0).standard_normal(x.shape[1:])
        noise = jnp.broadcast_to(jnp.asarray(noise, x.dtype), x.shape)
        start = _unit(first.gradient) + _unit(noise)
        largest = largest_eigenvalue(objective.curvature(x), start, ITERATIONS)
        return 1 / jnp.where(largest > 0, SAFETY * largest, 1)


def stable_descent(*, momentum: bool = False) -> Method:
    """Gradient descent with a step size 1 / L that is estimated for each example:

      x ← x - 1/L ∇ Σ_l λ_l mean (f_l(x) - target_l)²
      L = max eig 2 Σ_l λ_l J_l'J_l / N_l

    A few Lanczos iterations at the initial x estimate L, with a safety factor. If the
    objective of an example increases in a later step, this step is undone and the step
    size is halved, so that the descent does not diverge.

    Args:
      momentum: True to use Nesterov momentum, which restarts after an undone step.

    Returns:
      The method for `back_project`.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import backprojection
      >>> w = jnp.array([[3.0, 0.0], [0.0, 1.0]])
      >>> found = backprojection.back_project(
      ...     lambda w, x: (x @ w,), w, jnp.zeros((1, 2)), (jnp.ones((1, 2)),),
      ...     method=backprojection.stable_descent(), num_steps=100,
      ... )
      >>> found.x_star.round(3)
      Array([[0.333, 1.   ]], dtype=float32)
    """
    return StableDescent(bool(momentum))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Preconditioned(Guarded):
    """Method of `preconditioned`.

    `part` is 0 for all layers together, and l + 1 for layer l alone.
    """

    setup: Preconditioner | None
    momentum: bool = dataclasses.field(default=True, metadata={"static": True})
    part: int = dataclasses.field(default=0, metadata={"static": True})

    def check(self, num_layers, shape):
        if self.setup is None:
            return
        prepared_for = self.setup.layer_weights.shape[0], self.setup.shape
        if prepared_for != (num_layers, shape):
            raise ValueError(
                "the set-up of preconditioned(setup) must be for the same network and "
                f"input: it is for {prepared_for[0]} layers and examples of shape "
                f"{prepared_for[1]}, got {num_layers} layers and {shape}. Build "
                "another with preconditioner(features_fn, params, x_sample)"
            )

    def prepare(self, objective, x):
        if self.setup is not None:
            return self
        shapes = [target.shape for target in objective.targets]
        sample = gather(x)[:SAMPLE]
        setup = precondition(objective.features, sample, shapes, objective.weights)
        return dataclasses.replace(self, setup=setup)

    def layer(self, index):
        return dataclasses.replace(self, part=index + 1)

    def first_step(self, objective, first):
        # If the layer weights differ from those of the set-up, the curvature is larger
        # by at most this factor.
        dtype = first.x.dtype
        prepared_weights = jnp.ones(1, dtype) if self.part else self.setup.layer_weights
        ratios = objective.weights / prepared_weights.astype(dtype)
        larger = jnp.max(jnp.where(objective.weights > 0, ratios, 0))
        step = self.setup.steps[self.part] / jnp.where(larger > 0, larger, 1)
        return jnp.broadcast_to(step.astype(dtype), first.x.shape[:1])

    def direction(self, gradient, free):
        # Projecting before and after the product keeps it a direction of descent.
        gradient = jnp.where(free, gradient, 0)
        return jnp.where(free, self.setup.solve(gradient, self.part), 0)


def preconditioned(
    setup: Preconditioner | None = None, *, momentum: bool = True
) -> Method:
    """Descent with one preconditioner M for all examples:

      x ← x - s M⁻¹ ∇ Σ_l λ_l mean (f_l(x) - target_l)²

    `preconditioner` computes M and the step size s from the mean curvature of the
    objective. If the objective of an example increases, the step is undone and the step
    size is halved, so that the descent does not diverge.

    For dense networks this method needs a few steps, and `stable_descent` 20 or more.
    For convolutional networks `stable_descent(momentum=True)` is as good and needs no
    set-up.

    Args:
      setup: set-up from `preconditioner` for the same network. It stays useful while
        the parameters change little. By default each call builds a set-up from its
        first 512 examples.
      momentum: True to use Nesterov momentum.

    Returns:
      The method for `back_project`, a pytree that can be an argument of a jitted
      function.

    Raises:
      TypeError: `setup` is not a `Preconditioner`.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import backprojection as bp
      >>> w = jax.random.normal(jax.random.key(0), (20, 20))
      >>> x, target = jnp.zeros((3, 20)), jnp.ones((3, 20))
      >>> def project(method):
      ...     found = bp.back_project(
      ...         lambda w, x: (x @ w,), w, x, (target,), num_steps=10, method=method
      ...     )
      ...     return found.residual_after.max()
      >>> setup = bp.preconditioner(lambda w, x: (x @ w,), w, x)
      >>> bool(project(bp.preconditioned(setup)) < project(bp.stable_descent()) / 2)
      True
    """
    if setup is not None and not isinstance(setup, Preconditioner):
        raise TypeError(
            "setup must come from preconditioner(features_fn, params, x_sample), got "
            f"{type(setup).__name__}"
        )
    return Preconditioned(setup, bool(momentum))


def _unit(x):
    squared = inner(x, x)
    return x / along_batch(jnp.sqrt(jnp.where(squared > 0, squared, 1)), x)

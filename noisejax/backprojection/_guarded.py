"""Descent that undoes a step if the objective of an example rises."""

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
"""Products with the curvature in Lanczos' iteration."""

SAFETY = 1.1
"""Factor of the eigenvalue that it finds."""

SAMPLE = 512
"""Examples of the batch from which `preconditioned()` builds its set-up."""


class Guard(NamedTuple):
    """State of every example.

    Attributes:
      best: best point so far.
      value: objective there; inf before the first.
      direction: direction of descent there, before it is multiplied by the step.
      step: step size.
      before: last point without momentum.
      count: number of successive steps that were not undone.
    """

    best: Float[Array, "batch ..."]
    value: Float[Array, " batch"]
    direction: Float[Array, "batch ..."]
    step: Float[Array, " batch"]
    before: Float[Array, "batch ..."]
    count: Int[Array, " batch"]  # pyright: ignore[reportIncompatibleMethodOverride]


class Guarded(Method):
    """x ← best - step · direction, with Nesterov's momentum or without.

    Values come with the gradients, so the guard needs no forward pass. An example whose
    objective rose returns to its best point and tries half the step, without momentum.
    """

    momentum: bool

    def first_step(self, objective, first) -> Float[Array, " batch"]:
        """Return the step size of every example."""
        raise NotImplementedError

    def direction(self, gradient, free) -> Float[Array, "batch ..."]:
        """Return the direction of descent, 0 where x may not move."""
        return jnp.where(free, gradient, 0)

    def start(self, objective, first):
        x = first.x
        nothing = jnp.zeros_like(inner(x, x))  # On the device of each example.
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
    """Data of `stable_descent`."""

    momentum: bool = False

    def first_step(self, objective, first):
        # The gradient alone may have no share of the steepest direction, or be 0. The
        # noise is the same for all examples, so that they do not depend on each other.
        x = first.x
        noise = np.random.default_rng(0).standard_normal(x.shape[1:])
        noise = jnp.broadcast_to(jnp.asarray(noise, x.dtype), x.shape)
        start = _unit(first.gradient) + _unit(noise)
        largest = largest_eigenvalue(objective.curvature(x), start, ITERATIONS)
        return 1 / jnp.where(largest > 0, SAFETY * largest, 1)


def stable_descent(*, momentum: bool = False) -> Method:
    """Gradient descent with step size 1 / L, measured for every example:

      x ← x - 1/L ∇ Σ_l λ_l mean (f_l(x) - target_l)²
      L = max eig 2 Σ_l λ_l J_l'J_l / N_l

    L comes from a few steps of Lanczos' iteration at the first x, with a safety factor.
    If the objective of an example rises later, its step is undone and halved, so that
    nothing diverges.

    Args:
      momentum: True to add Nesterov's, restarted whenever a step is undone.

    Returns:
      The method, for `back_project`; its default.

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
    """Data of `preconditioned`; `part` is 0 for all layers, l + 1 for layer l alone."""

    setup: Preconditioner | None
    momentum: bool = dataclasses.field(default=True, metadata={"static": True})
    part: int = dataclasses.field(default=0, metadata={"static": True})

    def check(self, num_layers, shape):
        if self.setup is None:
            return
        made_for = self.setup.layer_weights.shape[0], self.setup.shape
        if made_for != (num_layers, shape):
            raise ValueError(
                "the set-up of preconditioned(setup) must be for the same network and "
                f"input: it is for {made_for[0]} layers and examples of shape "
                f"{made_for[1]}, got {num_layers} layers and {shape}; build it by "
                "preconditioner(features_fn, params, x_sample)"
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
        # If the weights differ from the set-up's, the curvature grows by this factor
        # at most.
        dtype = first.x.dtype
        made_for = jnp.ones(1, dtype) if self.part else self.setup.layer_weights
        ratios = objective.weights / made_for.astype(dtype)
        larger = jnp.max(jnp.where(objective.weights > 0, ratios, 0))
        step = self.setup.steps[self.part] / jnp.where(larger > 0, larger, 1)
        return jnp.broadcast_to(step.astype(dtype), first.x.shape[:1])

    def direction(self, gradient, free):
        # Projected before and after: within bounds it stays a direction of descent.
        gradient = jnp.where(free, gradient, 0)
        return jnp.where(free, self.setup.solve(gradient, self.part), 0)


def preconditioned(
    setup: Preconditioner | None = None, *, momentum: bool = True
) -> Method:
    """Descent preconditioned by the mean curvature M, shared by all examples:

      x ← x - s M⁻¹ ∇ Σ_l λ_l mean (f_l(x) - target_l)²

    M and the step size s come from `preconditioner`. If the objective of an example
    rises, its step is undone and halved, so that nothing diverges. For dense networks
    it needs a few steps where `stable_descent` needs 20 or more. For convolutional
    ones `stable_descent(momentum=True)` is as good and needs no set-up.

    Args:
      setup: set-up from `preconditioner` for the same network, valid while its
        parameters have not changed much; None: built at every call from the first 512
        examples.
      momentum: False to leave out Nesterov's momentum.

    Returns:
      The method, for `back_project`: a pytree that can be an argument of a jit.

    Raises:
      TypeError: `setup` is not from `preconditioner`.

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

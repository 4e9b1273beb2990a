"""Descent in the metric of the mean curvature."""

import dataclasses

import jax
from jax import numpy as jnp

from noisejax._explicit import gather
from noisejax.backprojection._guarded import Guarded
from noisejax.backprojection._method import Method
from noisejax.backprojection._preconditioner import (
    Preconditioner,
    precondition,
)

SAMPLE = 512
"""Examples of the batch that a set-up is made of where none is given."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Preconditioned(Guarded):
    """See `preconditioned`.

    Attributes:
      setup: of the network; None: to be made of the batch.
      momentum: whether Nesterov's is added.
      part: which matrix of the set-up: 0 that of all layers, l + 1 that of layer l.
    """

    setup: Preconditioner | None
    momentum: bool = dataclasses.field(default=True, metadata={"static": True})
    part: int = dataclasses.field(default=0, metadata={"static": True})

    @property
    def has_momentum(self):
        return self.momentum

    def check(self, num_layers, shape):
        if self.setup is None:
            return
        made_for = self.setup.layer_weights.shape[0], self.setup.solver.shape
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

    def first_step(self, objective, x, gradient):
        # Other weights than the set-up's: their curvature is at most so much larger.
        made_for = jnp.ones(1, x.dtype) if self.part else self.setup.layer_weights
        ratios = objective.weights / made_for.astype(x.dtype)
        larger = jnp.max(jnp.where(objective.weights > 0, ratios, 0))
        step = self.setup.steps[self.part] / jnp.where(larger > 0, larger, 1)
        return jnp.broadcast_to(step.astype(x.dtype), x.shape[:1])

    def direction(self, gradient, free):
        # Projected twice, before and after: with bounds it stays one of descent.
        gradient = jnp.where(free, gradient, 0)
        return jnp.where(free, self.setup.solver.solve(gradient, self.part), 0)


def preconditioned(
    setup: Preconditioner | None = None, *, momentum: bool = True
) -> Method:
    """Descent preconditioned by the mean curvature M, shared by all examples:

      x ← x - s M⁻¹ ∇ Σ_l λ_l mean (f_l(x) - target_l)²

    with Nesterov's momentum. M and the step s come from `preconditioner`. Where an
    example gets worse, the step is taken back and halved for it: nothing diverges. For
    the same residual it needs a few steps where `stable_descent` needs 20 or more.

    Args:
      setup: from `preconditioner`, for the same network, as long as its parameters have
        not changed much; None: made anew of the first 512 examples at every call.
      momentum: False leaves the momentum off.

    Returns:
      The method, for `back_project`: a pytree that can be an argument of a jit.

    Raises:
      TypeError: `setup` is none.

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

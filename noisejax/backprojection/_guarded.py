"""Descent that takes back a step by which an example got worse."""

import abc
from typing import NamedTuple

from jax import numpy as jnp
from jaxtyping import Array, Float, Int

from noisejax.backprojection._method import Method
from noisejax.backprojection._objective import along_batch, inner


class Guard(NamedTuple):
    """Where an example stands.

    Attributes:
      best: the best point seen.
      value: of the objective there; inf before the first.
      direction: of descent there, before it is multiplied by the step.
      step: its length.
      before: the last point that a step led to, without momentum.
      count: steps in a row that did not have to be taken back.
    """

    best: Float[Array, "batch ..."]
    value: Float[Array, " batch"]
    direction: Float[Array, "batch ..."]
    step: Float[Array, " batch"]
    before: Float[Array, "batch ..."]
    count: Int[Array, " batch"]


class Guarded(Method):
    """x ← best - step · direction, with Nesterov's momentum or without.

    The values come with the gradients, so the guard needs no pass of its own. An
    example whose objective rose goes back to its best point and tries half the step,
    without the momentum.
    """

    @property
    @abc.abstractmethod
    def has_momentum(self) -> bool:
        """Whether Nesterov's extrapolation follows each step."""

    @abc.abstractmethod
    def first_step(self, objective, x, gradient) -> Float[Array, " batch"]:
        """The step's length, of every example."""

    def direction(
        self, gradient: Float[Array, "batch ..."], free: Array
    ) -> Float[Array, "batch ..."]:
        """What is descended along, 0 where x may not move."""
        return jnp.where(free, gradient, 0)

    def start(self, objective, x, gradient):
        nothing = jnp.zeros_like(inner(x, x))  # On the device of each example.
        return Guard(
            best=x,
            value=nothing + jnp.inf,
            direction=jnp.zeros_like(x),
            step=nothing + self.first_step(objective, x, gradient),
            before=x,
            count=nothing.astype(jnp.int32),
        )

    def move(self, state, x, value, gradient, last, box):
        new = self._accept(state, x, value, gradient, box)
        plain = box.clip(new.best - along_batch(new.step, x) * new.direction)
        point = plain
        if self.has_momentum:
            count = new.count.astype(x.dtype)
            beta = jnp.where(last, 0, count / (count + 3))
            point = box.clip(plain + along_batch(beta, x) * (plain - new.before))
        return point, new._replace(before=plain)

    def _accept(self, state: Guard, x, value, gradient, box) -> Guard:
        better = value <= state.value
        wide = along_batch(better, x)
        direction = self.direction(gradient, box.free(x, gradient))
        return Guard(
            best=jnp.where(wide, x, state.best),
            value=jnp.where(better, value, state.value),
            direction=jnp.where(wide, direction, state.direction),
            step=jnp.where(better, state.step, state.step / 2),
            before=state.before,
            count=jnp.where(better, state.count + 1, 0),
        )

    def best(self, state: Guard):
        return state.best

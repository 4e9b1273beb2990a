"""One step of training: a pure function of state, batch and key."""

import dataclasses
from collections.abc import Callable

import jax
import optax
from flax import linen as nn
from jax import numpy as jnp
from jaxtyping import Array, Float, Int

from noisejax import noise
from noisejax.training._optimizer import clip_norms
from noisejax.training._state import TrainState
from noisejax.training._task import Task


@dataclasses.dataclass(frozen=True)
class StepConfig:
    """What a step needs besides its arguments; hashable, so that jit may close over it.

    Attributes:
      model: called as model(x, train=...) -> (outputs, activations).
      task: how outputs are judged.
      expected_samples: how many noise samples a forward pass must apply.
      max_norm: of a unit's incoming weights; 0: none.
      skip_nonfinite: leave steps out whose loss or gradient is not finite.
    """

    model: nn.Module
    task: Task
    expected_samples: int
    max_norm: float = 0.0
    skip_nonfinite: bool = False


StepMetrics = dict[str, Float[Array, ""]]

Step = Callable[
    [TrainState, Float[Array, "..."], Int[Array, " batch"], noise.Key],
    tuple[TrainState, StepMetrics],
]


def make_step(config: StepConfig, optimizer: optax.GradientTransformation) -> Step:
    """A step: (state, x, y, key) -> (state, {"loss", "error"}).

    The loss is the mean negative log-likelihood of the batch under one noise sample per
    example.

    Raises:
      RuntimeError: while tracing, where the network applies fewer noise samples than
        `expected_samples`: its noise is off though it is asked for.
    """

    def loss_fn(params, batch_stats, x, y, key):
        variables = {"params": params, "batch_stats": batch_stats}
        with noise.count_samples() as count:
            (outputs, _), updated = config.model.apply(
                variables, x, train=True, rngs={"dropout": key}, mutable=["batch_stats"]
            )
        if count.applied < config.expected_samples:
            raise RuntimeError(
                f"the network applied {count.applied} noise samples where the "
                f"configuration asks for {config.expected_samples}: its noise is off"
            )
        error = jnp.mean(config.task.error(outputs, x, y))
        loss = -jnp.mean(config.task.log_prob(outputs, x, y))
        return loss, (error, updated.get("batch_stats", {}))

    def step(state, x, y, key):
        gradient_fn = jax.value_and_grad(loss_fn, has_aux=True)
        (loss, (error, batch_stats)), gradients = gradient_fn(
            state.params, state.batch_stats, x, y, key
        )
        updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        if config.max_norm:
            params = clip_norms(params, config.max_norm)
        new = state.replace(
            params=params,
            batch_stats=batch_stats,
            opt_state=opt_state,
            step=state.step + 1,
        )
        if config.skip_nonfinite:
            finite = jnp.isfinite(loss) & jnp.isfinite(optax.tree.norm(gradients))
            skipped = state.replace(step=state.step + 1, skipped=state.skipped + 1)
            new = jax.tree.map(lambda n, s: jnp.where(finite, n, s), new, skipped)
        return new, {"loss": loss, "error": error}

    return step

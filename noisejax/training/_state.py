"""What training carries from step to step, and what it remembers as the best."""

import chex
import jax
import optax
from flax import linen as nn
from jax import numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree


@chex.dataclass(frozen=True)
class TrainState:
    """One seed's network in training.

    Attributes:
      params: of the network.
      batch_stats: its running averages, {} where it has none.
      opt_state: of the optimizer.
      step: steps made in this phase.
      skipped: steps left out because a loss or gradient was not finite.
    """

    params: PyTree[Array]
    batch_stats: PyTree[Array]
    opt_state: PyTree[Array]
    step: Int[Array, ""]
    skipped: Int[Array, ""]


@chex.dataclass(frozen=True)
class Best:
    """One seed's best epoch so far, by its validation error.

    Attributes:
      params: of the network at that epoch.
      batch_stats: likewise.
      score: its validation error; infinite before the first epoch.
      epoch: its number, from 1 on.
      stale: epochs since the score was last beaten.
      stopped: whether patience has run out; then nothing changes any more.
    """

    params: PyTree[Array]
    batch_stats: PyTree[Array]
    score: Float[Array, ""]
    epoch: Int[Array, ""]
    stale: Int[Array, ""]
    stopped: Bool[Array, ""]


def seed_key(seed: Int[Array, ""], purpose: str) -> Array:
    """The key of a seed for one purpose; steps and epochs are folded into it."""
    purposes = ("parameters", "order", "noise", "augmentation", "projection")
    return jax.random.split(jax.random.key(seed), len(purposes))[
        purposes.index(purpose)
    ]


def init_state(
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    x: Float[Array, "batch ..."],
    seed: Int[Array, ""],
) -> TrainState:
    """A fresh network.

    Args:
      model: called as model(x, train=...).
      optimizer: of its parameters.
      x: examples, for their shape.
      seed: that decides.
    """
    variables = model.init(seed_key(seed, "parameters"), x, train=False)
    return TrainState(
        params=variables["params"],
        batch_stats=variables.get("batch_stats", {}),
        opt_state=optimizer.init(variables["params"]),
        step=jnp.int32(0),
        skipped=jnp.int32(0),
    )


def restart(
    state: TrainState, optimizer: optax.GradientTransformation, best: Best
) -> TrainState:
    """The best network at the start of a new phase, with a fresh optimizer."""
    return TrainState(
        params=best.params,
        batch_stats=best.batch_stats,
        opt_state=optimizer.init(best.params),
        step=jnp.int32(0),
        skipped=state.skipped,
    )


def first_best(state: TrainState) -> Best:
    """Before any epoch."""
    return Best(
        params=state.params,
        batch_stats=state.batch_stats,
        score=jnp.float32(jnp.inf),
        epoch=jnp.int32(0),
        stale=jnp.int32(0),
        stopped=jnp.asarray(False),
    )


def update_best(
    best: Best,
    state: TrainState,
    score: Float[Array, ""],
    epoch: Int[Array, ""],
    *,
    patience: int,
) -> Best:
    """The better of `best` and the state after `epoch`.

    Args:
      best: so far.
      state: after the epoch.
      score: the epoch's validation error; without validation minus the epoch, so that
        the last is the best.
      epoch: its number.
      patience: epochs without a better one after which a seed stops; 0: never.
    """
    better = (score <= best.score) & ~best.stopped  # of equals the longer trained

    def choose(new, old):
        return jax.tree.map(lambda n, o: jnp.where(better, n, o), new, old)

    stale = jnp.where(score < best.score, 0, best.stale + 1)
    return Best(
        params=choose(state.params, best.params),
        batch_stats=choose(state.batch_stats, best.batch_stats),
        score=choose(score, best.score),
        epoch=choose(epoch, best.epoch),
        stale=jnp.where(best.stopped, best.stale, stale),
        stopped=best.stopped | ((patience > 0) & (stale >= patience)),
    )

"""State of a network in training, and its best epoch so far."""

import functools

import jax
import optax
from flax import linen as nn
from jax import numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from noisejax import layers
from noisejax._dataclass import dataclass


@dataclass
class TrainState:
    """Network of one seed in training.

    Attributes:
      params: parameters of the network.
      batch_stats: running averages of the network, {} if it has none.
      opt_state: state of the optimizer.
      step: number of steps in this phase.
      skipped: number of steps that were skipped since a value was not finite.
    """

    params: PyTree[Array]
    batch_stats: PyTree[Array]
    opt_state: PyTree[Array]
    step: Int[Array, ""]
    skipped: Int[Array, ""]


@dataclass
class Best:
    """Best epoch of one seed so far, by its validation error.

    Attributes:
      params: parameters after that epoch.
      batch_stats: running averages after that epoch.
      score: validation error of that epoch; infinite before the first epoch.
      epoch: number of that epoch, from 1 on.
      stale: epochs since the score last improved.
      stopped: True once patience has run out; then nothing changes any more.
    """

    params: PyTree[Array]
    batch_stats: PyTree[Array]
    score: Float[Array, ""]
    epoch: Int[Array, ""]
    stale: Int[Array, ""]
    stopped: Bool[Array, ""]


@dataclass
class Seeds:
    """States and best epochs of all seeds, stacked."""

    state: TrainState
    best: Best


def seed_key(seed: Int[Array, ""], purpose: str) -> Array:
    """The key of a seed for one purpose; epochs and steps are folded into it."""
    purposes = ("parameters", "order", "noise", "augmentation", "projection")
    return jax.random.split(jax.random.key(seed), len(purposes))[
        purposes.index(purpose)
    ]


def step_key(
    seed: Int[Array, ""],
    epoch: Int[Array, ""],
    step: Int[Array, ""],
    purpose: str = "noise",
) -> Array:
    """The key of a step of an epoch, counted over phases, for one purpose."""
    key = jax.random.fold_in(seed_key(seed, purpose), epoch)
    return jax.random.fold_in(key, step)


def init_seeds(
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    x: Float[Array, "batch ..."],
    seeds: Int[Array, " seeds"],
    *,
    centres: bool = False,
) -> Seeds:
    """Initialise the networks of all seeds.

    Args:
      model: network.
      optimizer: optimizer of its parameters.
      x: inputs; only their shape matters, unless `centres`.
      seeds: seeds.
      centres: True to start learned shifts at minus the mean activities on x.
    """

    def one_seed(seed):
        variables = model.init(seed_key(seed, "parameters"), x, train=False)
        params, batch_stats = variables["params"], variables.get("batch_stats", {})
        if centres:
            params = start_shifts(model, variables, x)
        state = TrainState(
            params=params,
            batch_stats=batch_stats,
            opt_state=optimizer.init(params),
            step=jnp.int32(0),
            skipped=jnp.int32(0),
        )
        best = Best(
            params=params,
            batch_stats=batch_stats,
            score=jnp.float32(jnp.inf),
            epoch=jnp.int32(0),
            stale=jnp.int32(0),
            stopped=jnp.asarray(False),
        )
        return Seeds(state=state, best=best)

    return jax.vmap(one_seed)(seeds)


def start_shifts(
    model: nn.Module, variables: PyTree[Array], x: Float[Array, "batch ..."]
) -> PyTree[Array]:
    """Set every learned shift to minus the mean of its input, first layer first.

    Args:
      model: network.
      variables: initial "params" and "batch_stats" of one seed.
      x: inputs of the network.

    Returns:
      The parameters with these shifts.
    """

    def set_shift(next_fun, args, kwargs, context):
        layer = context.module
        is_noise = isinstance(layer, layers.NoiseLayer) and layer.shift is True
        if is_noise and context.method_name == "__call__":
            beta = layer.get_variable("params", "beta")
            leading = tuple(range(args[0].ndim - beta.ndim))
            mean = jnp.mean(args[0], axis=leading)
            shared = tuple(i for i, n in enumerate(beta.shape) if n == 1)
            mean = jnp.mean(mean, axis=shared, keepdims=True)
            layer.put_variable("params", "beta", -mean.astype(beta.dtype))
        return next_fun(*args, **kwargs)

    with nn.intercept_methods(set_shift):
        _, updated = model.apply(variables, x, train=False, mutable=["params"])
    return updated["params"]


def restart(seeds: Seeds, optimizer: optax.GradientTransformation) -> TrainState:
    """Start a new phase from the best epochs, with a fresh optimizer."""

    def one_seed(state, best):
        return TrainState(
            params=best.params,
            batch_stats=best.batch_stats,
            opt_state=optimizer.init(best.params),
            step=jnp.int32(0),
            skipped=state.skipped,
        )

    return jax.vmap(one_seed)(seeds.state, seeds.best)


def freeze_stopped(
    stopped: Bool[Array, " seeds"], before: TrainState, after: TrainState
) -> TrainState:
    """Choose the state `before` for seeds that have stopped, else `after`."""
    choose = jax.vmap(lambda s, b, a: jax.tree.map(lambda *x: jnp.where(s, *x), b, a))
    return choose(stopped, before, after)


@functools.partial(jax.jit, static_argnames="patience")
def judge(
    seeds: Seeds,
    state: TrainState,
    score: Float[Array, " seeds"],
    epoch: Int[Array, ""],
    patience: int,
) -> Seeds:
    """Keep the better of the best epoch so far and the new one; stop stale seeds.

    Args:
      seeds: seeds before the epoch; those that have stopped stay as they are.
      state: states after the epoch.
      score: validation errors of the epoch; minus its number if no examples are held
        out, so that the last epoch is the best.
      epoch: number of the epoch.
      patience: epochs without a better one after which a seed stops; 0: never.
    """

    def one_seed(best, state, score):
        better = (score <= best.score) & ~best.stopped  # of equals the longer trained
        new = (state.params, state.batch_stats, score, epoch)
        old = (best.params, best.batch_stats, best.score, best.epoch)
        chosen = jax.tree.map(lambda n, o: jnp.where(better, n, o), new, old)
        params, batch_stats, best_score, best_epoch = chosen
        stale = jnp.where(score < best.score, 0, best.stale + 1)
        return Best(
            params=params,
            batch_stats=batch_stats,
            score=best_score,
            epoch=best_epoch,
            stale=jnp.where(best.stopped, best.stale, stale),
            stopped=best.stopped | ((patience > 0) & (stale >= patience)),
        )

    best = jax.vmap(one_seed)(seeds.best, state, score)
    if patience:
        state = freeze_stopped(seeds.best.stopped, seeds.state, state)
    return Seeds(state=state, best=best)

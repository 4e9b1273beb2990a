"""State of the networks in training, and their best epochs."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import optax
from flax import linen as nn
from flax import traverse_util
from jax import numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from noisejax import layers
from noisejax._dataclass import dataclass

OUTPUT = "dense_output"
"""Layer that is initialised if the other run has none, or one of another shape."""


@dataclass
class TrainState:
    """State of the training of one seed.

    Attributes:
      params: parameters of the network.
      batch_stats: running averages of the network, {} if it has none.
      opt_state: state of the optimizer.
      step: number of steps in this phase.
      skipped: number of steps skipped because a value was not finite.
    """

    params: PyTree[Array]
    batch_stats: PyTree[Array]
    opt_state: PyTree[Array]
    step: Int[Array, ""]
    skipped: Int[Array, ""]


@dataclass
class Best:
    """Best epoch of one seed so far, by validation error.

    Attributes:
      params: parameters after that epoch.
      batch_stats: running averages after that epoch.
      score: validation error of that epoch; infinite before the first epoch.
      epoch: number of that epoch, counted from 1.
      stale: number of epochs since the score last improved.
      stopped: True if the seed has stopped because patience ran out.
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
    """Return the key of a seed for one purpose; `step_key` folds epoch and step in."""
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
    """Return the key of a step for one purpose; epochs are counted over phases."""
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
      x: inputs, of which only the shape is used unless `centres` is True.
      seeds: seeds.
      centres: True to initialise learned shifts with minus the mean activities on x.
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
    """Set each learned shift to minus the mean input of its layer, in layer order.

    Args:
      model: network.
      variables: initial "params" and "batch_stats" of one seed.
      x: inputs of the network.

    Returns:
      The parameters with the new shifts.
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
    """Start a new phase from the best epochs, with a new optimizer state."""

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
    """Return the state `before` of seeds that have stopped, and `after` of others."""
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
    """Update the best epoch of each seed, and stop seeds whose patience ran out.

    Args:
      seeds: states and best epochs before the epoch. Stopped seeds do not change.
      state: states after the epoch.
      score: validation errors of the epoch. Without validation examples, minus the
        number of the epoch, so that the last epoch is the best.
      epoch: number of the epoch.
      patience: epochs without improvement before a seed stops; 0: never stop.
    """

    def one_seed(best, state, score):
        better = (
            score <= best.score
        ) & ~best.stopped  # on a tie, prefer the later epoch
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


def start_from(
    params: PyTree[Array], sources: Sequence[dict[str, Any]]
) -> PyTree[Array]:
    """Replace initial parameters or batch statistics by those of another run.

    Args:
      params: initial parameters, [seeds, ...].
      sources: parameters of each seed of the other run, which are used in turn.

    Returns:
      The parameters of the other run. An output layer of another shape keeps the
      initial parameters.

    Raises:
      ValueError: any other layer differs; the message lists the differences.
    """
    flatten = traverse_util.flatten_dict
    if not params and not sources[0]:
        return params
    initial, sources = flatten(params), [flatten(source) for source in sources]
    needed = {name: leaf.shape[1:] for name, leaf in initial.items()}
    given = {name: leaf.shape for name, leaf in sources[0].items()}
    differ = [n for n in needed | given if needed.get(n) != given.get(n)]
    wrong = [
        f"{'/'.join(name)} is {needed.get(name, 'missing')} in this run and "
        f"{given.get(name, 'missing')} in the other"
        for name in differ
        if OUTPUT not in name
    ]
    if wrong:
        raise ValueError(
            f"training.init_from must hold the same network: {'; '.join(wrong)}. Give "
            "that run's model and noise.shift; only the number of outputs may differ"
        )
    count = len(next(iter(initial.values())))
    turns = [sources[i % len(sources)] for i in range(count)]
    chosen = {
        name: leaf if name in differ else jnp.stack([s[name] for s in turns])
        for name, leaf in initial.items()
    }
    return traverse_util.unflatten_dict(chosen)

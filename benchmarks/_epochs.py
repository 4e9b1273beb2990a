"""Epochs by the library's training program and a compiled step, on generated data."""

import itertools

import jax
import numpy as np
from jax import numpy as jnp

from noisejax import data
from noisejax.training import Config
from noisejax.training._batches import to_float
from noisejax.training._epoch import run_epoch
from noisejax.training._program import Program
from noisejax.training._state import init_seeds, seed_key, step_key

BATCH, LEARNING_RATE = 128, 0.02


def make_dataset(n: int) -> data.Dataset:
    """Generate ten classes around prototypes, as bytes."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, n, np.int32)
    prototypes = rng.uniform(0, 1, (10, 28, 28, 1)) < 0.2
    flipped = rng.uniform(0, 1, (n, 28, 28, 1)) < 0.1
    x = np.uint8(255) * (prototypes[y] ^ flipped)
    return data.Dataset("made", x, y, x[:100], y[:100], 10)


def make_config(width: int, *, bits=32, precision="float32", scheme="dropout", seeds=1):
    """Return the run's config: dropout 0.2 on the input, 0.5 on hidden layers."""
    config = Config()
    config.data.validation = 0.0
    config.model.widths = (width, width)
    config.noise.bits, config.noise.scheme = bits, scheme
    config.optimizer.learning_rate, config.optimizer.schedule = (
        LEARNING_RATE,
        "constant",
    )
    config.training.batch_size, config.training.num_seeds = BATCH, seeds
    config.training.precision = precision
    return config


class Epochs:
    """Trains one epoch per call by the library's program and returns the losses."""

    def __init__(self, program: Program):
        self.program = program
        self.states = states_of(program)
        self.number = 0

    def __call__(self) -> jax.Array:
        """Train one more epoch and return its losses, [N, steps]."""
        self.number += 1
        phase = self.program.phases[0]
        self.states, metrics = run_epoch(
            phase.steps,
            self.states,
            phase.batches,
            self.number,
            steps_per_call=self.program.steps_per_call,
        )
        return metrics["loss"]

    def check_compiled_once(self) -> None:
        """Check that no call was traced a second time.

        Raises:
          AssertionError: a call was traced again.
        """
        phase = self.program.phases[0]
        expected = 1 + (phase.batches.steps % self.program.steps_per_call > 0)
        traces = phase.steps.call._cache_size()
        assert traces <= expected, f"{self.number} epochs were traced {traces} times"


def states_of(program: Program):
    example = jnp.zeros((1, *program.train.x.shape[1:]), jnp.float32)
    optimizer = program.phases[0].optimizer

    def init(seeds):
        return init_seeds(program.model, optimizer, example, seeds).state

    return jax.jit(init)(program.seeds)


class Stepping:
    """Trains one epoch per call by a compiled step or a compiled loop over steps."""

    def __init__(self, program: Program, step, *, whole: bool):
        self.state = jax.tree.map(lambda leaf: leaf[0], states_of(program))
        self.number = itertools.count(1)
        self.program, self.whole = program, whole
        self.x, self.y = (np.asarray(a) for a in (program.train.x, program.train.y))
        self.seed = program.seeds[0]
        self.indices = program.phases[0].batches.indices[0]

        def one(state, x, y, number, i):
            x = to_float(x, inverted=False)
            state, metrics = step(state, x, y, step_key(self.seed, number, i))
            return state, metrics["loss"]

        def epoch(state, x, y, number):
            def body(state, numbered):
                i, rows = numbered
                return one(state, x[rows], y[rows], number, i)

            batches = self.batches(number)
            return jax.lax.scan(body, state, (jnp.arange(len(batches)), batches))

        self.step = jax.jit(one, donate_argnums=0)
        self.epoch = jax.jit(epoch, donate_argnums=0)
        self.order = jax.jit(self.batches)

    def batches(self, number):
        """Yield the examples of each step."""
        key = jax.random.fold_in(seed_key(self.seed, "order"), number)
        steps = len(self.indices) // BATCH
        order = jax.random.permutation(key, self.indices)[: steps * BATCH]
        return order.reshape(steps, BATCH)

    def __call__(self) -> jax.Array:
        """Train one more epoch and return its losses."""
        number = jnp.int32(next(self.number))
        if self.whole:
            train = self.program.train
            self.state, losses = self.epoch(self.state, train.x, train.y, number)
            return losses
        losses = []
        for i, rows in enumerate(np.asarray(self.order(number))):
            batch = self.x[rows], self.y[rows]
            self.state, loss = self.step(self.state, *batch, number, jnp.int32(i))
            losses.append(loss)
        return jnp.stack(losses)

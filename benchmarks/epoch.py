"""An epoch: one compiled program against stepping from the host, and against torch.

The MLP 784-1024-1024-10 with dropout 0.2 on the input and 0.5 on the hidden layers, SGD
with Nesterov's momentum, batch 128, on data of MNIST's shape made here: classes around
prototypes. Every call trains one more epoch. The floor has no noise at all.
"""

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from flax import linen as nn
from jax import numpy as jnp

from benchmarks._bench import Target, main, measure
from benchmarks._torch import Torch, to_numpy
from noisejax import data
from noisejax.training._build import build_model, expected_samples
from noisejax.training._config import Config
from noisejax.training._epoch import epoch_batches, step_key, to_float
from noisejax.training._phases import Program, build_program
from noisejax.training._state import init_state
from noisejax.training._step import StepConfig, make_step
from noisejax.training._task import CLASSIFICATION

BATCH, RATE, SEEDS = 128, 0.02, 4
IN_MEMORY = "torch, tensors in memory"


def run(*, repeats: int, smoke: bool) -> list[dict[str, Any]]:
    """Compares one seed's epochs, then several seeds'."""
    width, steps = (16, 3) if smoke else (1024, 50)
    dataset = _dataset(steps * BATCH)
    title = f"MLP 784-{width}-{width}-10, batch {BATCH}, {steps} steps"
    return [
        *_one_seed(title, dataset, width, repeats),
        *_many_seeds(title, dataset, width, repeats),
    ]


def _dataset(n: int) -> data.Dataset:
    """Ten classes around prototypes, as bytes."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, n, np.int32)
    prototypes = rng.uniform(0, 1, (10, 28, 28, 1)) < 0.2
    flipped = rng.uniform(0, 1, (n, 28, 28, 1)) < 0.1
    x = np.uint8(255) * (prototypes[y] ^ flipped)
    return data.Dataset("made", x, y, x[:100], y[:100], 10)


def _config(width: int, *, bits=32, precision="float32", scheme="dropout", seeds=1):
    config = Config()
    config.data.validation = 0.0
    config.model.widths = (width, width)
    config.noise.bits, config.noise.scheme = bits, scheme
    config.optimizer.learning_rate, config.optimizer.schedule = RATE, "constant"
    config.training.batch_size, config.training.num_seeds = BATCH, seeds
    config.training.precision = precision
    return config


def _one_seed(title, dataset, width, repeats):
    ours = {
        f"one jit, {bits} bits{label}": Epochs(
            _config(width, bits=bits, precision=precision), dataset
        )
        for precision, label in (("float32", ""), ("bfloat16", ", bfloat16 products"))
        for bits in (32, 8)
    }
    silent = Epochs(_config(width, scheme="none"), dataset)
    low = Epochs(_config(width, scheme="none", precision="bfloat16"), dataset)
    rival = Torch()
    calls = {
        **ours,
        "one jit, no noise": silent,
        "one jit, no noise, bfloat16 products": low,
        "one jit, flax.linen.Dropout": _linen(dataset, width),
        "step by step, 32 bits": _step_by_step(dataset, width),
        IN_MEMORY: rival.waited(_torch(rival, dataset, width)) if rival else None,
        "torch, DataLoader": (
            rival.waited(_torch(rival, dataset, width, loader=True)) if rival else None
        ),
    }

    def same(results):
        losses = {name: to_numpy(loss).ravel() for name, loss in results.items()}
        stepwise = losses["step by step, 32 bits"]
        reference = losses["one jit, 32 bits"]
        np.testing.assert_allclose(stepwise, reference, rtol=1e-3)
        for name, loss in losses.items():
            assert loss.shape == reference.shape, name
            np.testing.assert_allclose(loss[0], reference[0], rtol=0.5, err_msg=name)
            if "no noise" not in name:
                np.testing.assert_allclose(
                    loss.mean(), reference.mean(), rtol=0.25, err_msg=name
                )

    records = measure(
        f"epoch, {title}",
        calls,
        reference=IN_MEMORY if rival else "one jit, 32 bits",
        floor="one jit, no noise",
        repeats=repeats,
        same=same,
        targets=[
            Target(name, IN_MEMORY, 0.45 if "bfloat16" in name else 0.65)
            for name in ours
        ],
    )
    for epochs in (*ours.values(), silent, low):
        epochs.check_compiled_once()
    return records


def _many_seeds(title, dataset, width, repeats):
    together = Epochs(_config(width, seeds=SEEDS), dataset)
    singles = []
    for seed in range(SEEDS):
        config = _config(width)
        config.training.seed = seed
        singles.append(Epochs(config, dataset))

    def same(results):
        np.testing.assert_allclose(
            *map(to_numpy, results.values()), rtol=1e-3, err_msg="seeds"
        )

    names = f"{SEEDS} seeds in one program", f"{SEEDS} seeds one by one"
    accelerated = jax.default_backend() != "cpu"
    calls = {
        names[0]: together,
        names[1]: lambda: jnp.concatenate([single() for single in singles]),
        "one seed": Epochs(_config(width), dataset),
    }
    bound = 0.35 * SEEDS
    return measure(
        f"epoch of {SEEDS} seeds, {title}",
        calls,
        reference=names[1],
        repeats=repeats,
        same=lambda results: same({name: results[name] for name in names}),
        targets=[Target(names[0], "one seed", bound)] if accelerated else (),
    )


class Epochs:
    """Trains by the library's own epoch, one at each call, and returns its losses."""

    def __init__(self, config: Config, dataset: data.Dataset):
        self.program = build_program(config, dataset)
        self.states = _states(self.program)
        self.number = 0

    def __call__(self) -> jax.Array:
        """The losses of one more epoch, [N, steps]."""
        self.number += 1
        phase, train = self.program.phases[0], self.program.train
        self.states, metrics = phase.epoch(
            self.states,
            train.x,
            train.y,
            phase.indices,
            self.program.seeds,
            self.number,
        )
        return metrics["loss"]

    def check_compiled_once(self) -> None:
        """Raises where an epoch was traced again."""
        traces = self.program.phases[0].epoch._cache_size()
        assert traces == 1, f"{self.number} epochs were traced {traces} times"


def _states(program: Program):
    example = jnp.zeros((1, *program.train.x.shape[1:]), jnp.float32)
    optimizer = program.phases[0].optimizer

    @jax.jit
    @jax.vmap
    def init(seed):
        return init_state(program.model, optimizer, example, seed)

    return init(program.seeds)


class _StockMLP(nn.Module):
    """The same network with Flax's own dropout."""

    widths: tuple[int, ...]

    @nn.compact
    def __call__(self, x, *, train):
        x = x.reshape(x.shape[0], -1)
        for i, rate in enumerate((0.2, 0.5, 0.5)):
            if i:
                x = nn.relu(nn.Dense(self.widths[i - 1])(x))
            x = nn.Dropout(rate, deterministic=not train)(x)
        return nn.Dense(10)(x), {}


def _linen(dataset, width) -> Callable[[], jax.Array]:
    """An epoch in one jit, written as one would with Flax and optax alone."""
    program = build_program(_config(width, scheme="none"), dataset)
    model = _StockMLP((width, width))
    program = dataclasses.replace(program, model=model)
    step = make_step(
        StepConfig(model, CLASSIFICATION, expected_samples=0),
        program.phases[0].optimizer,
    )
    return _Stepping(program, step, whole=True)


def _step_by_step(dataset, width) -> Callable[[], jax.Array]:
    config = _config(width)
    program = build_program(config, dataset)
    model = build_model(config, 10)
    step_config = StepConfig(model, CLASSIFICATION, expected_samples(model))
    step = make_step(step_config, program.phases[0].optimizer)
    return _Stepping(program, step, whole=False)


class _Stepping:
    """Trains by a compiled step, or by a compiled loop over one; one epoch a call."""

    def __init__(self, program: Program, step, *, whole: bool):
        self.state = jax.tree.map(lambda leaf: leaf[0], _states(program))
        self.number = itertools.count(1)
        self.program, self.whole = program, whole
        self.x, self.y = (np.asarray(a) for a in (program.train.x, program.train.y))
        self.seed, self.indices = program.seeds[0], program.phases[0].indices[0]

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
        """The examples of each step."""
        return epoch_batches(self.indices, self.seed, number, batch_size=BATCH)

    def __call__(self) -> jax.Array:
        """The losses of one more epoch."""
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


def _torch(rival, dataset, width, *, loader=False):
    """The same epoch as torch's users write it."""
    torch = rival.torch
    torch.manual_seed(0)
    f = torch.nn
    layers = [f.Flatten(), f.Dropout(0.2), f.Linear(784, width), f.ReLU()]
    layers += [f.Dropout(0.5), f.Linear(width, width), f.ReLU()]
    net = f.Sequential(*layers, f.Dropout(0.5), f.Linear(width, 10)).to(rival.device)
    sgd = torch.optim.SGD(net.parameters(), RATE, momentum=0.9, nesterov=True)
    x = rival.tensor(dataset.train_x / np.float32(255))
    y = rival.tensor(dataset.train_y).long()
    rows = torch.utils.data.TensorDataset(x, y)
    batches = torch.utils.data.DataLoader(rows, BATCH, shuffle=True, drop_last=True)

    def in_memory():
        for chosen in torch.randperm(len(x), device=x.device).split(BATCH):
            yield x[chosen], y[chosen]

    def epoch():
        losses = []
        for inputs, labels in batches if loader else in_memory():
            loss = f.functional.cross_entropy(net(inputs), labels)
            sgd.zero_grad(set_to_none=True)
            loss.backward()
            sgd.step()
            losses.append(loss.detach())
        return torch.stack(losses)

    return epoch


if __name__ == "__main__":
    main(run)

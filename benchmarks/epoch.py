"""An epoch: one compiled program against stepping from the host, and against torch.

The MLP 784-1024-1024-10 with dropout 0.2 on the input and 0.5 on the hidden layers, SGD
with Nesterov's momentum, batch 128, on data of MNIST's shape made here: classes around
prototypes. Every call trains one more epoch. The floor has no noise at all.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from flax import linen as nn
from jax import numpy as jnp

from benchmarks._bench import Target, main, measure
from benchmarks._epochs import (
    BATCH,
    LEARNING_RATE,
    Epochs,
    Stepping,
    make_config,
    make_dataset,
)
from benchmarks._torch import Torch, to_numpy
from noisejax.training._build import build_model, expected_samples
from noisejax.training._phases import build_program
from noisejax.training._step import StepConfig, make_step
from noisejax.training._task import CLASSIFICATION

SEEDS = 4
IN_MEMORY = "torch, tensors in memory"


def run(*, repeats: int, smoke: bool) -> list[dict[str, Any]]:
    """Compares one seed's epochs, then several seeds'."""
    width, steps = (16, 3) if smoke else (1024, 50)
    dataset = make_dataset(steps * BATCH)
    title = f"MLP 784-{width}-{width}-10, batch {BATCH}, {steps} steps"
    return [
        *_one_seed(title, dataset, width, repeats),
        *_many_seeds(title, dataset, width, repeats),
    ]


def _one_seed(title, dataset, width, repeats):
    ours = {
        f"one jit, {bits} bits{label}": Epochs(
            make_config(width, bits=bits, precision=precision), dataset
        )
        for precision, label in (("float32", ""), ("bfloat16", ", bfloat16 products"))
        for bits in (32, 8)
    }
    silent = Epochs(make_config(width, scheme="none"), dataset)
    low = Epochs(make_config(width, scheme="none", precision="bfloat16"), dataset)
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
    together = Epochs(make_config(width, seeds=SEEDS), dataset)
    singles = []
    for seed in range(SEEDS):
        config = make_config(width)
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
        "one seed": Epochs(make_config(width), dataset),
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
    program = build_program(make_config(width, scheme="none"), dataset)
    model = _StockMLP((width, width))
    program = dataclasses.replace(program, model=model)
    step = make_step(
        StepConfig(model, CLASSIFICATION, expected_samples=0),
        program.phases[0].optimizer,
    )
    return Stepping(program, step, whole=True)


def _step_by_step(dataset, width) -> Callable[[], jax.Array]:
    config = make_config(width)
    program = build_program(config, dataset)
    model = build_model(config, 10)
    step_config = StepConfig(model, CLASSIFICATION, expected_samples(model))
    step = make_step(step_config, program.phases[0].optimizer)
    return Stepping(program, step, whole=False)


def _torch(rival, dataset, width, *, loader=False):
    """The same epoch as torch's users write it."""
    torch = rival.torch
    torch.manual_seed(0)
    f = torch.nn
    layers = [f.Flatten(), f.Dropout(0.2), f.Linear(784, width), f.ReLU()]
    layers += [f.Dropout(0.5), f.Linear(width, width), f.ReLU()]
    net = f.Sequential(*layers, f.Dropout(0.5), f.Linear(width, 10)).to(rival.device)
    sgd = torch.optim.SGD(net.parameters(), LEARNING_RATE, momentum=0.9, nesterov=True)
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

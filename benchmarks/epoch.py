"""Epoch: one compiled program against steps from the host, and against torch.

The MLP 784-1024-1024-10 with dropout 0.2 on the input and 0.5 on the hidden layers, SGD
with Nesterov's momentum, batch 128, on generated data of MNIST's shape. Every call
trains one more epoch. The floor has no noise.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import optax
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
from noisejax.training._build import build_model
from noisejax.training._program import build_program
from noisejax.training._step import make_step
from noisejax.training._task import CLASSIFICATION

LOW = "one jit, no noise, bfloat16 products"
IN_MEMORY = "torch, tensors in memory"


def run(*, repeats: int, smoke: bool) -> list[dict[str, Any]]:
    """Compare one seed's epochs, then several seeds'."""
    width, steps = (16, 3) if smoke else (1024, 50)
    dataset = make_dataset(steps * BATCH)
    title = f"MLP 784-{width}-{width}-10, batch {BATCH}, {steps} steps"
    return [
        *_one_seed(title, dataset, width, repeats, smoke),
        *_many_seeds(title, dataset, width, 2 if smoke else 4, repeats),
    ]


def _one_seed(title, dataset, width, repeats, smoke):
    def epochs(**options):
        return Epochs(build_program(make_config(width, **options), dataset))

    ours = {
        f"one jit, {bits} bits{label}": epochs(bits=bits, precision=precision)
        for precision, label in (("float32", ""), ("bfloat16", ", bfloat16 products"))
        for bits in ((32,) if smoke else (32, 8))
    }
    silent = epochs(scheme="none")
    rival = Torch()
    calls = {
        **ours,
        "one jit, no noise": silent,
        **({} if smoke else {LOW: epochs(scheme="none", precision="bfloat16")}),
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
        above=[name for name in calls if "bfloat16" not in name],
        repeats=repeats,
        same=same,
        targets=[
            Target(name, IN_MEMORY, 0.45 if "bfloat16" in name else 0.65)
            for name in ours
        ],
    )
    for variant in (*ours.values(), silent):
        variant.check_compiled_once()
    return records


def _many_seeds(title, dataset, width, seeds, repeats):
    together = Epochs(build_program(make_config(width, seeds=seeds), dataset))
    program = build_program(make_config(width), dataset)
    [phase] = program.phases

    def single(seed):
        batches = dataclasses.replace(phase.batches, seeds=seed)
        own = (dataclasses.replace(phase, batches=batches),)
        return Epochs(dataclasses.replace(program, seeds=seed, phases=own))

    singles = [single(seed[None]) for seed in together.program.seeds]
    names = f"{seeds} seeds in one program", f"{seeds} seeds one by one"

    def same(results):
        losses = (to_numpy(results[name]) for name in names)
        np.testing.assert_allclose(*losses, rtol=1e-3, err_msg="seeds")

    accelerated = jax.default_backend() != "cpu"
    records = measure(
        f"epoch of {seeds} seeds, {title}",
        {
            names[0]: together,
            names[1]: lambda: jnp.concatenate([single() for single in singles]),
            "one seed": Epochs(program),
        },
        reference=names[1],
        repeats=repeats,
        same=same,
        targets=[Target(names[0], "one seed", 0.35 * seeds)] if accelerated else (),
    )
    for epochs in (together, *singles):
        epochs.check_compiled_once()
    return records


class _StockMLP(nn.Module):
    """The same network, with Flax's own dropout."""

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
    """Return an epoch in one jit, written with Flax and Optax alone."""
    program = build_program(make_config(width, scheme="none"), dataset)
    model, optimizer = _StockMLP((width, width)), program.phases[0].optimizer

    def step(state, x, y, key):
        def loss_fn(params):
            logits, _ = model.apply(
                {"params": params}, x, train=True, rngs={"dropout": key}
            )
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, y)
            return losses.mean()

        loss, gradients = jax.value_and_grad(loss_fn)(state.params)
        updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        return state.replace(params=params, opt_state=opt_state), {"loss": loss}

    return Stepping(dataclasses.replace(program, model=model), step, whole=True)


def _step_by_step(dataset, width) -> Callable[[], jax.Array]:
    config = make_config(width)
    program = build_program(config, dataset)
    model = build_model(config, 10)
    step = make_step(
        model,
        program.phases[0].optimizer,
        CLASSIFICATION,
        expected_samples=model.num_noise_sites,
    )
    return Stepping(program, step, whole=False)


def _torch(rival, dataset, width, *, loader=False):
    """Return the same epoch in torch."""
    torch = rival.torch
    torch.manual_seed(0)
    f = torch.nn
    layers = [f.Flatten(), f.Dropout(0.2), f.Linear(784, width), f.ReLU()]
    layers += [f.Dropout(0.5), f.Linear(width, width), f.ReLU()]
    net = f.Sequential(*layers, f.Dropout(0.5), f.Linear(width, 10)).to(rival.device)
    for layer in net:
        if isinstance(layer, f.Linear):  # as ours: the losses are compared
            f.init.normal_(layer.weight, std=layer.in_features**-0.5)
            f.init.zeros_(layer.bias)
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

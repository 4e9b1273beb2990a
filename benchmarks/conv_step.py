"""Training step of a convolutional network: cost of noise and of four samples.

One SGD step of a wide residual network 16-4 on images 32 x 32 x 3 with dropout 0.3 in
every block. S = 4 is IWSGD with the samples folded into the batch; Flax and torch are
given the same on a batch repeated four times. The floor has no noise, and one sample;
torch has other convolutions and can be faster than the floor.

A second part measures the cost of a loop: four steps of a smaller network in one
program, with JAX's convolutions and with those of noisejax.
"""

from typing import Any

import jax
import numpy as np
import optax
from flax import linen as nn
from jax import numpy as jnp

from benchmarks._bench import main, measure
from benchmarks._same import check_steps
from benchmarks._stock_resnet import (
    FlaxResNet,
    gradients_of,
    hand_over,
    torch_resnet,
)
from benchmarks._torch import Torch, to_numpy
from noisejax import models, noise

RATE, LEARNING_RATE = 0.3, 0.01
LOOP = 4
SILENT = "ours, no noise, S = 1"


def run(*, repeats: int, smoke: bool) -> list[dict[str, Any]]:
    """Compare one sample, then four; then a loop over steps."""
    depth, width, side, batch = (10, 1, 8, 4) if smoke else (16, 4, 32, 16)
    keys = jax.random.split(jax.random.key(0), 2)
    x = jax.random.normal(keys[0], (batch, side, side, 3))
    y = jnp.arange(batch) % 10
    return [
        *(
            record
            for s in (1, 4)
            for record in _compare(depth, width, x, y, keys[1], s, repeats)
        ),
        *_compare_loops(x, y, keys[1], repeats),
    ]


def _compare_loops(x, y, key, repeats):
    def network(convolve):
        return models.WideResNet(
            10,
            depth=10,
            width_factor=1,
            hidden_noise=(noise.Dropout(RATE),) * 3,
            conv_general_dilated=convolve,
        )

    ours, stock = network(models.convolutions), network(None)
    variables = jax.jit(lambda key: ours.init(key, x, train=False))(key)
    arguments = 1, variables, x, y, key
    calls = {
        "our convolutions, loop": _step(ours, *arguments, length=LOOP),
        "our convolutions, no loop": _repeated(_step(ours, *arguments)),
        "JAX's convolutions, loop": _step(stock, *arguments, length=LOOP),
        "JAX's convolutions, no loop": _repeated(_step(stock, *arguments)),
    }

    def same(results):
        losses = [float(loss) for loss in results.values()]
        np.testing.assert_allclose(losses, losses[0], rtol=1e-3)

    return measure(
        f"{LOOP} steps, wide ResNet 10-1, images {list(x.shape)}",
        calls,
        reference="JAX's convolutions, no loop",
        repeats=repeats,
        same=same,
    )


def _repeated(call):
    """Make as many calls as a loop has steps, and return the last result."""

    def calls():
        for _ in range(LOOP - 1):
            call()
        return call()

    return calls


def _ours(depth, width, bits):
    """Return the library's network; bits 0 means no noise."""
    blocks = (depth - 4) // 6 * 3
    schemes = (noise.Dropout(RATE, bits),) * blocks if bits else ()
    return models.WideResNet(10, depth=depth, width_factor=width, hidden_noise=schemes)


def _compare(depth, width, x, y, key, num_samples, repeats):
    stock = FlaxResNet(depth, width, RATE)
    variables = jax.jit(lambda key: _ours(depth, width, 0).init(key, x, train=False))(
        key
    )
    arguments = num_samples, variables, x, y, key
    rival = Torch()
    title = f"{list(x.shape)}, S = {num_samples}"
    calls = {
        "ours, 32 bits": _step(_ours(depth, width, 32), *arguments),
        "ours, 8 bits": _step(_ours(depth, width, 8), *arguments),
        "flax, nn.Dropout": _step(stock, *arguments),
        SILENT: _step(_ours(depth, width, 0), 1, *arguments[1:]),
        "torch": _torch(rival, depth, width, variables, x, y, num_samples),
    }

    def same(results):
        _check_outputs(rival, depth, width, variables, x)
        wanted = _check_noise_free_steps(rival, depth, width, *arguments)
        np.testing.assert_allclose(results[SILENT], wanted, rtol=1e-3)

    return measure(
        f"step, wide ResNet {depth}-{width}, images {title}",
        calls,
        reference="flax, nn.Dropout",
        floor=SILENT,
        above=[name for name in calls if name != "torch"],
        repeats=repeats,
        same=same,
    )


def _check_outputs(rival, depth, width, variables, x) -> None:
    """Check that outputs agree without noise, with running statistics."""
    clean, _ = _ours(depth, width, 32).apply(variables, x, train=False)
    other, _ = FlaxResNet(depth, width, RATE).apply(variables, x, train=False)
    np.testing.assert_allclose(other, clean, rtol=1e-3, atol=1e-4)
    if rival:
        network = torch_resnet(rival.torch, depth, width, RATE).eval()
        hand_over(rival.torch, network, variables["params"])
        images = rival.torch.tensor(np.moveaxis(np.asarray(x), -1, 1).copy())
        np.testing.assert_allclose(
            to_numpy(network(images)), clean, rtol=1e-3, atol=1e-3
        )


def _check_noise_free_steps(rival, depth, width, num_samples, variables, x, y, key):
    """Check that losses, gradients and new statistics agree at rate 0.

    Returns:
      The loss, which is the same for any number of equal samples.
    """

    @jax.default_matmul_precision("highest")
    def step(model):
        gradient = jax.jit(
            jax.value_and_grad(_loss_fn(model, num_samples), has_aux=True)
        )
        (loss, batch_stats), gradients = gradient(
            variables["params"], variables["batch_stats"], x, y, key
        )
        return loss, (gradients, batch_stats)

    wanted = step(_ours(depth, width, 0))
    check_steps("flax", step(FlaxResNet(depth, width, 0.0)), wanted)
    if rival:  # in float64: its float32 gradients are up to 1 % from those
        network, loss_fn = _torch_parts(
            rival, depth, width, 0.0, variables, x, y, num_samples, rival.torch.float64
        )
        loss = loss_fn()
        loss.backward()
        found = to_numpy(loss), gradients_of(network, variables["params"])
        check_steps("torch", found, (wanted[0], wanted[1][0]))
    return wanted[0]


def _loss_fn(model: nn.Module, num_samples: int):
    """Return the bound of several samples in a batch, and new batch statistics."""

    def loss_fn(params, batch_stats, x, y, key):
        copies = jnp.concatenate([x] * num_samples)
        (outputs, _), updated = model.apply(
            {"params": params, "batch_stats": batch_stats},
            copies,
            train=True,
            rngs={"dropout": key},
            mutable=["batch_stats"],
        )
        logits = outputs.reshape(num_samples, *y.shape, -1)
        log_probs = jax.nn.log_softmax(logits)
        labels = jnp.broadcast_to(y, logits.shape[:-1])[..., None]
        chosen = jnp.take_along_axis(log_probs, labels, axis=-1)[..., 0]
        bound = jax.nn.logsumexp(chosen, axis=0) - np.float32(np.log(num_samples))
        return -jnp.mean(bound), updated["batch_stats"]

    return loss_fn


def _step(model: nn.Module, num_samples: int, variables, x, y, key, length: int = 1):
    """Return a function that makes one more step, or `length` steps in a loop."""

    sgd = optax.sgd(LEARNING_RATE, momentum=0.9, nesterov=True)

    def step(state, x, y):
        params, batch_stats, opt_state, number = state
        gradient = jax.value_and_grad(_loss_fn(model, num_samples), has_aux=True)
        step_key = jax.random.fold_in(key, number)
        (loss, batch_stats), gradients = gradient(params, batch_stats, x, y, step_key)
        updates, opt_state = sgd.update(gradients, opt_state)
        params = optax.apply_updates(params, updates)
        return (params, batch_stats, opt_state, number + 1), loss

    def steps(state, x, y):
        state, losses = jax.lax.scan(lambda s, _: step(s, x, y), state, length=length)
        return state, losses[-1]

    compiled = jax.jit(step if length == 1 else steps, donate_argnums=0)
    params, stats = jax.tree.map(
        jnp.copy, (variables["params"], variables["batch_stats"])
    )
    state = [(params, stats, sgd.init(params), jnp.int32(0))]

    def call():
        state[0], loss = compiled(state[0], x, y)
        return loss

    return call


def _torch(rival, depth, width, variables, x, y, num_samples):
    if not rival:
        return None
    network, loss_fn = _torch_parts(
        rival, depth, width, RATE, variables, x, y, num_samples
    )
    options = {"lr": LEARNING_RATE, "momentum": 0.9, "nesterov": True}
    return rival.sgd_step(loss_fn, network.parameters(), **options)


def _torch_parts(rival, depth, width, rate, variables, x, y, num_samples, dtype=None):
    """Return torch's network and its loss; dtype None means float32."""
    torch = rival.torch
    network = torch_resnet(torch, depth, width, rate)
    hand_over(torch, network, variables["params"])
    network = network.to(rival.device, dtype, memory_format=torch.channels_last)
    images = rival.tensor(np.moveaxis(np.asarray(x), -1, 1)).to(dtype)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = rival.tensor(y).long().repeat(num_samples)

    def loss_fn():
        copies = images.repeat(num_samples, 1, 1, 1)
        losses = torch.nn.functional.cross_entropy(
            network(copies), labels, reduction="none"
        )
        bound = torch.logsumexp(-losses.reshape(num_samples, -1), 0)
        return np.log(num_samples) - bound.mean()

    return network, loss_fn


if __name__ == "__main__":
    main(run)

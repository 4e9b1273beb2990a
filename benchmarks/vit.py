"""Training step of a vision transformer: cost of noise at six sites and of samples.

Batch 64, images 32 x 32 x 3, so 65 tokens; 192 units, 6 blocks, 3 heads; noise of rate
0.1 on attention weights, hidden units and both branches, drop path up to 0.1. The loss
is that of IWSGD; the optimizer is SGD. Flax's and torch's networks have noise at the
same sites, with a mask for every example and head.

A second part has the network as a frozen encoder without noise, with a noisy head. It
measures the cost of eight samples if the encoder runs once.
"""

import functools
from typing import Any

import jax
import numpy as np
import optax
from flax import linen as nn
from jax import numpy as jnp

from benchmarks._bench import Target, main, measure
from benchmarks._same import check_steps
from benchmarks._stock_vit import FlaxViT, torch_vit
from benchmarks._torch import Torch, to_numpy
from noisejax import models, noise, objectives

RATE, LEARNING_RATE = 0.1, 0.01
SILENT = "ours, no noise"


def run(*, repeats: int, smoke: bool) -> list[dict[str, Any]]:
    """Compare the schemes, several samples, and a frozen encoder."""
    blocks, width, side, batch = (2, 24, 8, 4) if smoke else (6, 192, 32, 64)
    keys = jax.random.split(jax.random.key(0), 3)
    x = jax.random.normal(keys[0], (batch, side, side, 3))
    y = jnp.arange(batch) % 10
    plain = models.ViT(blocks, width, 3, 10, activation=nn.gelu)
    params = jax.jit(lambda key: plain.init(key, x, train=False)["params"])(keys[1])
    problem = plain, params, x, y, keys[2]
    return [
        *_compare_noise(problem, repeats),
        *_compare_samples(problem, repeats),
        *_compare_frozen(problem, repeats),
    ]


def _noisy(plain, scheme):
    return plain.clone(
        hidden_noise=(scheme,) * plain.blocks,
        attention_noise=scheme,
        residual_noise=scheme,
        embedding_noise=scheme,
        path_rate=RATE,
    )


def _log_prob(model, params, key, x, y):
    rngs = {"dropout": key}
    logits, _ = model.apply({"params": params}, x, train=True, rngs=rngs)
    return objectives.label_log_prob(logits, y)


def _step(log_prob_fn, params, x, y, key, num_samples=1, strategy="fold"):
    """Return a function that makes one more step."""
    sgd = optax.sgd(LEARNING_RATE, momentum=0.9)
    loss_fn = objectives.iwsgd(log_prob_fn, num_samples=num_samples, strategy=strategy)

    def step(state, x, y):
        params, opt_state, number = state
        gradient = jax.value_and_grad(loss_fn, has_aux=True)
        (loss, _), gradients = gradient(params, jax.random.fold_in(key, number), x, y)
        updates, opt_state = sgd.update(gradients, opt_state)
        return (optax.apply_updates(params, updates), opt_state, number + 1), loss

    compiled = jax.jit(step, donate_argnums=0)
    params = jax.tree.map(jnp.copy, params)
    state = [(params, sgd.init(params), jnp.int32(0))]

    def call():
        state[0], loss = compiled(state[0], x, y)
        return loss

    return call


def _compare_noise(problem, repeats):
    plain, params, x, y, key = problem
    path_rates = tuple(plain.clone(path_rate=RATE).path_rates)
    schemes = {
        "ours, 32 bits": noise.Dropout(RATE),
        "ours, 8 bits": noise.Dropout(RATE, bits=8),
        "ours, random dropout": noise.RandomDropout(RATE),
    }
    stock = FlaxViT(plain.blocks, plain.width, plain.heads, RATE, path_rates)
    rival = Torch()
    networks = {name: _noisy(plain, scheme) for name, scheme in schemes.items()}
    networks |= {SILENT: plain, "flax, its own layers": stock}
    calls = {
        name: _step(functools.partial(_log_prob, model), params, x, y, key)
        for name, model in networks.items()
    }
    calls |= {
        "torch": _torch_step(rival, problem, RATE, path_rates),
        "torch, no noise": _torch_step(rival, problem, 0.0, (0.0,) * plain.blocks),
    }

    def same(results):
        _check_noise_free_steps(rival, problem)

    return measure(
        f"step, ViT, images {list(x.shape)}",
        calls,
        reference="flax, its own layers",
        floor=SILENT,
        above=[name for name in calls if "torch" not in name],
        repeats=repeats,
        same=same,
        targets=(
            Target("ours, 32 bits", SILENT, 1.05),
            Target("ours, 8 bits", SILENT, 1.03),
            Target("ours, 32 bits", "flax, its own layers", 0.7),
            Target("ours, 32 bits", "torch", 0.85),
            Target("ours, random dropout", "ours, 32 bits", 1.05),
        ),
    )


def _compare_samples(problem, repeats):
    plain, *rest = problem
    log_prob_fn = functools.partial(_log_prob, _noisy(plain, noise.Dropout(RATE)))
    calls = {"S = 1": _step(log_prob_fn, *rest)}
    for strategy in ("fold", "vmap"):
        calls[f"S = 4, {strategy}"] = _step(log_prob_fn, *rest, 4, strategy)
    targets = (Target("S = 4, fold", "S = 1", 3.4), Target("S = 4, vmap", "S = 1", 3.4))
    return measure(
        f"several samples, ViT, images {list(rest[1].shape)}",
        calls,
        reference="S = 1",
        repeats=repeats,
        targets=targets,
    )


def _compare_frozen(problem, repeats):
    """Compare a noisy head 192-512-10 on the frozen network's pooled activations."""
    plain, params, x, y, key = problem
    head = models.MLP((512,), 10, hidden_noise=(noise.Dropout(0.5),))
    hidden = jnp.zeros((len(x), plain.width))
    head_params = head.init(jax.random.key(5), hidden, train=False)["params"]

    def log_prob(head_params, key, x, y):
        _, activations = plain.apply({"params": params}, x, train=False)
        return _log_prob(head, head_params, key, activations["pooled"], y)

    calls = {
        f"S = {s}": _step(log_prob, head_params, x, y, key, s, "vmap") for s in (1, 8)
    }
    return measure(
        f"frozen ViT, noisy head, images {list(x.shape)}",
        calls,
        reference="S = 1",
        repeats=repeats,
        targets=(Target("S = 8", "S = 1", 1.2),),
    )


def _check_noise_free_steps(rival, problem) -> None:
    """Check that all networks have the same loss and gradient without noise."""
    plain, params, x, y, key = problem

    @jax.default_matmul_precision("highest")
    def step(model):
        def loss(params):
            return -jnp.mean(_log_prob(model, params, key, x, y))

        return jax.jit(jax.value_and_grad(loss))(params)

    wanted = step(plain)
    still = FlaxViT(plain.blocks, plain.width, plain.heads, 0.0, (0.0,) * plain.blocks)
    check_steps("flax", step(still), wanted)
    if rival:
        loss_fn, tensors = _torch_loss(rival, problem, 0.0, (0.0,) * plain.blocks)
        loss = loss_fn()
        loss.backward()
        gradients = jax.tree.map(
            lambda t, leaf: to_numpy(t.grad).reshape(leaf.shape), tensors, params
        )
        check_steps("torch", (to_numpy(loss), gradients), wanted, tolerance=1e-2)


def _torch_loss(rival, problem, rate, path_rates):
    plain, params, x, y, _ = problem
    patches = np.asarray(x).reshape(len(x), x.shape[1] // 4, 4, x.shape[2] // 4, 4, 3)
    patches = rival.tensor(patches.swapaxes(2, 3).reshape(len(x), -1, 48))
    labels = rival.tensor(y).long()
    tensors, apply = torch_vit(rival.torch, params, plain.heads, rate, path_rates)

    def loss_fn():
        return rival.torch.nn.functional.cross_entropy(apply(patches), labels)

    return loss_fn, tensors


def _torch_step(rival, problem, rate, path_rates):
    if not rival:
        return None
    loss_fn, tensors = _torch_loss(rival, problem, rate, path_rates)
    parameters = jax.tree.leaves(tensors)
    return rival.sgd_step(loss_fn, parameters, lr=LEARNING_RATE, momentum=0.9)


if __name__ == "__main__":
    main(run)

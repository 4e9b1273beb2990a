"""IWSGD on an LSTM that captions images: cost of S samples, against torch.

One SGD step of `models.CaptionLSTM`: features of 1280 numbers, 64 captions of 20 words,
256 units, 2,500 words, dropout 0.5 on the hidden state. Torch has the same parameters
and repeats the batch S times, or runs its LSTM once and repeats the hidden states. The
words' products are most of the work: they bound what S samples cost.
"""

import functools
import math
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from benchmarks._bench import Target, main, measure
from benchmarks._same import check_steps
from benchmarks._torch import Torch, to_numpy
from benchmarks.iwsgd import LEARNING_RATE, Step
from noisejax import layers, models, noise, objectives

RATE = 0.5
GATES = "ifgo"
"""Torch's order of the gates of an LSTM."""


def run(*, repeats: int, smoke: bool) -> list[dict[str, Any]]:
    """Compare one sample and five, by two strategies."""
    features, batch, length, width, words = (
        (10, 4, 6, 16, 30) if smoke else (1280, 64, 20, 256, 2500)
    )
    keys = jax.random.split(jax.random.key(0), 4)
    x = jax.random.normal(keys[0], (batch, features))
    y = jax.random.randint(keys[1], (batch, length), 1, words)
    net = models.CaptionLSTM(words, width=width, hidden_noise=noise.Dropout(RATE))
    params = jax.jit(lambda key: net.init(key, x, y, train=False)["params"])(keys[2])
    return _compare(net, (params, x, y, keys[3]), 2 if smoke else 5, repeats)


def _compare(net, problem, num_samples, repeats):
    params, x, y, _ = problem
    log_prob_fn = functools.partial(_log_prob, net)
    head = objectives.iwsgd(_head_log_prob, num_samples=num_samples)

    def ours(strategy, count=num_samples):
        loss_fn = objectives.iwsgd(log_prob_fn, num_samples=count, strategy=strategy)
        return Step(loss_fn, problem, None)

    def lstm_outside(params, key, x, y):
        _, activations = net.apply({"params": params}, x, y, train=False)
        return head(params["dense_output"], key, activations["hidden_0"], y)

    many = f"S = {num_samples}"
    steps = {
        "S = 1": ours("fold", 1),
        f"{many}, fold": ours("fold"),
        f"{many}, vmap": ours("vmap"),
        f"{many}, vmap, LSTM outside": Step(lstm_outside, problem, None),
    }
    rival = Torch()
    repeated, shared = f"torch, {many}, batch repeated", f"torch, {many}, LSTM once"
    calls = steps | {
        "torch, S = 1": _torch_step(rival, problem, 1),
        repeated: _torch_step(rival, problem, num_samples),
        shared: _torch_step(rival, problem, num_samples, lstm_once=True),
    }

    def same(results):
        del results
        silent = net.clone(hidden_noise=None)

        def loss(params):
            return -jnp.mean(_log_prob(silent, params, jax.random.key(0), x, y))

        with jax.default_matmul_precision("highest"):
            wanted = jax.jit(jax.value_and_grad(loss))(params)
        _check_torch(rival, problem, wanted)

    vmap, outside = f"{many}, vmap", f"{many}, vmap, LSTM outside"
    return measure(
        f"step, LSTM of captions, {num_samples} samples, batch {len(x)}, "
        f"{y.shape[1]} words of {net.num_words}, {net.width} units",
        calls,
        reference=repeated if rival else "S = 1",
        repeats=repeats,
        same=same,
        targets=(
            Target(vmap, repeated, 0.75),
            Target("S = 1", "torch, S = 1", 1.2),
            Target(vmap, "S = 1", 2.2),
            Target(vmap, outside, 1.02, "flops"),
        ),
        facts={name: step.facts for name, step in steps.items()},
    )


def _log_prob(net, params, key, x, y):
    rngs = {"dropout": key}
    logits, _ = net.apply({"params": params}, x, y, train=True, rngs=rngs)
    return objectives.sequence_log_prob(logits, y, y > 0)


def _head_log_prob(dense, key, hidden, y):
    """Return log p of captions, given the hidden states."""
    layer = layers.Noise(noise.Dropout(RATE))
    noisy = layer.apply({}, hidden, deterministic=False, rngs={"dropout": key})
    axes = (((2,), (0,)), ((), ()))
    logits = models.flat_products(noisy, dense["kernel"], axes) + dense["bias"]
    return objectives.sequence_log_prob(logits, y, y > 0)


def _torch_net(rival, params):
    """Return torch's parameters, and (features, words) -> hidden states, log p."""
    torch = rival.torch
    width = params["embed_word"]["embedding"].shape[1]
    lstm = torch.nn.LSTM(width, width, batch_first=True).to(rival.device)
    cell = params["cell"]
    stacked = {
        "weight_ih_l0": [cell[f"i{g}"]["kernel"].T for g in GATES],
        "weight_hh_l0": [cell[f"h{g}"]["kernel"].T for g in GATES],
        "bias_hh_l0": [cell[f"h{g}"]["bias"] for g in GATES],
    }
    with torch.no_grad():
        lstm.bias_ih_l0.zero_()
        for name, parts in stacked.items():
            getattr(lstm, name).copy_(rival.tensor(jnp.concatenate(parts)))
    image, word, output = (
        {k: rival.tensor(v).requires_grad_() for k, v in params[name].items()}
        for name in ("embed_image", "embed_word", "dense_output")
    )
    leaves = [*lstm.parameters(), *image.values(), *word.values(), *output.values()]

    def hidden_states(x, y):
        first = (x @ image["kernel"] + image["bias"])[:, None]
        words = torch.nn.functional.embedding(y[:, :-1], word["embedding"])
        return lstm(torch.cat([first, words], 1))[0]

    def log_prob(hidden, y, rate):
        noisy = torch.nn.functional.dropout(hidden, rate)
        logits = torch.nn.functional.linear(
            noisy.flatten(0, 1), output["kernel"].T, output["bias"]
        )
        loss = torch.nn.functional.cross_entropy(logits, y.flatten(), reduction="none")
        return -loss.reshape(y.shape).sum(1)

    named = {"lstm": lstm, "output": output["kernel"], "word": word["embedding"]}
    return leaves, named, hidden_states, log_prob


def _torch_step(rival, problem, num_samples, *, lstm_once=False):
    if not rival:
        return None
    params, x, y, _ = problem
    leaves, _, hidden_states, log_prob = _torch_net(rival, params)
    before = 1 if lstm_once else num_samples
    after = num_samples // before
    x, y = rival.tensor(x), rival.tensor(y).long()
    x, many, all_y = x.repeat(before, 1), y.repeat(before, 1), y.repeat(num_samples, 1)

    def loss_fn():
        hidden = hidden_states(x, many).repeat(after, 1, 1)
        log_probs = log_prob(hidden, all_y, RATE).reshape(num_samples, -1)
        bound = rival.torch.logsumexp(log_probs, 0) - math.log(num_samples)
        return -bound.mean()

    return rival.sgd_step(loss_fn, leaves, lr=LEARNING_RATE)


def _check_torch(rival, problem, wanted) -> None:
    """Check that loss and gradient agree without noise."""
    if not rival:
        return
    params, x, y, _ = problem
    _, named, hidden_states, log_prob = _torch_net(rival, params)
    x, y = rival.tensor(x), rival.tensor(y).long()
    loss = -log_prob(hidden_states(x, y), y, 0.0).mean()
    loss.backward()
    wanted_loss, gradient = wanted
    recurrent = [gradient["cell"][f"h{g}"]["kernel"].T for g in GATES]
    check_steps(
        "torch",
        (
            to_numpy(loss),
            [
                to_numpy(named["lstm"].weight_hh_l0.grad),
                to_numpy(named["output"].grad),
                to_numpy(named["word"].grad),
            ],
        ),
        (
            wanted_loss,
            [
                np.concatenate(recurrent),
                np.asarray(gradient["dense_output"]["kernel"]),
                np.asarray(gradient["embed_word"]["embedding"]),
            ],
        ),
        tolerance=1e-2,
    )


if __name__ == "__main__":
    main(run)

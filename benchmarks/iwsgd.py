"""IWSGD: cost of S noise samples per example, by strategy.

One SGD step of an MLP 784-1024-1024-10, batch 128, dropout 0.2 on the input and 0.5 on
the hidden layers. The floor replays masks that were drawn before, in float32 and with S
backward passes: bfloat16, resample and one sample can be faster than it. torch computes
the step in two ways: with the batch repeated S times, and in a loop over the samples.
"""

import math
from typing import Any

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

from benchmarks._bench import Target, main, measure
from benchmarks._compile import compile_ahead
from benchmarks._same import check_steps
from benchmarks._torch import Torch, to_numpy
from noisejax import models, noise, objectives

INPUT_RATE, HIDDEN_RATE, LEARNING_RATE = 0.2, 0.5, 0.01


def run(*, repeats: int, smoke: bool) -> list[dict[str, Any]]:
    """Compare the strategies at S = 4 and 8."""
    counts = (2,) if smoke else (4, 8)
    return [r for s in counts for r in _compare(s, make_problem(smoke), repeats)]


def make_problem(smoke: bool) -> tuple:
    """Return parameters, inputs, labels and a key."""
    inputs, width, batch = (16, 32, 8) if smoke else (784, 1024, 128)
    keys = jax.random.split(jax.random.key(0), 5)
    shapes = ((inputs, width), (width, width), (width, 10))
    params = [
        jax.random.normal(k, shape) / math.sqrt(shape[0])
        for k, shape in zip(keys, shapes, strict=False)
    ]
    x = jax.random.uniform(keys[3], (batch, inputs))
    return params, x, jnp.arange(batch) % 10, keys[4]


RATES = (INPUT_RATE, HIDDEN_RATE, HIDDEN_RATE)


def make_log_prob(bits: int | None, dot_general=lax.dot_general, rates=RATES):
    """Return log p(y | x, noise). If bits is None, noise is replayed from samples."""
    last = (((1,), (0,)), ((), ()))

    def log_prob(params, noise_, x, y):
        if bits is None:
            samples = noise_
        else:
            keys = jax.random.split(noise_, len(rates))
            samples = list(zip(keys, rates, strict=True))
        for i, (w, sample) in enumerate(zip(params, samples, strict=True)):
            if i:
                x = jax.nn.relu(x)
            if bits is None:
                x = noise.apply(x, sample)
            elif sample[1]:
                x = noise.dropout(sample[0], x, rate=sample[1], bits=bits)
            x = dot_general(x, w, last)
        return objectives.label_log_prob(x, y)

    return log_prob


def _compare(num_samples: int, problem, repeats: int) -> list[dict[str, Any]]:
    params, x, y, key = problem
    ready = _ready_samples(num_samples, params, x, key)
    low = models.bfloat16_products

    def ours(strategy, bits=32, dot_general=lax.dot_general, count=num_samples):
        loss_fn = objectives.iwsgd(
            make_log_prob(bits, dot_general), num_samples=count, strategy=strategy
        )
        return Step(loss_fn, problem, None if bits else ready)

    calls = {
        "fold, 32 bits": ours("fold"),
        "fold, 8 bits": ours("fold", 8),
        "fold, 8 bits, bfloat16 products": ours("fold", 8, low),
        "fold, no random numbers": ours("fold", None),
        "vmap, 32 bits": ours("vmap"),
        "map, 32 bits": ours("map"),
        "resample, 32 bits": ours("resample"),
        "resample, 8 bits, bfloat16 products": ours("resample", 8, low),
        "one sample, 32 bits": ours("fold", count=1),
        "resample's products alone": _products(num_samples, params, x),
        "torch, batch repeated": _torch(problem, num_samples, repeated=True),
        "torch, loop": _torch(problem, num_samples, repeated=False),
    }
    rivals = ("torch, batch repeated", "torch, loop")
    targets = [
        *(Target("fold, 32 bits", rival, 0.65) for rival in rivals),
        *(Target("fold, 8 bits, bfloat16 products", rival, 0.5) for rival in rivals),
        Target("fold, 32 bits", "fold, no random numbers", 1.2),
        Target("resample, 32 bits", "one sample, 32 bits", 3.0),
        Target("resample's products alone", "one sample, 32 bits", 3.0),
    ]

    def same(results):
        _check_strategies_agree(num_samples, params, x, y, ready)
        _check_resample(num_samples, params, x, y, ready)
        for name in rivals:  # with other masks, so means over the batch are compared
            if name in results:
                loss = float(np.mean(results["fold, 32 bits"]))
                assert abs(to_numpy(results[name]) - loss) < 0.2 * abs(loss) + 0.1

    return measure(
        f"step, MLP {x.shape[1]}-{params[0].shape[1]}-{params[1].shape[1]}-10, batch "
        f"{len(x)}, S = {num_samples}",
        calls,
        reference="torch, batch repeated" if calls[rivals[0]] else "fold, 32 bits",
        floor="fold, no random numbers",
        above=(
            "fold, 32 bits",
            "fold, 8 bits",
            "vmap, 32 bits",
            "map, 32 bits",
            *rivals,
        ),
        repeats=repeats,
        same=same,
        targets=targets if num_samples == 8 else (),
        facts={
            name: call.facts for name, call in calls.items() if isinstance(call, Step)
        },
    )


def _products(num_samples: int, params, x):
    """Return the products: forward of all samples, backward of the chosen ones."""

    def forward(params, x):
        for i, w in enumerate(params):
            x = (jax.nn.relu(x) if i else x) @ w
        return x

    @jax.jit
    def products(params, x, many):
        gradient = jax.grad(lambda params: jnp.sum(jnp.tanh(forward(params, x))))
        return forward(params, many), gradient(params)

    many = jnp.tile(x, (num_samples, 1))
    return lambda: products(params, x, many)


def _ready_samples(num_samples, params, x, key):
    """Draw the masks of every sample and example once."""
    shapes = [x.shape, *((len(x), w.shape[1]) for w in params[:-1])]

    def draw(key):
        keys = jax.random.split(key, len(RATES))
        return [
            noise.Dropout(rate).sample(k, shape)
            for k, rate, shape in zip(keys, RATES, shapes, strict=True)
        ]

    return jax.vmap(draw)(jax.random.split(key, num_samples))


def _check_strategies_agree(num_samples, params, x, y, ready) -> None:
    """Check that loss and gradient agree on the same masks."""
    wanted = _replay("fold", num_samples, params, ready, x, y)
    for strategy in ("vmap", "map"):
        found = _replay(strategy, num_samples, params, ready, x, y)
        check_steps(strategy, found, wanted)


def _check_resample(num_samples, params, x, y, ready) -> None:
    """Check the loss on the same masks, and the gradient on equal masks.

    The library's tests check the distribution of the chosen sample.
    """
    loss, _ = _replay("resample", num_samples, params, ready, x, y)
    bound, _ = _replay("fold", num_samples, params, ready, x, y)
    np.testing.assert_allclose(loss, bound, rtol=1e-5)
    first = jax.tree.map(lambda leaf: leaf[:1], ready)
    equal = jax.tree.map(lambda leaf: jnp.repeat(leaf, num_samples, 0), first)
    found = _replay("resample", num_samples, params, equal, x, y)
    check_steps("resample", found, _replay("fold", 1, params, first, x, y))


def _replay(strategy, num_samples, params, samples, x, y):
    """Return loss and gradient on given masks."""
    loss_fn = objectives.iwsgd(
        make_log_prob(None), num_samples=num_samples, strategy=strategy
    )
    loss_fn = jax.default_matmul_precision("highest")(loss_fn)  # GPUs round to TF32
    both = jax.jit(jax.value_and_grad(loss_fn, has_aux=True))
    (loss, _), gradient = both(params, samples, x, y)
    return loss, gradient


class Step:
    """Makes one more SGD step at each call."""

    def __init__(self, loss_fn, problem, ready):
        params, x, y, key = problem

        def step(state, noise_, x, y):
            params, number = state
            if noise_ is None:
                noise_ = jax.random.fold_in(key, number)
            gradient_fn = jax.value_and_grad(loss_fn, has_aux=True)
            (loss, _), gradient = gradient_fn(params, noise_, x, y)
            params = jax.tree.map(lambda w, g: w - LEARNING_RATE * g, params, gradient)
            return (params, number + 1), loss

        self.arguments = ready, x, y
        self.state = jax.tree.map(jnp.copy, params), jnp.int32(0)
        jitted = jax.jit(step, donate_argnums=0)
        self.step, self.facts = compile_ahead(jitted, self.state, *self.arguments)
        self.facts["flops"] = self.step.cost_analysis()["flops"]

    def __call__(self):
        """Make a step and return its loss."""
        self.state, loss = self.step(self.state, *self.arguments)
        return loss


def _torch(problem, num_samples: int, *, repeated: bool):
    rival = Torch()
    if not rival:
        return None
    params, x, y, _ = problem
    torch = rival.torch
    drop = torch.nn.functional.dropout
    weights = [rival.tensor(w).requires_grad_() for w in params]
    images, labels = rival.tensor(x), rival.tensor(y).long()

    def log_prob(x, y):
        x = drop(x, INPUT_RATE) @ weights[0]
        for w in weights[1:]:
            x = drop(torch.relu(x), HIDDEN_RATE) @ w
        return -torch.nn.functional.cross_entropy(x, y, reduction="none")

    many, many_labels = images.repeat(num_samples, 1), labels.repeat(num_samples)

    def loss_fn():
        if repeated:
            log_probs = log_prob(many, many_labels).reshape(num_samples, -1)
        else:
            log_probs = torch.stack(
                [log_prob(images, labels) for _ in range(num_samples)]
            )
        bound = torch.logsumexp(log_probs, 0) - math.log(num_samples)
        return -bound.mean()

    return rival.sgd_step(loss_fn, weights, lr=LEARNING_RATE)


if __name__ == "__main__":
    main(run)

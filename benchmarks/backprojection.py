"""Back-projection: cost against the bare matrix products and against torch.

The network 784-2500-2500 with rectifiers, trained here for a moment under dropout on
classes around prototypes; targets under random dropout. The yardstick is the products
that 20 steps contain, and nothing else: forward and back to the input, and one more
forward for the last loss. It is no floor: the same products may take less among other
work.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from benchmarks._bench import Target, main, measure
from benchmarks._compile import CompileTime
from benchmarks._torch import Torch, to_numpy
from noisejax import backprojection as bp
from noisejax import models, noise

NUM_STEPS = 20
RATES = (20.0 / 2500, 2.0 / 2500)
"""Times the width: short enough for the trained network, where the paper's diverge."""

BARE = "bare products"
OURS = "20 steps, gradient_descent"
STABLE = "20 steps, stable_descent"
HALF = "20 steps, gradient_descent, bfloat16 products"
TORCH = "torch, frozen weights"

LAST = (((1,), (0,)), ((), ()))
"""Axes of a matrix product."""

EXAMPLES = 10_000
"""Over which a set-up is counted."""

Params = list[jax.Array]


def run(*, repeats: int, smoke: bool) -> list[dict[str, Any]]:
    """Compare equal steps, then methods that reach the same objective."""
    width, batch, num_inputs = (32, 16, 49) if smoke else (2500, 4096, 784)
    params, x, targets = _problem(num_inputs, width, batch)
    title = f"{num_inputs}-{width}-{width} ReLU, batch {batch}"
    return [
        *_equal_steps(title, params, x, targets, repeats),
        *_equal_objective(title, params, x, targets, repeats),
    ]


def _equal_steps(title, params, x, targets, repeats):
    def project(features_fn, method):
        @jax.jit
        def call(params, x, targets):
            return bp.back_project(
                features_fn, params, x, targets, num_steps=NUM_STEPS, method=method
            )

        return lambda: call(params, x, targets)

    rival = Torch()
    rates = tuple(rate * params[0].shape[1] for rate in RATES)
    calls = {
        OURS: project(_features, bp.gradient_descent(rates)),
        STABLE: project(_features, bp.stable_descent()),
        HALF: project(_low_features, bp.gradient_descent(rates)),
        BARE: _bare(params, x, targets),
        TORCH: _torch(rival, params, x, targets, rates) if rival else None,
    }

    def same(results):
        ours = results[OURS]
        assert not np.asarray(ours.diverged).any(), "the rates are too large"
        reached = _objective(params, ours.x_star, targets)
        half = _objective(params, results[HALF].x_star, targets)
        np.testing.assert_allclose(half, reached, rtol=0.01, err_msg=HALF)
        if TORCH in results:
            np.testing.assert_allclose(
                to_numpy(results[TORCH]), np.asarray(ours.x_star), rtol=1e-2, atol=1e-3
            )

    return measure(
        f"{NUM_STEPS} steps, {title}",
        calls,
        reference=BARE,
        repeats=repeats,
        same=same,
        targets=[
            Target(OURS, BARE, 1.15),
            Target(OURS, TORCH, 0.95),
            Target(HALF, OURS, 0.45),
        ],
    )


def _equal_objective(title, params, x, targets, repeats):
    """Compare methods at the objective that 20 steps of the stable method reach."""

    @jax.jit
    def set_up(params, x):
        return bp.preconditioner(_features, params, x[:512])

    with CompileTime() as spent:
        setup = set_up(params, x)
    methods = {
        "stable_descent": bp.stable_descent(),
        "stable_descent, momentum": bp.stable_descent(momentum=True),
        "preconditioned, no momentum": bp.preconditioned(setup, momentum=False),
        "preconditioned": bp.preconditioned(setup),
    }

    def make(num_steps):
        return jax.jit(
            lambda params, x, targets, method: bp.back_project(
                _features, params, x, targets, num_steps=num_steps, method=method
            )
        )

    plain = make(NUM_STEPS)(params, x, targets, methods["stable_descent"])
    steps = {
        name: _steps_to(float(plain.loss[-1]), params, x, targets, method)
        for name, method in methods.items()
    }
    calls = {}
    for name, method in methods.items():
        call = make(steps[name])
        calls[_named(name, steps)] = lambda call=call, method=method: call(
            params, x, targets, method
        )
    ours_name, stable_name = (
        _named(name, steps) for name in ("preconditioned", "stable_descent")
    )

    def same(results):
        for name, found in results.items():
            reached = float(found.loss[-1])
            assert reached <= 1.02 * float(plain.loss[-1]), (name, reached)

    setups = measure(
        f"set-up of preconditioned, {title}",
        {"set-up": lambda: set_up(params, x)},
        reference="set-up",
        repeats=repeats,
        facts={"set-up": {"compile_s": spent.seconds}},
    )
    records = measure(
        f"the objective of {NUM_STEPS} stable steps, {title}",
        calls,
        reference=stable_name,
        repeats=repeats,
        same=same,
        targets=[Target(ours_name, stable_name, 0.25)],
    )
    by_name = {record["variant"]: record for record in records}
    ours, stable = by_name[ours_name], by_name[stable_name]
    share = min(x.shape[0] / EXAMPLES, 1)
    seconds = ours["median_s"] + share * setups[0]["median_s"]
    ours["with_set_up_ratio"] = seconds / stable["median_s"]
    print(
        f"{ours_name}, with its share of a set-up over {EXAMPLES} examples: "
        f"{ours['with_set_up_ratio']:.3f} x {stable_name}\n",
        flush=True,
    )
    return [*setups, *records]


def _steps_to(loss, params, x, targets, method) -> int:
    """Return the number of steps after which a long run reaches a loss."""
    found = bp.back_project(
        _features, params, x, targets, num_steps=NUM_STEPS, method=method
    )
    reached = np.asarray(found.loss) <= loss * (1 + 1e-4)
    assert reached.any(), f"{method} does not reach {loss} in {NUM_STEPS} steps"
    return max(int(reached.argmax()), 1)


def _named(name: str, steps: dict[str, int]) -> str:
    return f"{name}, {steps[name]} steps"


def _features(params: Params, x: jax.Array) -> tuple[jax.Array, ...]:
    features = []
    for w in params:
        x = jax.nn.relu(x @ w)
        features.append(x)
    return tuple(features)


def _low_features(params: Params, x: jax.Array) -> tuple[jax.Array, ...]:
    features = []
    for w in params:
        x = jax.nn.relu(models.bfloat16_products(x, w.astype(jnp.bfloat16), LAST))
        features.append(x)
    return tuple(features)


def _objective(params, x, targets) -> float:
    pairs = zip(_features(params, x), targets, strict=True)
    return float(sum(((f - t) ** 2).mean(axis=1).sum() for f, t in pairs))


def _problem(num_inputs, width, batch) -> tuple[Params, jax.Array, Any]:
    """Return a briefly trained network, inputs and their noisy activations."""
    rng = np.random.default_rng(0)
    prototypes = rng.uniform(size=(10, num_inputs)) * (rng.random(num_inputs) < 0.5)
    labels = jnp.asarray(rng.integers(0, 10, batch))
    x = np.clip(prototypes[labels] + 0.2 * rng.normal(size=(batch, num_inputs)), 0, 1)
    x = jnp.asarray(x, jnp.float32)
    sizes = (num_inputs, width, width, 10)
    params = [
        jnp.asarray(rng.uniform(-1, 1, s) * np.sqrt(6 / sum(s)), jnp.float32)
        for s in zip(sizes[:-1], sizes[1:], strict=True)
    ]

    def noisy(key, params, x):
        features = []
        for i, w in enumerate(params):
            key_here = jax.random.fold_in(key, i)
            x = noise.random_dropout(key_here, jax.nn.relu(x @ w), rate=0.5)
            features.append(x)
        return tuple(features)

    @jax.jit
    def train(params, key):
        def loss_fn(params, key, rows):
            logits = noisy(key, params[:2], x[rows])[-1] @ params[2]
            chosen = jax.nn.log_softmax(logits)[jnp.arange(len(rows)), labels[rows]]
            return -chosen.mean()

        def step(params, i):
            key_rows, key_noise = jax.random.split(jax.random.fold_in(key, i))
            rows = jax.random.randint(key_rows, (64,), 0, batch)
            gradients = jax.grad(loss_fn)(params, key_noise, rows)
            moved = jax.tree.map(lambda p, g: p - 0.05 * g, params, gradients)
            return moved, ()

        return jax.lax.scan(step, params, jnp.arange(100))[0]

    trained = train(params, jax.random.key(1))[:2]
    return trained, x, jax.jit(noisy)(jax.random.key(2), trained, x)


def _bare(params, x, targets) -> Callable[[], jax.Array]:
    """Return the matrix products alone; each step depends on the one before."""

    @jax.jit
    def products(params, x, targets):
        w1, w2 = params

        def step(x, _):
            hidden = x @ w1
            return (targets[1] + 0 * (hidden @ w2)) @ w2.T @ w1.T * 1e-3, hidden[0, 0]

        x, firsts = jax.lax.scan(step, x, length=NUM_STEPS)
        return x @ w1 @ w2, firsts

    return lambda: products(params, x, targets)


def _torch(rival, params, x, targets, rates) -> Callable[[], Any]:
    """Return the same descent in torch: autograd on the input, frozen weights."""
    torch = rival.torch
    weights = [rival.tensor(w) for w in params]
    start, goals = rival.tensor(x), [rival.tensor(t) for t in targets]

    def objectives(x):
        for w, goal, rate in zip(weights, goals, rates, strict=True):
            x = torch.relu(x @ w)
            yield rate * ((x - goal) ** 2).mean(dim=1).sum()

    def descend():
        x = start.clone()
        for _ in range(NUM_STEPS):
            x.requires_grad_()
            (gradient,) = torch.autograd.grad(sum(objectives(x)), x)
            x = (x - gradient).detach()
        with torch.no_grad():
            sum(objectives(x))
        return x

    return rival.waited(descend)


if __name__ == "__main__":
    main(run)

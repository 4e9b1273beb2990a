"""GAAF: cost of gradient acceleration against the plain activation.

Each call is forward and backward through one elementwise function of an array. The
exact form has the value of the plain activation, the floor form that of eq. 8. "Naive"
is eq. 8 under autodiff, with the slope of the floor corrected by stop_gradient. The
shape function alone is the extra work of both forms, and so a lower bound for the exact
form.
"""

from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from benchmarks._bench import Target, main, measure
from benchmarks._torch import Torch, to_numpy
from noisejax import activations

FREQUENCY = 10_000.0

SHAPE = "shape function alone"
"""Value only, without gradient; in float32 for half precision, rounded once."""

PARTS = {
    "tanh": (jnp.tanh, activations.exponential_shape),
    "relu": (jax.nn.relu, activations.shifted_sigmoid_shape),
}
"""Name -> φ and s."""


def run(*, repeats: int, smoke: bool) -> list[dict[str, Any]]:
    """Compare tanh and ReLU, in float32 and bfloat16."""
    shape = (8, 64) if smoke else (1024, 4096)
    records = []
    for name in PARTS:
        for dtype in ("float32", "bfloat16"):
            records += _compare(name, shape, dtype, repeats)
    return records


def _compare(name: str, shape: tuple[int, ...], dtype: str, repeats: int):
    phi, s = PARTS[name]
    x = jax.random.normal(jax.random.key(0), shape).astype(dtype)
    weight = jax.random.normal(jax.random.key(1), shape).astype(dtype)

    def naive(x):
        cycles = x * FREQUENCY
        g = (cycles - jax.lax.stop_gradient(jnp.floor(cycles)) - 0.5) / FREQUENCY
        return phi(x) + g * s(x)

    functions = {
        "plain activation": phi,
        "ours, exact": activations.gaaf(phi, s, value="exact"),
        "ours, floor": activations.gaaf(phi, s, value="floor"),
        "naive floor, autodiff": naive,
    }
    calls = {key: _gradient(f, x, weight) for key, f in functions.items()}
    calls[SHAPE] = _shape(s, x)
    calls["torch, floor"] = _torch(name, x, weight)

    def same(results):
        tolerance = 2e-4 if dtype == "float32" else 0.1
        close = {"rtol": tolerance, "atol": tolerance}
        y, slope = map(to_numpy, results["plain activation"])
        exact = [to_numpy(r) for r in results["ours, exact"]]
        np.testing.assert_array_equal(exact[0], y)
        added = to_numpy(s(x) * weight)
        np.testing.assert_allclose(exact[1], slope + added, **close)
        np.testing.assert_allclose(to_numpy(results[SHAPE]), to_numpy(s(x)), **close)
        for other in set(results) - {"plain activation", "ours, exact", SHAPE}:
            got = [to_numpy(r) for r in results[other]]
            np.testing.assert_allclose(got[0], y, **close)
            if dtype == "float32" or other == "ours, floor":
                np.testing.assert_allclose(got[1], exact[1], **close)

    return measure(
        f"GAAF, {name}, forward + backward, {list(shape)} {dtype}",
        calls,
        reference="plain activation",
        floor="plain activation",
        above=[name for name in calls if name != SHAPE],
        repeats=repeats,
        same=same,
        targets=[Target("ours, exact", "plain activation", 1.3)],
    )


def _gradient(f, x, weight):
    """Return a function that gives f(x) and the gradient of sum(weight * f(x))."""

    @jax.jit
    def both(x, weight):
        y, pull = jax.vjp(f, x)
        return y, *pull(weight)

    return lambda: both(x, weight)


def _shape(s, x):
    @jax.jit
    def value(x):
        return s(x.astype(jnp.float32)).astype(x.dtype)

    return lambda: value(x)


def _torch(name, x, weight):
    rival = Torch()
    if not rival:
        return None
    torch = rival.torch
    phi, s = {
        "tanh": (torch.tanh, lambda x: torch.exp(-x.abs())),
        "relu": (torch.relu, lambda x: torch.sigmoid(x + 3.0)),
    }[name]
    x, weight = rival.tensor(x), rival.tensor(weight)
    x.requires_grad_()

    def both():
        cycles = x * FREQUENCY
        g = (cycles - cycles.floor().detach() - 0.5) / FREQUENCY
        y = phi(x) + g * s(x)
        return y, *torch.autograd.grad(y, x, weight)

    return rival.waited(both)


if __name__ == "__main__":
    main(run)

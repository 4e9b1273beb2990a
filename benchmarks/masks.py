"""Masks: cost of dropout and its variants against a multiply and other libraries.

Each call is forward and backward through one layer of noise: y = noisy(x) and its
pullback of g. The floor is an elementwise multiply, which reads and writes the same
arrays as dropout. "Ready bool mask" is dropout without random numbers. Invariant
dropout also sums the gradient over the batch. This is one more pass over the array,
which is also measured alone.

When this file is run as a program, the process restarts with glibc's allocator pinned
(`main`). Otherwise a call with 16 MiB arrays may get fresh pages from the kernel, which
cost more than the arithmetic and make the ratios random.
"""

from typing import Any

import jax
import numpy as np
from flax import linen as nn
from flax import nnx
from jax import numpy as jnp

from benchmarks._bench import Target, main, measure, peer
from benchmarks._torch import Torch, to_numpy
from noisejax import noise

RATE = 0.5
"""This rate is exact at 8 bits, too."""

MASK, MULTIPLY = "ready bool mask", "multiply"

SUM = "sum over the batch"
"""The gradient of a shift, or of any bias, needs it in addition to that of dropout."""

TARGETS = [
    Target("dropout, 8 bits", MASK, 1.5),
    Target("dropout, 32 bits", "nnx.Dropout", 0.55),
    Target("dropout, 32 bits", "torch F.dropout", 0.3),
    *(Target(f"random dropout, {b} bits", f"dropout, {b} bits", 1.2) for b in (32, 8)),
    *(Target(f"invariant, {b} bits", f"dropout, {b} bits", 1.15) for b in (32, 8)),
]
"""For large float32 arrays on two cores."""


def run(*, repeats: int, smoke: bool) -> list[dict[str, Any]]:
    """Compare two sizes, in float32 and bfloat16; larger ones on an accelerator."""
    records = []
    shapes = [(8, 64)] if smoke else [(128, 1024), (1024, 4096)]
    if jax.default_backend() != "cpu" and not smoke:
        shapes = [(1024, 4096), (8192, 4096)]  # smaller ones measure the dispatch
    for shape in shapes:
        for dtype in ("float32", "bfloat16"):
            records += _compare(shape, dtype, repeats)
    return records


def _compare(shape: tuple[int, ...], dtype: str, repeats: int):
    keys = jax.random.split(jax.random.key(0), 4)
    x = 1.0 + jax.random.uniform(keys[0], shape).astype(dtype)
    g = 1.0 + jax.random.uniform(keys[1], shape).astype(dtype)
    beta = jnp.zeros(shape[-1:], dtype)
    mask = noise.bernoulli_mask(keys[2], shape, rate=RATE)
    key = keys[3]
    calls = {
        MULTIPLY: _call(lambda x, m: x * m, (x, jnp.asarray(2, dtype)), g),
        MASK: _call(_ready, (x, mask), g),
        SUM: _sum(g),
        "linen.Dropout": _call(_linen, (x, key), g),
        "nnx.Dropout": _call(_nnx, (x, key), g),
        "equinox Dropout": _equinox(x, key, g),
        "torch F.dropout": _torch(x, g),
    }
    for bits in (32, 8):
        options = {"rate": RATE, "bits": bits}
        calls |= {
            f"dropout, {bits} bits": _call(
                lambda x, key, o=options: noise.dropout(key, x, **o), (x, key), g
            ),
            f"random dropout, {bits} bits": _call(
                lambda x, key, o=options: noise.random_dropout(key, x, **o),
                (x, key),
                g,
            ),
            f"invariant, {bits} bits": _call(
                lambda x_beta, key, o=options: noise.invariant_dropout(
                    key, *x_beta, **o
                ),
                ((x, beta), key),
                g,
            ),
        }

    def same(results):
        y, dx = map(to_numpy, results["dropout, 32 bits"])
        for rival in {"nnx.Dropout", "equinox Dropout"} & set(results):
            rival_y, rival_dx = map(to_numpy, results[rival])
            np.testing.assert_array_equal(rival_y != 0, y != 0, rival)
            np.testing.assert_allclose(rival_y, y, rtol=1e-2)
            np.testing.assert_allclose(rival_dx, dx, rtol=1e-2)
        for name in set(results) - {MULTIPLY, SUM}:
            _check_law(name, results[name], x, g)

    return measure(
        f"noise on {list(shape)} {dtype}, rate {RATE}, forward + backward",
        calls,
        reference=MASK,
        floor=MULTIPLY,
        above=[name for name in calls if name != SUM],
        repeats=repeats,
        same=same,
        targets=TARGETS if dtype == "float32" and shape[0] == 1024 else (),
    )


def _check_law(name, result, x, g):
    """Check that both masks agree, and the scale and share of kept units."""
    (y, dx), x, g = map(to_numpy, result[:2]), to_numpy(x), to_numpy(g)
    kept = y != 0
    np.testing.assert_array_equal(dx != 0, kept, name)
    np.testing.assert_allclose((y / x)[kept], (dx / g)[kept], rtol=1e-2, err_msg=name)
    if not name.startswith("random"):
        np.testing.assert_allclose((y / x)[kept], 1 / (1 - RATE), rtol=1e-2)
        assert abs(kept.mean() - (1 - RATE)) < 5 * 0.5 / np.sqrt(kept.size), name


def _call(f, arguments, g):
    """Return a function that gives f(x, other) and its pullback of g."""

    @jax.jit
    def both(x, other, g):
        y, pull = jax.vjp(lambda x: f(x, other), x)
        return y, *jax.tree.leaves(pull(g))

    return lambda: both(*arguments, g)


def _sum(g):
    total = jax.jit(lambda g: g.sum(0))
    return lambda: total(g)


def _ready(x, mask):
    return jnp.where(mask, x * jnp.asarray(1 / (1 - RATE), x.dtype), 0)


def _linen(x, key):
    layer = nn.Dropout(RATE, deterministic=False)
    return layer.apply({}, x, rngs={"dropout": key})


def _nnx(x, key):
    return nnx.Dropout(RATE, deterministic=False)(x, rngs=key)


def _equinox(x, key, g):
    equinox = peer("equinox")
    if equinox is None:
        return None
    return _call(lambda x, key: equinox.nn.Dropout(RATE)(x, key=key), (x, key), g)


def _torch(x, g):
    rival = Torch()
    if not rival:
        return None
    x, g = rival.tensor(x).requires_grad_(), rival.tensor(g)

    def both():
        y = rival.torch.nn.functional.dropout(x, RATE)
        return y, *rival.torch.autograd.grad(y, x, g)

    return rival.waited(both)


if __name__ == "__main__":
    main(run)

"""Gradient information: Hahn and Choi 2018, eq. 5 and table 2."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from noisejax import diagnostics, noise

RNG = np.random.default_rng(1)
X = jnp.asarray(RNG.normal(size=(10, 6)), jnp.float32)
Y = jnp.asarray(RNG.normal(size=(10, 3)), jnp.float32)
PARAMS = {"w": jnp.asarray(RNG.normal(size=(6, 3)), jnp.float32), "b": jnp.zeros(3)}


def loss_fn(params, x, y):
    net = x @ params["w"] + params["b"][None]
    return 0.5 * ((net - y) ** 2).sum(axis=-1)


def transcription():
    """Compute dE/dW = x (z - y)' for each example."""
    x, y, w = (np.asarray(a, np.float64) for a in (X, Y, PARAMS["w"]))
    errors = x @ w - y
    of_w = [np.abs(np.outer(x[n], errors[n])).mean() for n in range(10)]
    return {"w": np.mean(of_w), "b": np.abs(errors).mean()}


@pytest.mark.parametrize("chunk_size", [3, 10, 99])
def test_equation_5(chunk_size):
    ours = diagnostics.gradient_information(
        loss_fn, PARAMS, X, Y, chunk_size=chunk_size
    )
    for name, expected in transcription().items():
        np.testing.assert_allclose(ours[name], expected, rtol=1e-5)


def test_a_key_per_example():
    """Noisy losses use one key per example."""

    def noisy(params, x, y, keys):
        return loss_fn(params, noise.dropout(keys[0], x, rate=0.5), y)

    keys = lambda: jax.random.split(jax.random.key(0), 10)
    ours = diagnostics.gradient_information(noisy, PARAMS, X, Y, keys(), chunk_size=4)
    masked = jnp.concatenate(
        [noise.dropout(keys()[i], X[i : i + 1], rate=0.5) for i in range(10)]
    )
    expected = diagnostics.gradient_information(loss_fn, PARAMS, masked, Y)
    np.testing.assert_allclose(ours["w"], expected["w"], rtol=1e-5)


def test_memory_does_not_grow_with_the_examples():
    """A compiled measurement needs the temporary memory of one chunk's gradients."""

    def temporaries(examples):
        params = {"w": jnp.zeros((200, 100)), "b": jnp.zeros(100)}
        measure = lambda x, y: diagnostics.gradient_information(
            loss_fn, params, x, y, chunk_size=4
        )
        x, y = jnp.zeros((examples, 200)), jnp.zeros((examples, 100))
        return jax.jit(measure).lower(x, y).compile().memory_analysis()

    few, many = (temporaries(n).temp_size_in_bytes for n in (8, 256))
    one_gradient = 4 * 200 * 100
    assert many - few < 248 * (200 + 100) * 4 + one_gradient < 248 * one_gradient


def test_the_average_through_training():
    steps = [RNG.normal(size=(6, 3)).astype(np.float32) for _ in range(7)]
    average = diagnostics.start_gradient_average(PARAMS)

    def step(average, gradient):
        gradients = {"w": gradient, "b": gradient[0]}
        return diagnostics.update_gradient_average(average, gradients), ()

    average, _ = jax.lax.scan(step, average, jnp.stack(steps))
    assert int(average.count) == 7
    np.testing.assert_allclose(
        average.mean["w"], np.mean([np.abs(g).mean() for g in steps]), rtol=1e-6
    )
    np.testing.assert_allclose(
        average.mean["b"], np.mean([np.abs(g[0]).mean() for g in steps]), rtol=1e-6
    )


def test_half_precision_gradients_are_averaged_in_float32():
    average = diagnostics.start_gradient_average(jnp.ones(4, jnp.bfloat16))
    for _ in range(300):  # bfloat16 would stop counting at 256
        average = diagnostics.update_gradient_average(
            average, jnp.ones(4, jnp.bfloat16)
        )
    assert average.mean.dtype == jnp.float32 and float(average.mean) == 1


def test_errors():
    measure = diagnostics.gradient_information
    with pytest.raises(ValueError, match=r"same number of examples.*\(9,\), \(10,\)"):
        measure(loss_fn, PARAMS, X, Y[:9])
    with pytest.raises(ValueError, match="at least 1 example, got 0"):
        measure(loss_fn, PARAMS, X, Y, chunk_size=0)
    with pytest.raises(ValueError, match="same number of examples"):
        measure(loss_fn, PARAMS)

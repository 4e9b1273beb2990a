"""The largest eigenvalue of the Hessian, against all of them."""

import jax
import numpy as np
import pytest
from jax import flatten_util
from jax import numpy as jnp

from noisejax import activations, diagnostics

RNG = np.random.default_rng(4)
X = jnp.asarray(RNG.normal(size=(23, 4)), jnp.float32)
Y = jnp.asarray(RNG.normal(size=(23,)), jnp.float32)
PARAMS = {
    "w": jnp.asarray(RNG.normal(size=(4, 5)), jnp.float32),
    "v": jnp.asarray(RNG.normal(size=(5,)), jnp.float32),
}


def make_loss(phi):
    def loss_fn(params, x, y):
        return 0.5 * (phi(x @ params["w"]) @ params["v"] - y) ** 2

    return loss_fn


loss_fn = make_loss(jnp.tanh)


def hessian(params):
    flat, unravel = flatten_util.ravel_pytree(params)
    return jax.hessian(lambda p: loss_fn(unravel(p), X, Y).mean())(flat)


def test_extreme_eigenvalues_are_those_of_the_hessian():
    values = np.linalg.eigvalsh(np.asarray(hessian(PARAMS), np.float64))
    result = diagnostics.sharpness(jax.random.key(0), loss_fn, PARAMS, X, Y)
    np.testing.assert_allclose(result.largest, values[-1], rtol=1e-4)
    np.testing.assert_allclose(result.smallest, values[0], rtol=1e-3)
    assert values[0] < 0
    assert float(result.residual) < 1e-3 * values[-1]


def test_chunks_do_not_matter():
    of = lambda c: diagnostics.sharpness(
        jax.random.key(0), loss_fn, PARAMS, X, Y, num_iterations=8, chunk_size=c
    )
    np.testing.assert_allclose(of(10).largest, of(256).largest, rtol=1e-4)


def test_few_iterations_say_so():
    values = np.linalg.eigvalsh(hessian(PARAMS))
    few = diagnostics.sharpness(
        jax.random.key(0), loss_fn, PARAMS, X, Y, num_iterations=3
    )
    distance = np.abs(values - float(few.largest)).min()
    assert 0 < distance <= float(few.residual) * 1.01


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_more_iterations_than_parameters(sign):
    """The iteration ends early and adds no wrong eigenvalue 0."""
    scale = jnp.array([2.0, 3.0, 5.0])

    def quadratic(w, x):
        return sign * 0.5 * x[:, 0] * ((scale * w) ** 2).sum()

    result = diagnostics.sharpness(
        jax.random.key(0), quadratic, jnp.ones(3), jnp.ones((2, 1)), num_iterations=12
    )
    largest, smallest = sorted((sign * 25, sign * 4), reverse=True)
    np.testing.assert_allclose(result.largest, largest, rtol=1e-3)
    np.testing.assert_allclose(result.smallest, smallest, rtol=1e-3)


def test_gaaf_is_swapped_for_its_plain_activation_and_jit_is_eager():
    phi = activations.gaaf(jnp.tanh, activations.exponential_shape)

    def measure(phi):
        loss_fn, key = make_loss(phi), jax.random.key(0)
        return lambda p: diagnostics.sharpness(key, loss_fn, p, X, Y, num_iterations=5)

    plain = measure(diagnostics.plain_activation(phi))(PARAMS)
    jitted = jax.jit(measure(jnp.tanh))(PARAMS)
    np.testing.assert_allclose(jitted.largest, plain.largest, rtol=1e-4)


def test_errors():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        diagnostics.sharpness(
            jax.random.key(0), loss_fn, PARAMS, X, Y, num_iterations=0
        )
    with pytest.raises(ValueError, match="same number of examples"):
        diagnostics.sharpness(jax.random.key(0), loss_fn, PARAMS, X, Y[:3])
    with pytest.raises(TypeError, match="JAX random key"):
        diagnostics.sharpness(3, loss_fn, PARAMS, X, Y)

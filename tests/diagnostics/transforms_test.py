"""Measurements within shard_map, and of functions without forward mode."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from noisejax import diagnostics, models, noise

RNG = np.random.default_rng(7)
X = jnp.asarray(RNG.normal(size=(8, 5)), jnp.float32)
Y = jnp.arange(8) % 3
W = jnp.asarray(RNG.normal(size=(5, 3)), jnp.float32)
LAST = (((1,), (0,)), ((), ()))


def apply_fn(w, key, x):
    return noise.dropout(key, x, rate=0.5) @ w


def loss_fn(w, x, y, product=jnp.matmul):
    log_probs = jax.nn.log_softmax(jnp.tanh(product(x, w)))
    return -jnp.take_along_axis(log_probs, y[:, None], axis=1)[:, 0]


MEASUREMENTS = {
    "report_noise": lambda key, w, x, y: diagnostics.report_noise(
        key, apply_fn, w, x, y, num_samples=4, num_draws=3
    ),
    "correlation_counts": lambda key, w, x, y: diagnostics.correlation_counts(x),
    "dropped_counts": lambda key, w, x, y: diagnostics.dropped_counts(
        key, 5, noise.Dropout(0.5), num_draws=100
    ),
    "gradient_information": lambda key, w, x, y: diagnostics.gradient_information(
        loss_fn, w, x, y, chunk_size=3
    ),
    "sharpness": lambda key, w, x, y: diagnostics.sharpness(
        jax.random.key(3), loss_fn, w, x, y, num_iterations=3
    ),
}


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_within_shard_map(name):
    """Measurements pass check_vma, which compares the types of loop carries."""
    mesh = jax.make_mesh((1,), ("data",), axis_types=(AxisType.Auto,))
    measure = MEASUREMENTS[name]

    def shard(keys, w, x, y):
        return jax.tree.map(lambda a: a[None], measure(keys[0], w, x, y))

    specs = P("data"), P(), P("data"), P("data")
    shards = jax.shard_map(shard, mesh=mesh, in_specs=specs, out_specs=P("data"))
    keys = lambda: jax.random.split(jax.random.key(2), 1)
    found = jax.jit(shards)(keys(), W, X, Y)
    expected = jax.jit(measure)(keys()[0], W, X, Y)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a[0], b, rtol=1e-3, atol=1e-4)


@jax.custom_vjp
def reverse_only(x, w):
    """A user's product without a forward-mode derivative is accepted."""
    return x @ w


reverse_only.defvjp(
    lambda x, w: (reverse_only(x, w), (x, w)),
    lambda saved, g: (g @ saved[1].T, saved[0].T @ g),
)


@pytest.mark.parametrize(
    ("product", "tolerance"),
    [
        (lambda x, w: models.bfloat16_products(x, w, LAST), 0.05),
        (reverse_only, 1e-4),
    ],
    ids=["bfloat16", "custom_vjp"],
)
def test_sharpness_needs_reverse_mode_only(product, tolerance):
    def measure(product):
        loss = lambda w, x, y: loss_fn(w, x, y, product)
        return jax.jit(
            lambda w: diagnostics.sharpness(jax.random.key(3), loss, w, X, Y)
        )(W)

    found, expected = measure(product), measure(jnp.matmul)
    np.testing.assert_allclose(found.largest, expected.largest, rtol=tolerance)


def test_slopes_of_an_activation_with_a_custom_vjp():
    """A straight-through estimator."""

    @jax.custom_vjp
    def sign(x):
        return jnp.sign(x)

    sign.defvjp(
        lambda x: (sign(x), x), lambda x, g: (jnp.where(jnp.abs(x) < 1, g, 0.0),)
    )
    slopes = diagnostics.activation_slope(jnp.array([-2.0, 0.5]), sign)
    np.testing.assert_array_equal(slopes, [0, 1])


def test_a_loss_in_place_of_a_likelihood_is_warned_of():
    def report(sign):
        return diagnostics.report_noise(
            jax.random.key(1),
            apply_fn,
            W,
            X,
            Y,
            log_prob_fn=lambda outputs, y: (
                sign
                * jnp.take_along_axis(jax.nn.log_softmax(outputs), y[:, None], 1)[:, 0]
            ),
            num_samples=2,
            num_draws=2,
        )

    assert float(report(1).positive_share) == 0
    with pytest.warns(UserWarning, match=r"100% of the values.*return its negative"):
        assert float(report(-1).positive_share) == 1

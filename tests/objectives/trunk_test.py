"""Work before the noise is done once; what cannot be shared is not."""

import re

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from noisejax import noise, objectives
from tests.objectives.networks import key

S, B, D = 4, 8, 50


def networks():
    """Parameters, and a batch, of a net whose input makes no noise."""
    keys = jax.random.split(key(1), 4)
    params = [jax.random.normal(keys[0], (D, 60)), jax.random.normal(keys[1], (60, 3))]
    x, y = (
        jax.random.normal(keys[2], (B, D)),
        jax.random.randint(keys[3], (B,), 0, 3),
    )
    return params, x, y


def log_prob(params, key, x, y):
    hidden = noise.dropout(key, jax.nn.relu(x @ params[0]), rate=0.5)
    return objectives.label_log_prob(hidden @ params[1], y)


def products(function, *arguments):
    """Shapes that products give, by the compiled program's source."""
    text = str(jax.make_jaxpr(function)(*arguments))
    found = re.findall(r"f32\[([\d,]*)\] = dot_general", text)
    return [tuple(int(n) for n in shape.split(",")) for shape in found]


@pytest.mark.parametrize("strategy", ["vmap", "map", "fold"])
def test_the_first_product_is_done_once(strategy):
    params, x, y = networks()
    loss_fn = objectives.iwsgd(log_prob, num_samples=S, strategy=strategy)
    made = products(lambda p: loss_fn(p, key(), x, y)[0], params)
    assert made.count((B, 60)) == 1
    assert not {(S * B, 60), (S, B, 60)} & set(made)


@pytest.mark.parametrize("strategy", ["vmap", "map", "fold"])
def test_sharing_changes_nothing(strategy):
    """Against a function of the same value whose trunk depends on the noise."""
    params, x, y = networks()

    def unshared(params, noise_, x, y):
        zero = noise_[0].ravel()[0] * 0
        hidden = noise.apply(
            jax.nn.relu((x + zero) @ params[0]), noise.mask_sample(noise_[0], rate=0.5)
        )
        return objectives.label_log_prob(hidden @ params[1], y)

    def shared(params, noise_, x, y):
        hidden = noise.apply(
            jax.nn.relu(x @ params[0]), noise.mask_sample(noise_[0], rate=0.5)
        )
        return objectives.label_log_prob(hidden @ params[1], y)

    masks = jax.random.bernoulli(key(3), 0.5, (S, B, 60)).astype(jnp.float32)

    def run(function):
        loss_fn = objectives.iwsgd(function, num_samples=S, strategy=strategy)
        return jax.jit(jax.value_and_grad(lambda p: loss_fn(p, [masks], x, y)[0]))(
            params
        )

    (a, ga), (b, gb) = run(unshared), run(shared)
    np.testing.assert_allclose(a, b, rtol=1e-6)
    for u, v in zip(ga, gb, strict=True):
        np.testing.assert_allclose(u, v, rtol=1e-5, atol=1e-6)


def test_statistics_over_the_batch_are_not_shared_by_copies():
    """Of copies behind each other the sum is not that of one."""
    params, x, y = networks()

    def summed(params, key, x, y):
        h = (x @ params[0]) / jnp.sum(jnp.abs(x @ params[0]), axis=0, keepdims=True)
        return objectives.label_log_prob(noise.dropout(key, h, rate=0.5) @ params[1], y)

    loss_fn = objectives.iwsgd(summed, num_samples=S, strategy="fold")
    whole = summed(params, key(), jnp.tile(x, (S, 1)), jnp.tile(y, S))
    _, aux = loss_fn(params, key(), x, y)
    np.testing.assert_allclose(aux.log_probs.ravel(), whole, rtol=1e-5, atol=1e-6)


def test_what_depends_on_the_place_in_the_batch_is_not_shared():
    params, x, y = networks()

    def placed(params, key, x, y):
        place = jnp.arange(len(x), dtype=jnp.float32)[:, None]
        h = jax.nn.relu((x + place) @ params[0])
        return objectives.label_log_prob(noise.dropout(key, h, rate=0.5) @ params[1], y)

    loss_fn = objectives.iwsgd(placed, num_samples=S, strategy="fold")
    whole = placed(params, key(), jnp.tile(x, (S, 1)), jnp.tile(y, S))
    _, aux = loss_fn(params, key(), x, y)
    np.testing.assert_allclose(aux.log_probs.ravel(), whole, rtol=1e-4, atol=1e-5)


def test_map_keeps_the_memory_of_one_sample():
    """Temporaries at S = 32 are those of S = 8, to a tenth."""
    keys = jax.random.split(key(5), 2)
    params = [
        jax.random.normal(keys[0], (128, 256)) / 16,
        jax.random.normal(keys[1], (256, 10)) / 16,
    ]
    x, y = jnp.ones((64, 128)), jnp.zeros(64, jnp.int32)

    def noisy(params, key, x, y):
        k0, k1 = jax.random.split(key)
        h = jax.nn.relu(noise.dropout(k0, x, rate=0.2) @ params[0])
        return objectives.label_log_prob(noise.dropout(k1, h, rate=0.5) @ params[1], y)

    def temporaries(num_samples, strategy):
        loss_fn = objectives.iwsgd(noisy, num_samples=num_samples, strategy=strategy)
        gradient = jax.jit(jax.grad(lambda p, k: loss_fn(p, k, x, y)[0]))
        compiled = gradient.lower(params, key()).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    assert temporaries(32, "map") < 1.1 * temporaries(8, "map")
    assert temporaries(32, "map") < 0.5 * temporaries(32, "vmap")

"""Work before the first noise is shared by vmap, or by composition."""

import re

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from noisejax import noise, objectives
from tests.objectives.networks import key

S, B, D, H = 4, 8, 50, 60
STRATEGIES = ("vmap", "map", "fold", "resample")


def problem():
    """Return parameters and a batch of a network without noise on its input."""
    keys = jax.random.split(key(1), 4)
    params = [jax.random.normal(keys[0], (D, H)), jax.random.normal(keys[1], (H, 3))]
    x, y = (
        jax.random.normal(keys[2], (B, D)),
        jax.random.randint(keys[3], (B,), 0, 3),
    )
    return params, x, y


def encode(params, x):
    return jax.nn.relu(x @ params[0])


def log_prob_of_hidden(params, key, hidden, y):
    hidden = noise.dropout(key, hidden, rate=0.5)
    return objectives.label_log_prob(hidden @ params[1], y)


def log_prob(params, key, x, y):
    return log_prob_of_hidden(params, key, encode(params, x), y)


def loss_fns(strategy):
    """Return losses of the whole network and of its composition with the encoder."""
    inside = objectives.iwsgd(log_prob, num_samples=S, strategy=strategy)
    outside = objectives.iwsgd(log_prob_of_hidden, num_samples=S, strategy=strategy)
    return (
        lambda params, x, y: inside(params, key(3), x, y)[0],
        lambda params, x, y: outside(params, key(3), encode(params, x), y)[0],
    )


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_composition_changes_no_gradient(strategy):
    (loss, gradient), (composed, other) = (
        jax.jit(jax.value_and_grad(fn))(*problem()) for fn in loss_fns(strategy)
    )
    np.testing.assert_allclose(composed, loss, rtol=1e-6)
    for a, b in zip(gradient, other, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-6)


def products_of_the_encoder(function, *arguments):
    """Return the first axes of the encoder's products."""
    text = str(jax.make_jaxpr(function)(*arguments))
    found = re.findall(rf"f32\[([\d,]*),{H}\] = dot_general", text)
    return [tuple(map(int, leading.split(","))) for leading in found]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_composition_encodes_once(strategy):
    _, composed = loss_fns(strategy)
    products = products_of_the_encoder(composed, *problem())
    assert products.count((B,)) == 1
    assert not {(S * B,), (S, B)} & set(products)


def test_vmap_and_resample_encode_once_by_themselves():
    for strategy in ("vmap", "resample"):
        whole, _ = loss_fns(strategy)
        products = products_of_the_encoder(whole, *problem())
        assert {int(np.prod(leading)) for leading in products} == {B}
    fold, _ = loss_fns("fold")
    assert products_of_the_encoder(fold, *problem()).count((S * B,)) == 1


def test_shared_gradients_are_clipped_once():
    """A custom_vjp in the shared work clips the sum over samples, as documented."""

    @jax.custom_vjp
    def clip(x):
        return x

    clip.defvjp(lambda x: (x, None), lambda _, g: (jnp.clip(g, -0.1, 0.1),))

    def fn(w, mask, x):
        return clip(w) * mask[:, 0] * x

    masks, x = jnp.ones((S, 1, 1)), jnp.ones(1)
    for strategy, expected in (("vmap", -0.1), ("fold", -0.1), ("map", -S * 0.1)):
        loss_fn = objectives.iwsgd(
            fn, num_samples=S, strategy=strategy, weighting="equal"
        )
        gradient = jax.jit(jax.grad(lambda w, f=loss_fn: f(w, masks, x)[0]))
        np.testing.assert_allclose(gradient(jnp.float32(1)), expected, rtol=1e-5)


def test_map_keeps_the_memory_of_one_sample():
    """Temporaries at S = 32 are those of S = 8, to a tenth.

    The batch is large because a product on a GPU has a workspace of up to 34 MB.
    """
    params = [jnp.ones((64, 128)), jnp.ones((128, 3))]
    x = jax.ShapeDtypeStruct((1 << 14, 64), jnp.float32)
    y = jax.ShapeDtypeStruct((1 << 14,), jnp.int32)

    def temporaries(num_samples, strategy):
        loss_fn = objectives.iwsgd(log_prob, num_samples=num_samples, strategy=strategy)
        gradient = jax.jit(jax.grad(lambda p, k, x, y: loss_fn(p, k, x, y)[0]))
        compiled = gradient.lower(params, key(), x, y).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    assert temporaries(32, "map") < 1.1 * temporaries(8, "map")
    assert temporaries(32, "map") < 0.5 * temporaries(32, "vmap")

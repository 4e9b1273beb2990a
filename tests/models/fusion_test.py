"""The fusion head: an MLP on two vectors; a convolution on two feature maps."""

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from noisejax import models, noise

DROPOUT = (noise.Dropout(0.5),)


def test_two_vectors_are_the_input_of_an_mlp():
    net = models.Fusion((7,), 3, hidden_noise=DROPOUT)
    x, key = jax.random.normal(jax.random.key(1), (4, 2, 5)), jax.random.key(0)
    variables = net.init(key, x, train=False)
    mlp = models.MLP((7,), 3, hidden_noise=DROPOUT)
    rngs = {"dropout": jax.random.key(2)}
    found = net.apply(variables, x, train=True, rngs=rngs)[0]
    np.testing.assert_array_equal(
        found, mlp.apply(variables, x, train=True, rngs=rngs)[0]
    )


def test_feature_maps_are_fused_by_a_convolution_and_pooled():
    """The maximum over time and space of φ(K * [u; v])."""
    net = models.Fusion((7,), 3, conv_features=4)
    x, key = jax.random.normal(jax.random.key(1), (2, 2, 3, 4, 5, 6)), jax.random.key(0)
    variables = net.init(key, x, train=False)
    kernel = np.asarray(variables["params"]["fusion"]["kernel"], np.float64)
    assert kernel.shape == (3, 3, 3, 12, 4)
    maps = np.concatenate([x[:, 0], x[:, 1]], axis=-1).astype(np.float64)
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1), (1, 1), (0, 0)))
    z = sum(
        padded[:, a : a + 3, b : b + 4, c : c + 5] @ kernel[a, b, c]
        for a in range(3)
        for b in range(3)
        for c in range(3)
    )
    pooled = np.maximum(z, 0).max(axis=(1, 2, 3))
    found = net.apply(variables, x, train=False)[1]["input"]
    np.testing.assert_allclose(found, pooled, rtol=1e-4, atol=1e-4)


def test_another_input_is_an_error():
    with pytest.raises(ValueError, match=r"two streams, .* got shape \(4, 3, 5\)"):
        models.Fusion((7,), 3).init(jax.random.key(0), jnp.ones((4, 3, 5)), train=False)

"""Back-projection of users' models: the activations at their noise sites."""

import jax
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx
from jax import numpy as jnp

from noisejax import backprojection, layers, noise
from noisejax.layers import nnx as nnx_layers

X = jax.random.normal(jax.random.key(7), (3, 8, 8, 1))


class CNN(nn.Module):
    """A user's network with dropout of Flax and noisejax."""

    @nn.compact
    def __call__(self, x, training):
        x = nn.relu(nn.Conv(4, (3, 3), name="conv")(x))
        x = nn.Dropout(0.5, name="after_conv")(x, deterministic=not training)
        x = nn.relu(nn.Dense(6, name="dense")(x.reshape(len(x), -1)))
        drop = layers.RandomDropout(0.5, name="after_dense")
        return nn.Dense(2)(drop(x, deterministic=not training))


class Net(nnx.Module):
    """The same network in NNX."""

    def __init__(self, rngs):
        self.dense = nnx.Linear(64, 6, rngs=rngs)
        self.hidden = nnx.Linear(6, 5, rngs=rngs)
        self.out = nnx.Linear(5, 2, rngs=rngs)
        self.first = nnx.Dropout(0.5, rngs=rngs)
        self.second = nnx_layers.Noise(noise.GaussianDropout(0.3), rngs=rngs)

    def __call__(self, x):
        x = self.first(nnx.relu(self.dense(x.reshape(len(x), -1))))
        return self.out(self.second(jnp.tanh(self.hidden(x))))


@pytest.fixture(scope="module", params=["linen", "nnx"])
def case(request):
    """Return a model, its parameters, keyword arguments and noise layer names."""
    if request.param == "nnx":
        model = Net(nnx.Rngs(0))
        return model, nnx.state(model, nnx.Param), {}, ("first", "second")
    model = CNN()
    params = model.init(jax.random.key(0), X, training=False)["params"]
    return model, params, {"training": False}, ("after_conv", "after_dense")


def test_the_features_are_the_activations_without_noise(case):
    model, params, kwargs, _ = case
    features_fn, _ = backprojection.from_model(model)
    first, second = features_fn(params, X, **kwargs)
    if isinstance(model, Net):
        expected = nnx.relu(model.dense(X.reshape(3, -1)))
        np.testing.assert_allclose(second, jnp.tanh(model.hidden(expected)), rtol=1e-5)
    else:
        kernel, bias = params["conv"]["kernel"], params["conv"]["bias"]
        conv = jax.lax.conv_general_dilated(
            X, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        expected = nn.relu(conv + bias.reshape(1, 1, 1, -1))
        assert second.shape == (3, 6)
    np.testing.assert_allclose(first, expected, rtol=1e-5, atol=1e-6)


def test_the_targets_are_the_noisy_activations_and_x_star_comes_closer(case):
    model, params, kwargs, _ = case
    features_fn, noisy_fn = backprojection.from_model(model)
    targets = jax.jit(lambda p, k, x: noisy_fn(p, k, x, **kwargs))(
        params, jax.random.key(1), X
    )
    clean = features_fn(params, X, **kwargs)
    dropped = np.asarray(targets[0]) == 0
    kept = np.asarray(clean[0])[~dropped]
    np.testing.assert_allclose(np.asarray(targets[0])[~dropped], 2 * kept, rtol=1e-5)
    found = backprojection.back_project(
        lambda p, x: features_fn(p, x, **kwargs), params, X, targets, num_steps=5
    )
    assert (found.residual_after.sum(0) < found.residual_before.sum(0)).all()


def test_only_the_named_layers_are_noisy(case):
    model, params, kwargs, (first, second) = case
    clean = backprojection.from_model(model, second)[0](params, X, **kwargs)
    noisy_fn = backprojection.from_model(model, first)[1]
    [noisy] = noisy_fn(params, jax.random.key(1), X, **kwargs)
    assert (np.asarray(noisy) == 0).any() and len(clean) == 1


def test_a_name_that_matches_nothing_lists_the_layers(case):
    model, params, kwargs, names = case
    features_fn = None
    with pytest.raises(ValueError, match=rf"'conv_9' matches no noise .*{names[0]}"):
        features_fn, _ = backprojection.from_model(model, "conv_9")
        features_fn(params, X, **kwargs)


def test_what_is_no_module_is_refused():
    with pytest.raises(TypeError, match="a Linen or NNX module, got function"):
        backprojection.from_model(lambda x: x)

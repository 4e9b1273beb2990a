"""All shifts of a model are folded into biases, and outputs do not change."""

import jax
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx
from jax import numpy as jnp

from noisejax import layers, models, noise
from noisejax.layers import nnx as nnx_layers

X = jax.random.normal(jax.random.key(0), (3, 8, 8, 2))


class Net(nn.Module):
    """A convolutional network with shifts per channel, and one after flattening."""

    noisy: bool = True
    use_bias: bool = True
    padding: str = "VALID"

    @nn.compact
    def __call__(self, x):
        def drop(**options):
            if not self.noisy:
                return lambda x: x
            return layers.InvariantDropout(0.5, deterministic=True, **options)

        x = drop()(x)
        x = nn.relu(nn.Conv(4, (3, 3), padding=self.padding)(x))
        x = nn.max_pool(drop()(x), (2, 2), (2, 2))
        x = x.reshape(len(x), -1)
        x = nn.relu(nn.Dense(5, use_bias=self.use_bias)(x))
        return nn.Dense(3)(drop()(x)), {"hidden": x}


def trained(net, x=X):
    """Return variables with random shifts and biases."""
    variables = net.init(jax.random.key(1), x)
    leaves, tree = jax.tree.flatten(variables)
    keys = jax.random.split(jax.random.key(2), len(leaves))
    moved = [
        v + 0.3 * jax.random.normal(k, v.shape)
        for k, v in zip(keys, leaves, strict=True)
    ]
    return jax.tree.unflatten(tree, moved)


def check_same(found, wanted):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5),
        found,
        wanted,
    )


def test_a_plain_network_takes_the_folded_variables():
    """Convolution, pooling, flattening and dense layers; the shifts are gone."""
    variables = trained(Net())
    folded = layers.fold_shifts(Net(), variables, X)
    assert not any("InvariantDropout" in name for name in folded["params"])
    other = jax.random.normal(jax.random.key(5), (4, 8, 8, 2))
    plain = Net(noisy=False)
    check_same(plain.apply(folded, other), Net().apply(variables, other))
    names = jax.tree.map(jnp.shape, plain.init(jax.random.key(0), X))
    assert jax.tree.map(jnp.shape, folded) == names


def test_a_layer_without_a_bias_gets_one():
    net = Net(use_bias=False)
    variables = trained(net)
    folded = layers.fold_shifts(net, variables, X)
    assert "bias" in folded["params"]["Dense_0"]
    check_same(Net(noisy=False).apply(folded, X), net.apply(variables, X))


def test_boxed_parameters_keep_their_metadata():
    init = nn.with_partitioning(nn.initializers.ones, ("features",))
    drop = layers.InvariantDropout(0.5, deterministic=True)
    net = nn.Sequential([drop, nn.Dense(4, bias_init=init)])
    variables = net.init(jax.random.key(0), jnp.ones((2, 3)))
    variables["params"]["layers_0"]["beta"] += 1.0
    folded = layers.fold_shifts(net, variables, jnp.ones((2, 3)))
    bias = folded["params"]["layers_1"]["bias"]
    assert isinstance(bias, nn.Partitioned) and bias.names == ("features",)
    kernel = variables["params"]["layers_1"]["kernel"]
    np.testing.assert_allclose(bias.unbox(), 1 + kernel.sum(0), rtol=1e-5)


def test_running_averages_are_folded():
    scheme = noise.Dropout(0.5)
    noisy = layers.Noise(scheme, shift="running_average", deterministic=True)
    net = nn.Sequential([noisy, nn.Dense(4)])
    x = jax.random.normal(jax.random.key(0), (5, 3))
    variables = trained(net, x)
    folded = layers.fold_shifts(net, variables, x)
    assert list(folded) == ["params"]
    plain = nn.Sequential([lambda x: x, nn.Dense(4)])
    check_same(plain.apply(folded, x), net.apply(variables, x))


def test_networks_of_the_library():
    drop = noise.Dropout(0.5)
    options = {"input_noise": drop, "hidden_noise": (drop, drop)}
    net = models.MLP((7, 6), 3, input_shift=True, hidden_shift=True, **options)
    x = jax.random.normal(jax.random.key(0), (4, 5))
    variables = net.init(jax.random.key(1), x, train=False)
    moved = jax.tree.map(lambda v: v + 0.2, variables)
    folded = layers.fold_shifts(net, moved, x, train=False)
    plain = net.clone(input_shift=False, hidden_shift=False)
    wanted, _ = net.apply(moved, x, train=False)
    check_same(plain.apply(folded, x, train=False)[0], wanted)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda drop: [nn.Dense(3), drop, nn.relu, nn.Dense(3)], "depends on the exam"),
        (lambda drop: [nn.Dense(3), drop], "by another way"),
        (lambda drop: [nn.Dense(3)], "has no noise layer with a shift"),
    ],
)
def test_a_shift_that_cannot_be_folded_is_named(make, message):
    net = nn.Sequential(make(layers.InvariantDropout(0.5, deterministic=True)))
    x = jax.random.normal(jax.random.key(0), (4, 3))
    with pytest.raises(ValueError, match=message):
        layers.fold_shifts(net, trained(net, x), x)


def test_padding_with_zeros_needs_a_bias_per_position():
    net = Net(padding="SAME")
    with pytest.raises(ValueError, match="Conv_0 needs a bias for each position"):
        layers.fold_shifts(net, trained(net), X)


def test_a_residual_connection_cannot_be_folded():
    class Residual(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = layers.InvariantDropout(0.5, deterministic=True)(x)
            return x + nn.Dense(3)(x)

    x = jax.random.normal(jax.random.key(0), (4, 3))
    with pytest.raises(ValueError, match="residual connection"):
        layers.fold_shifts(Residual(), trained(Residual(), x), x)


def test_only_linen_models():
    with pytest.raises(
        TypeError, match="must be a Linen model, got function; for an NNX"
    ):
        layers.fold_shifts(lambda x: x, {}, X)


class NNXNet(nnx.Module):
    """The network `Net` in NNX."""

    def __init__(self, *, use_bias=True, padding="VALID"):
        rngs = nnx.Rngs(0)

        def drop(features):
            return nnx_layers.InvariantDropout(0.5, num_features=features, rngs=rngs)

        self.drops = nnx.List([drop(n) for n in (2, 4, 5)])
        self.conv = nnx.Conv(2, 4, (3, 3), padding=padding, rngs=rngs)
        self.hidden = nnx.Linear(36, 5, use_bias=use_bias, rngs=rngs)
        self.output = nnx.Linear(5, 3, rngs=rngs)
        for layer in self.drops:
            layer.beta[...] += 0.3

    def __call__(self, x):
        x = nnx.relu(self.conv(self.drops[0](x)))
        x = nnx.max_pool(self.drops[1](x), (2, 2), (2, 2)).reshape(len(x), -1)
        return self.output(self.drops[2](nnx.relu(self.hidden(x))))


@pytest.mark.parametrize("use_bias", [True, False])
def test_an_nnx_model_is_folded_into_a_copy(use_bias):
    model = NNXNet(use_bias=use_bias)
    folded = nnx_layers.fold_shifts(model, X)
    assert type(folded.conv) is nnx.Conv and folded.hidden.bias is not None
    assert all(layer.beta is None for layer in folded.drops)
    assert (model.drops[0].beta[...] == 0.3).all(), "the model itself has its shifts"
    model.eval()
    other = jax.random.normal(jax.random.key(5), (4, 8, 8, 2))
    check_same(folded(other), model(other))


def test_errors_of_nnx_models():
    with pytest.raises(TypeError, match="must be an NNX model, got int"):
        nnx_layers.fold_shifts(3)
    with pytest.raises(ValueError, match="has no noise layer with a shift"):
        nnx_layers.fold_shifts(nnx.Linear(2, 3, rngs=nnx.Rngs(0)), X)
    with pytest.raises(ValueError, match="conv needs a bias for each position"):
        net = NNXNet(padding="SAME")
        net.hidden = nnx.Linear(64, 5, rngs=nnx.Rngs(0))
        nnx_layers.fold_shifts(net, X)

"""Small networks with noise, for the tests of `control_noise` and `functional`."""

import jax
import numpy as np
import optax
from flax import linen as nn
from flax import nnx

from noisejax import layers
from noisejax.layers import nnx as nnx_layers

X = np.asarray(jax.random.normal(jax.random.key(9), (4, 6)))


def key(seed=0):
    return jax.random.key(seed)


class Block(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        x = nn.Dropout(0.5)(x, deterministic=not train)
        return layers.RandomDropout(0.5)(x, not train)


class Net(nn.Module):
    """A model with dropout of Flax and noisejax, nested and lifted, and batch norm."""

    @nn.compact
    def __call__(self, x, train=True):
        x = Block()(nn.Dense(6)(x), train)
        x = nn.BatchNorm(use_running_average=not train)(x)
        x = nn.remat(Block, static_argnums=(2,))(name="second")(x, train)
        return nn.Dropout(0.5, deterministic=False, name="last")(x)


def run(variables, **kwargs):
    """Apply `Net`."""
    kwargs = {"train": False, "rngs": {"dropout": key(2)}} | kwargs
    return Net().apply(variables, X, **kwargs)


class Annealed(nn.Module):
    @nn.compact
    def __call__(self, x):
        schedule = optax.linear_schedule(0.5, 0.0, 10)
        return layers.Dropout(schedule, deterministic=False)(x)


class NnxNet(nnx.Module):
    def __init__(self, dropout=nnx_layers.Dropout):
        rngs = nnx.Rngs(0)
        self.linear = nnx.Linear(6, 8, rngs=rngs)
        self.first = dropout(0.3, rngs=rngs)
        self.blocks = nnx.List(dropout(0.5, rngs=rngs) for _ in range(2))

    def __call__(self, x):
        x = self.first(self.linear(x))
        for block in self.blocks:
            x = block(x)
        return x

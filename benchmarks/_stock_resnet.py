"""Wide residual networks in plain Flax and in torch, with their own dropout.

The modules have the same names as those of noisejax's network, so that parameters can
be copied and outputs compared.
"""

from typing import Any

import jax
import numpy as np
from flax import linen as nn
from jax import numpy as jnp

from benchmarks._torch import to_numpy


def plan(depth: int, width: int) -> list[tuple[int, int]]:
    """Return feature maps and stride of each block."""
    blocks = (depth - 4) // 6
    return [
        (16 * width * 2**group, 2 if group and not i else 1)
        for group in range(3)
        for i in range(blocks)
    ]


class FlaxResNet(nn.Module):
    """Linen network with `nn.Dropout` between the convolutions of a block."""

    depth: int
    width: int
    rate: float

    @nn.compact
    def __call__(self, x, *, train):
        def norm(x, name):
            average = not train
            x = nn.BatchNorm(average, momentum=0.9, epsilon=1e-5, name=name)(x)
            return nn.relu(x)

        def conv(x, features, side, stride, name):
            return nn.Conv(
                features,
                (side, side),
                stride,
                padding=side // 2,
                use_bias=False,
                name=name,
            )(x)

        x = conv(x, 16, 3, 1, "stem")
        for i, (features, stride) in enumerate(plan(self.depth, self.width)):
            y = norm(x, f"norm_{i}_0")
            if x.shape[-1] != features or stride != 1:
                x = conv(y, features, 1, stride, f"shortcut_{i}")
            y = norm(conv(y, features, 3, stride, f"conv_{i}_0"), f"norm_{i}_1")
            y = nn.Dropout(self.rate, deterministic=not train)(y)
            x = x + conv(y, features, 3, 1, f"conv_{i}_1")
        x = jnp.mean(norm(x, "norm_output"), axis=(1, 2))
        return nn.Dense(10, name="dense_output")(x), {}


def torch_resnet(torch: Any, depth: int, width: int, rate: float) -> Any:
    """Return the network in torch. It takes images [B, C, H, W]."""
    nn, f = torch.nn, torch.nn.functional

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(3, 16, 3, padding=1, bias=False)
            channels = 16
            for i, (features, stride) in enumerate(plan(depth, width)):
                norm, conv = nn.BatchNorm2d, nn.Conv2d
                layer = {"padding": 1, "bias": False}
                self.add_module(f"norm_{i}_0", norm(channels))
                self.add_module(
                    f"conv_{i}_0", conv(channels, features, 3, stride, **layer)
                )
                self.add_module(f"norm_{i}_1", norm(features))
                self.add_module(f"conv_{i}_1", conv(features, features, 3, **layer))
                if channels != features or stride != 1:
                    shortcut = conv(channels, features, 1, stride, bias=False)
                    self.add_module(f"shortcut_{i}", shortcut)
                channels = features
            self.norm_output = nn.BatchNorm2d(channels)
            self.dense_output = nn.Linear(channels, 10)

        def forward(self, x):
            part = self.get_submodule
            x = self.stem(x)
            for i in range(len(plan(depth, width))):
                y = f.relu(part(f"norm_{i}_0")(x))
                if hasattr(self, f"shortcut_{i}"):
                    x = part(f"shortcut_{i}")(y)
                y = f.relu(part(f"norm_{i}_1")(part(f"conv_{i}_0")(y)))
                y = f.dropout(y, rate, self.training)
                x = x + part(f"conv_{i}_1")(y)
            return self.dense_output(f.relu(self.norm_output(x)).mean((2, 3)))

    return Network()


NAMES = {"kernel": "weight", "scale": "weight", "bias": "bias"}
"""Flax's names of parameters, and torch's."""


def hand_over(torch: Any, network: Any, params: dict[str, Any]) -> None:
    """Copy Flax's parameters into torch's network."""
    state = network.state_dict()
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        layer, kind = (part.key for part in path)
        values = np.asarray(leaf)
        if kind == "kernel":
            values = values.transpose((3, 2, 0, 1) if values.ndim == 4 else (1, 0))
        state[f"{layer}.{NAMES[kind]}"] = torch.tensor(values.copy())
    network.load_state_dict(state)


def gradients_of(network: Any, params: dict[str, Any]) -> dict[str, Any]:
    """Return the gradients of torch's network as a tree like Flax's parameters."""

    def gradient(path, leaf):
        layer, kind = (part.key for part in path)
        parameter = getattr(network.get_submodule(layer), NAMES[kind])
        values = to_numpy(parameter.grad)
        if kind == "kernel":
            values = values.transpose((2, 3, 1, 0) if values.ndim == 4 else (1, 0))
        assert values.shape == leaf.shape, f"{layer} {kind}"
        return values

    return jax.tree_util.tree_map_with_path(gradient, params)

"""Gradient information of the weights (Hahn and Choi 2018, eq. 5)."""

from typing import Any

import jax

from noisejax import diagnostics, figures, noise
from noisejax.evaluators import _measurement as shared
from noisejax.evaluators._measurement import Amounts, Drawing, Found, Networks
from noisejax.evaluators._trained_model import TrainedModel

CHUNK = 32
"""Largest number of gradients of single examples held at the same time."""


def measure(key: noise.Key, model: TrainedModel, amounts: Amounts) -> Found:
    """Measure mean |∂E/∂W| over training examples, with and without noise (eq. 5)."""
    n = min(amounts.gradients, len(model.train.x))
    x, y = model.inputs(model.train.x[:n]), model.train.y[:n]
    size = min(amounts.chunk, CHUNK)
    weights, notes = {"without noise": information(model, (x, y), size)}, []
    if not model.is_noisy:
        notes.append("with noise: the network makes none")
    elif model.normalised:
        notes.append("with noise: an example alone has no batch statistics")
    else:
        batch = (x, y, jax.random.split(key, n))
        weights["with noise"] = information(model, batch, size)
    return {"n": n, "weights": weights, "notes": notes}


def information(
    model: TrainedModel, batch: tuple[Any, ...], size: int
) -> dict[str, float]:
    """Return mean |∂E/∂W| of every kernel, under its layer's name if it has one.

    Args:
      model: network.
      batch: inputs and targets; with a key per example under noise.
      size: number of examples at the same time.
    """

    def loss(params, x, y, keys=(None,)):
        outputs, _ = model.apply({**model.variables, "params": params}, keys[0], x)
        return -model.log_probs(outputs, x, y)

    measured = jax.jit(
        lambda params, *batch: diagnostics.gradient_information(
            loss, params, *batch, chunk_size=size
        )
    )(model.variables["params"], *batch)
    names = {layer.kernel: layer.name for layer in model.layers if layer.kernel}
    values = {}
    for path, value in jax.tree.leaves_with_path(measured):
        keys = tuple(str(getattr(part, "key", part)) for part in path)
        if keys[-1:] == ("kernel",):
            values[names.get(keys, "/".join(keys[:-1]))] = float(value)
    order = [name for name in names.values() if name in values]
    return {name: values[name] for name in [*order, *(values.keys() - set(order))]}


def draw(networks: Networks) -> list[Drawing]:
    """Draw the means per layer, with and without noise, for each network."""
    drawings = []
    for found in networks.values():
        layers = {label: shared.titled(v) for label, v in found["weights"].items()}
        if all(layers.values()):
            panels = {f"Gradient information\n(n = {found['n']:,} examples)": layers}
            look = {"ylabel": "Mean |∂E/∂W|", "scale": "log"}
            drawings.append(shared.drawing(figures.bars, panels, **look))
    return drawings

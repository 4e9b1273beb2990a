"""Saturation of pre-activations (Hahn and Choi 2018, figures 3 and 6)."""

import functools
import operator

import jax
import numpy as np

from noisejax import diagnostics, figures, noise
from noisejax.evaluators import _measurement as shared
from noisejax.evaluators._measurement import Amounts, Drawing, Found, Networks
from noisejax.evaluators._trained_model import Layer, NotMeasuredError, TrainedModel


def measure(key: noise.Key, model: TrainedModel, amounts: Amounts) -> Found:
    """Measure noise-free pre-activations and the share that is saturated."""
    del key
    layers = activated_layers(model)

    @jax.jit
    def of_chunk(variables, x):
        _, activations = model.clean(variables, x)
        nets = [activations[layer.net] for layer in layers]
        shares = [diagnostics.saturation(net, model.activation) for net in nets]
        return [diagnostics.net_histogram(net) for net in nets], shares

    parts = list(model.chunks(limit=amounts.examples, size=amounts.chunk))
    by_part = [of_chunk(model.variables, x) for x in parts]
    measured = {}
    for i, layer in enumerate(layers):
        total = functools.reduce(operator.add, (part[0][i] for part in by_part))
        saturation = float(np.mean([part[1][i] for part in by_part]))
        measured[layer.name] = shared.plain(total) | {"saturation": saturation}
    return {"n": sum(map(len, parts)), "layers": measured}


def activated_layers(model: TrainedModel) -> list[Layer]:
    """Return the layers whose activation acts on single pre-activations.

    Raises:
      NotMeasuredError: the network has no such layer.
    """
    layers = [layer for layer in model.layers if layer.activated]
    if layers:
        return layers
    if model.activation is None:
        raise NotMeasuredError("the activation is not known")
    raise NotMeasuredError("the network is of maxout units, which do not saturate")


def draw(networks: Networks) -> list[Drawing]:
    """Draw the distributions, a panel per layer."""
    layers = {
        label: shared.titled(found["layers"]) for label, found in networks.items()
    }
    panels = max(map(len, layers.values()))
    return [shared.drawing(figures.net_values, layers, panels=panels)]

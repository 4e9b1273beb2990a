"""Measurements of pre-activations: variance, saturation and slopes under noise."""

import functools
import operator

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

from noisejax import diagnostics, figures, noise
from noisejax.evaluators import _measurement as shared
from noisejax.evaluators._measurement import Drawing, Networks, SampleSizes, Values
from noisejax.evaluators._trained_model import Layer, NotMeasuredError, TrainedModel

FLAT = 0.1
"""Slope below which a unit counts as saturated (our choice)."""


def measure_variance(key: noise.Key, model: TrainedModel, sizes: SampleSizes) -> Values:
    """Measure the variance of pre-activations under noise (Hahn and Choi 2018, eq. 6).

    The variance of a layer has two parts: one from the noise on its input (eq. 6), and
    one that the layers below pass on.
    """
    shared.require_noise(model)

    def nets(variables, key, x):
        _, activations = model.apply(variables, key, x)
        return {x.name: moments(variables, x, activations) for x in model.layers}

    def moments(variables, layer, activations):
        net = activations[layer.net]
        if not layer.linear:  # the parts of the variance are not known
            return net
        x = model.shifted(variables, layer, activations[layer.source])
        kernel = model.weights(variables, layer)
        return diagnostics.net_moments(
            net, x, kernel, layer.scheme, product=layer.product
        )

    @jax.jit
    def means(key, variables, x):
        variances = diagnostics.net_variance(
            key, nets, variables, x, num_draws=sizes.num_draws
        )
        return jax.tree.map(jnp.mean, variances)

    parts = list(model.chunks(limit=sizes.examples, size=sizes.chunk))
    keys = [key] if len(parts) == 1 else jax.random.split(key, len(parts))
    by_part = [means(k, model.variables, x) for k, x in zip(keys, parts, strict=True)]
    average = jax.tree.map(lambda *leaves: float(np.mean(leaves)), *by_part)
    return {
        "n": sum(map(len, parts)),
        "num_draws": sizes.num_draws,
        "layers": {name: dict(variance) for name, variance in average.items()},
    }


def draw_variance(networks: Networks) -> list[Drawing]:
    """Draw the measured variance next to its two parts, for each network."""
    return [
        shared.drawing(
            figures.net_variance,
            shared.titled(found["layers"]),
            num_draws=found["num_draws"],
            num_examples=found["n"],
        )
        for found in networks.values()
    ]


def measure_values(key: noise.Key, model: TrainedModel, sizes: SampleSizes) -> Values:
    """Measure noise-free pre-activations and their saturation (Hahn, figures 3, 6)."""
    layers = activated_layers(model)

    @jax.jit
    def of_chunk(variables, x):
        _, activations = model.clean(variables, x)
        nets = [activations[layer.net] for layer in layers]
        shares = [diagnostics.saturation(net, model.activation) for net in nets]
        return [diagnostics.net_histogram(net) for net in nets], shares

    parts = list(model.chunks(limit=sizes.examples, size=sizes.chunk))
    by_part = [of_chunk(model.variables, x) for x in parts]
    measured = {}
    for i, layer in enumerate(layers):
        total = functools.reduce(operator.add, (part[0][i] for part in by_part))
        saturation = float(np.mean([part[1][i] for part in by_part]))
        measured[layer.name] = shared.plain(total) | {"saturation": saturation}
    return {"n": sum(map(len, parts)), "layers": measured}


def activated_layers(model: TrainedModel) -> list[Layer]:
    """Return the layers whose activation function acts on each pre-activation alone.

    Raises:
      NotMeasuredError: the network has no such layer.
    """
    layers = [layer for layer in model.layers if layer.activated]
    if layers:
        return layers
    if model.activation is None:
        raise NotMeasuredError("the activation is not known")
    raise NotMeasuredError("the network has maxout units, which do not saturate")


def draw_values(networks: Networks) -> list[Drawing]:
    """Draw the distributions, one panel per layer."""
    layers = {
        label: shared.titled(found["layers"]) for label, found in networks.items()
    }
    panels = max(map(len, layers.values()))
    return [shared.drawing(figures.net_values, layers, panels=panels)]


def measure_slopes(key: noise.Key, model: TrainedModel, sizes: SampleSizes) -> Values:
    """Measure φ'(z) and the mean of φ'(z + noise) (Hahn and Choi 2018, figure 2).

    The gain of a layer is the ratio of both means over its saturated units, for which
    |φ'(z)| < 0.1.
    """
    shared.require_noise(model)
    layers = activated_layers(model)

    def nets(variables, key, x):
        _, activations = model.apply(variables, key, x)
        return {layer.name: activations[layer.net] for layer in layers}

    def gain(clean, noisy):
        before = diagnostics.activation_slope(clean, model.activation)
        after = diagnostics.activation_slope(noisy, model.activation).mean(0)
        flat = jnp.abs(before) < FLAT
        return jnp.sum(after, where=flat) / jnp.sum(before, where=flat)

    @jax.jit
    def compare(keys, variables, x):
        clean = nets(variables, None, x)
        noisy = lax.map(jax.checkpoint(lambda key: nets(variables, key, x)), keys)
        return {
            name: dict(
                diagnostics.slope_under_noise(z, noisy[name], model.activation),
                gain=gain(z, noisy[name]),
            )
            for name, z in clean.items()
        }

    x = next(model.chunks(limit=sizes.chunk, size=sizes.chunk))
    keys = jax.random.split(key, sizes.num_draws)
    layers_found = shared.plain(compare(keys, model.variables, x))
    return {"n": len(x), "num_draws": sizes.num_draws, "layers": layers_found}


def draw_slopes(networks: Networks) -> list[Drawing]:
    """Draw one panel per network and layer."""
    drawings = []
    for label, found in networks.items():
        for name, s in shared.titled(found["layers"]).items():
            title = name if len(networks) == 1 else f"{label}: {name.lower()}"
            n = f"n = {int(np.sum(s['counts'])):,}, {found['num_draws']} draws"
            clean, noisy = (np.array(s[k], np.float64) for k in ("clean", "noisy"))
            curves = (figures.slopes, s["centers"], clean, noisy)
            title = f"Slope of the activation: {title}\n({n})"
            drawings.append(shared.drawing(*curves, counts=s["counts"], title=title))
    return drawings

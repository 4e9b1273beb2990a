"""Measurements of activations and net values."""

import functools
from typing import Any

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

from noisejax import diagnostics, noise
from noisejax.measuring._amounts import Amounts, chunks, rows_of_units
from noisejax.measuring._network import Layer, Network, NotMeasuredError

Measured = dict[str, Any]


def measure_net_variance(
    key: noise.Key, network: Network, amounts: Amounts
) -> Measured:
    """Net variance with its parts, per layer (Hahn and Choi 2018, eq. 6, table 3)."""
    if not network.is_noisy:
        raise NotMeasuredError("the network makes no noise")

    def nets(variables, key, x):
        _, activations = network.noisy(variables, key, x)
        return {
            layer.name: _as_moments(network, variables, layer, activations)
            for layer in network.layers
        }

    @jax.jit
    def means(key, variables, x):
        found = diagnostics.net_variance(
            key, nets, variables, x, num_draws=amounts.num_draws
        )
        return jax.tree.map(jnp.mean, found)

    run = network.run
    parts = list(chunks(run.test.x, limit=amounts.examples, size=amounts.chunk))
    keys = jax.random.split(key, len(parts))
    found = [
        means(k, run.variables, run.inputs(x)) for k, x in zip(keys, parts, strict=True)
    ]
    average = jax.tree.map(lambda *leaves: float(np.mean(leaves)), *found)
    return {
        "n": sum(map(len, parts)),
        "num_draws": amounts.num_draws,
        "layers": {
            name: {
                "measured": v.measured,
                "conditional": v.conditional,
                "passed_on": v.passed_on,
            }
            for name, v in average.items()
        },
    }


def _as_moments(network: Network, variables, layer: Layer, activations) -> Any:
    """The parts too, where the law of the layer's own noise is known."""
    net = activations[layer.net]
    if not layer.linear:
        return net
    return diagnostics.net_moments(
        net,
        network.shifted(variables, layer, activations[layer.source]),
        network.weights(variables, layer),
        layer.scheme,
        product=layer.product,
    )


def measure_correlations(
    key: noise.Key, network: Network, amounts: Amounts
) -> Measured:
    """Correlations of units, noise-free, over test examples (Hahn, fig. 1, table 1)."""
    del key
    collect = _collector(network, network.hidden.values())
    rows: dict[str, list[np.ndarray]] = {name: [] for name in network.hidden.values()}
    limit = amounts.examples if network.convolutional else amounts.rows
    parts = list(chunks(network.run.test.x, limit=limit, size=amounts.chunk))
    for x in parts:
        for name, a in collect(network.run.variables, network.run.inputs(x)).items():
            rows[name].append(rows_of_units(np.asarray(a), amounts.rows // len(parts)))
    layers = {}
    for name, key_ in network.hidden.items():
        counts = diagnostics.correlation_counts(jnp.concatenate(rows.pop(key_)))
        layers[name] = {k: _plain(v) for k, v in dict(counts).items()}
    return {"n": sum(map(len, parts)), "layers": layers}


def measure_net_values(key: noise.Key, network: Network, amounts: Amounts) -> Measured:
    """Net values, noise-free, and the share saturated (Hahn and Choi, figs. 3, 6)."""
    del key
    activated = _activated(network)

    @jax.jit
    def of_chunk(variables, x):
        _, activations = network.clean(variables, x)
        return {
            layer.name: (
                diagnostics.net_histogram(activations[layer.net]),
                diagnostics.saturation(
                    activations[layer.net], network.run.model.activation
                ),
            )
            for layer in activated
        }

    run = network.run
    parts = list(chunks(run.test.x, limit=amounts.examples, size=amounts.chunk))
    found = [of_chunk(run.variables, run.inputs(x)) for x in parts]
    layers = {}
    for layer in activated:
        histograms, shares = zip(*(f[layer.name] for f in found), strict=True)
        total = functools.reduce(lambda a, b: a + b, histograms)
        layers[layer.name] = {k: _plain(v) for k, v in dict(total).items()} | {
            "saturation": float(np.mean(shares))
        }
    return {"n": sum(map(len, parts)), "layers": layers}


def measure_slopes(key: noise.Key, network: Network, amounts: Amounts) -> Measured:
    """Slopes of the activation with and without noise (Hahn and Choi 2018, fig. 2)."""
    if not network.is_noisy:
        raise NotMeasuredError("the network makes no noise")
    activated = _activated(network)
    names = [layer.net for layer in activated]

    @jax.jit
    def compare(keys, variables, x):
        def draw(key):
            _, activations = network.noisy(variables, key, x)
            return {name: activations[name] for name in names}

        _, clean = network.clean(variables, x)
        noisy = lax.map(jax.checkpoint(draw), keys)
        return {
            layer.name: diagnostics.slope_under_noise(
                clean[layer.net], noisy[layer.net], network.run.model.activation
            )
            for layer in activated
        }

    run = network.run
    x = next(chunks(run.test.x, limit=amounts.chunk, size=amounts.chunk))
    keys = jax.random.split(key, amounts.num_draws)
    found = compare(keys, run.variables, run.inputs(x))
    return {
        "n": len(x),
        "num_draws": amounts.num_draws,
        "layers": {
            name: {k: _plain(v) for k, v in dict(slopes).items()}
            for name, slopes in found.items()
        },
    }


def _activated(network: Network) -> list[Layer]:
    layers = [layer for layer in network.layers if layer.activated]
    if not layers:
        raise NotMeasuredError("the network is of maxout units, which do not saturate")
    return layers


def _collector(network: Network, names: Any) -> Any:
    """A compiled pass without noise that gives some activations."""
    names = tuple(names)

    @jax.jit
    def collect(variables, x):
        _, activations = network.clean(variables, x)
        return {name: activations[name] for name in names}

    return collect


def _plain(value: Any) -> Any:
    """An array as a number or as lists, with the digits that float32 has."""
    value = np.asarray(value)
    if value.dtype == np.float32:
        value = value.astype(str).astype(np.float64)
    return value.tolist()

"""Variance of pre-activations under noise (Hahn and Choi 2018, eq. 6 and table 3)."""

import jax
import numpy as np
from jax import numpy as jnp

from noisejax import diagnostics, figures, noise
from noisejax.evaluators import _measurement as shared
from noisejax.evaluators._measurement import Amounts, Drawing, Found, Networks
from noisejax.evaluators._trained_model import NotMeasuredError, TrainedModel


def measure(key: noise.Key, model: TrainedModel, amounts: Amounts) -> Found:
    """Measure Var[z] per layer: from its input's noise (eq. 6), and from below."""
    if not model.is_noisy:
        raise NotMeasuredError("the network makes no noise")

    def nets(variables, key, x):
        _, activations = model.apply(variables, key, x)
        return {x.name: moments(variables, x, activations) for x in model.layers}

    def moments(variables, layer, activations):
        net = activations[layer.net]
        if not layer.linear:  # its parts are not known
            return net
        x = model.shifted(variables, layer, activations[layer.source])
        kernel = model.weights(variables, layer)
        return diagnostics.net_moments(
            net, x, kernel, layer.scheme, product=layer.product
        )

    @jax.jit
    def means(key, variables, x):
        variances = diagnostics.net_variance(
            key, nets, variables, x, num_draws=amounts.num_draws
        )
        return jax.tree.map(jnp.mean, variances)

    parts = list(model.chunks(limit=amounts.examples, size=amounts.chunk))
    keys = [key] if len(parts) == 1 else jax.random.split(key, len(parts))
    by_part = [means(k, model.variables, x) for k, x in zip(keys, parts, strict=True)]
    average = jax.tree.map(lambda *leaves: float(np.mean(leaves)), *by_part)
    return {
        "n": sum(map(len, parts)),
        "num_draws": amounts.num_draws,
        "layers": {name: dict(variance) for name, variance in average.items()},
    }


def draw(networks: Networks) -> list[Drawing]:
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

"""Slopes of the activation with and without noise (Hahn and Choi 2018, figure 2)."""

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

from noisejax import diagnostics, figures, noise
from noisejax.evaluators import _measurement as shared
from noisejax.evaluators._measurement import Amounts, Drawing, Found, Networks
from noisejax.evaluators._net_values import activated_layers
from noisejax.evaluators._trained_model import NotMeasuredError, TrainedModel

FLAT = 0.1
"""Slopes below this count as saturated (our choice)."""


def measure(key: noise.Key, model: TrainedModel, amounts: Amounts) -> Found:
    """Measure φ'(z) and the mean of φ'(z + noise) on test examples.

    The gain of a layer is the ratio of their means over saturated units, |φ'(z)| < 0.1.
    """
    if not model.is_noisy:
        raise NotMeasuredError("the network makes no noise")
    layers = activated_layers(model)

    def nets(variables, key, x):
        _, activations = model.apply(variables, key, x)
        return {layer.name: activations[layer.net] for layer in layers}

    @jax.jit
    def compare(keys, variables, x):
        clean = nets(variables, None, x)
        noisy = lax.map(jax.checkpoint(lambda key: nets(variables, key, x)), keys)
        return {
            name: dict(
                diagnostics.slope_under_noise(z, noisy[name], model.activation),
                gain=_gain(z, noisy[name], model.activation),
            )
            for name, z in clean.items()
        }

    x = next(model.chunks(limit=amounts.chunk, size=amounts.chunk))
    keys = jax.random.split(key, amounts.num_draws)
    layers_found = shared.plain(compare(keys, model.variables, x))
    return {"n": len(x), "num_draws": amounts.num_draws, "layers": layers_found}


def _gain(clean, noisy, phi):
    """Mean slope under noise over the mean slope without, among saturated units."""
    before = diagnostics.activation_slope(clean, phi)
    after = diagnostics.activation_slope(noisy, phi).mean(0)
    flat = jnp.abs(before) < FLAT
    return jnp.sum(after, where=flat) / jnp.sum(before, where=flat)


def draw(networks: Networks) -> list[Drawing]:
    """Draw a panel per network and layer."""
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

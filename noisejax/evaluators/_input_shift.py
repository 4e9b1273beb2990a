"""Variance that noise adds if its input is shifted (Ba et al. 2014, eqs. 5 to 7)."""

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

from noisejax import diagnostics, figures, noise
from noisejax.evaluators import _measurement as shared
from noisejax.evaluators._measurement import Amounts, Drawing, Found, Networks
from noisejax.evaluators._trained_model import NotMeasuredError, TrainedModel

SHIFTS = np.linspace(-1.0, 1.0, 41, dtype=np.float32)
"""Shifts of the input, in its units."""


def measure(key: noise.Key, model: TrainedModel, amounts: Amounts) -> Found:
    """Measure the variance of the first noisy layer against a shift of its input."""
    del key
    layer = next((layer for layer in model.layers if layer.scheme is not None), None)
    if layer is None:
        raise NotMeasuredError("no layer has noise on its input")
    if not layer.linear:
        raise NotMeasuredError("the first noisy layer normalises its pre-activations")
    if diagnostics.noise_moments(layer.scheme).additive:
        raise NotMeasuredError("noise that is added does not depend on the input")

    @jax.jit
    def variances(variables, x):
        _, activations = model.clean(variables, x)
        a = model.shifted(variables, layer, activations[layer.source])
        kernel = model.weights(variables, layer)
        options = {"scheme": layer.scheme, "product": layer.product}

        def after(phi):
            effect = diagnostics.input_shift_effect(a, kernel, phi, **options)
            return before - effect.mean()

        before = diagnostics.conditional_net_variance(a, kernel, **options).mean()
        centred = a - a.mean(axis=0, keepdims=True)
        best = diagnostics.conditional_net_variance(centred, kernel, **options)
        return {"variance": lax.map(after, jnp.asarray(SHIFTS)), "best": best.mean()}

    x = next(model.chunks(limit=amounts.chunk, size=amounts.chunk))
    found = shared.plain(variances(model.variables, x))
    return {"n": len(x), "layer": layer.name, "phi": SHIFTS.tolist(), **found}


def draw(networks: Networks) -> list[Drawing]:
    """Draw the variance against the shift, for each network."""
    return [
        shared.drawing(
            figures.input_shift,
            *(found["phi"], found["variance"]),
            best=found["best"],
            ylabel=f"Variance, {shared.layer_title(found['layer']).lower()}",
        )
        for found in networks.values()
    ]

"""Measurements of shifts of the input to noise (Ba et al. 2014)."""

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

from noisejax import diagnostics, figures, noise
from noisejax.evaluators import _measurement as shared
from noisejax.evaluators._measurement import Drawing, Networks, SampleSizes, Values
from noisejax.evaluators._trained_model import NotMeasuredError, TrainedModel

SHIFTS = np.linspace(-1.0, 1.0, 41, dtype=np.float32)
"""Shifts of the input for which the variance is computed, in units of the input."""


def measure_learned(key: noise.Key, model: TrainedModel, sizes: SampleSizes) -> Values:
    """Compare learned shifts with mean activities (Ba et al. 2014, figures 1 and 2).

    The mean activities are those of training examples.
    """
    layers = [x for x in model.layers if x.noise_layer and model.shift(x) is not None]
    if not layers:
        raise NotMeasuredError("the network learned no shifts (noise.shift)")

    @jax.jit
    def means(variables, x):
        _, activations = model.clean(variables, x)
        return {layer.site: activations[layer.source].mean(axis=0) for layer in layers}

    parts = list(model.chunks(limit=sizes.examples, size=sizes.chunk, of="train"))
    by_part = [means(model.variables, x) for x in parts]
    mean = jax.tree.map(lambda *leaves: sum(leaves) / len(leaves), *by_part)
    measured = {
        layer.site: shared.plain(
            diagnostics.shift_against_activity(
                mean[layer.site][None], model.shift(layer)
            )
        )
        for layer in layers
    }
    shape = list(np.shape(model.train.x)[1:])
    return {"n": sum(map(len, parts)), "shape": shape, "layers": measured}


def draw_learned(networks: Networks) -> list[Drawing]:
    """Draw shifts against activities, and the mean input and its shifts as images."""
    drawings = []
    for label, found in networks.items():
        prefix = "" if len(networks) == 1 else f"{label}: "
        layers = {
            f"{prefix}{name}": (np.ravel(s["mean_activity"]), np.ravel(s["shift"]))
            for name, s in shared.titled(found["layers"]).items()
        }
        panels = (figures.shifts_against_activity, layers)
        drawings.append(shared.drawing(*panels, panels=len(layers)))
        height, width = (*found.get("shape", ()), 0, 0)[:2]
        pixels = layers.get(f"{prefix}Input", ())
        if pixels and pixels[0].size == height * width:
            images = [values.reshape(height, width) for values in pixels]
            drawings.append(shared.drawing(figures.shift_images, *images))
    return drawings


def measure_effect(key: noise.Key, model: TrainedModel, sizes: SampleSizes) -> Values:
    """Measure how a shift of the input changes the noise variance (Ba, eqs. 5 to 7).

    The variance is that of the pre-activations of the first noisy layer. The shift is
    the same for all inputs.
    """
    layer = next((layer for layer in model.layers if layer.scheme is not None), None)
    if layer is None:
        raise NotMeasuredError("no layer has noise on its input")
    if not layer.linear:
        raise NotMeasuredError("the first noisy layer normalises its pre-activations")
    if diagnostics.noise_moments(layer.scheme).additive:
        raise NotMeasuredError("additive noise does not depend on the input")

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

    x = next(model.chunks(limit=sizes.chunk, size=sizes.chunk))
    found = shared.plain(variances(model.variables, x))
    return {"n": len(x), "layer": layer.name, "phi": SHIFTS.tolist(), **found}


def draw_effect(networks: Networks) -> list[Drawing]:
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

"""Learned shifts and mean activities (Ba et al. 2014, figures 1 and 2)."""

import jax
import numpy as np

from noisejax import diagnostics, figures, noise
from noisejax.evaluators import _measurement as shared
from noisejax.evaluators._measurement import Amounts, Drawing, Found, Networks
from noisejax.evaluators._trained_model import NotMeasuredError, TrainedModel


def measure(key: noise.Key, model: TrainedModel, amounts: Amounts) -> Found:
    """Measure learned shifts and the mean activities of training examples."""
    del key
    layers = [x for x in model.layers if x.noise_layer and model.shift(x) is not None]
    if not layers:
        raise NotMeasuredError("the network learned no shifts (noise.shift)")

    @jax.jit
    def means(variables, x):
        _, activations = model.clean(variables, x)
        return {layer.site: activations[layer.source].mean(axis=0) for layer in layers}

    parts = model.chunks(limit=amounts.examples, size=amounts.chunk, of="train")
    parts = list(parts)
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


def draw(networks: Networks) -> list[Drawing]:
    """Draw shifts against activities, then the input's mean and shifts as images."""
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

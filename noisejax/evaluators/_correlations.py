"""Correlations between the units of a layer (Hahn and Choi 2018, figure 1, table 1)."""

import jax
import numpy as np
from jax import numpy as jnp

from noisejax import diagnostics, figures, noise
from noisejax.evaluators import _measurement as shared
from noisejax.evaluators._measurement import Amounts, Drawing, Found, Networks
from noisejax.evaluators._trained_model import TrainedModel


def measure(key: noise.Key, model: TrainedModel, amounts: Amounts) -> Found:
    """Counts correlated pairs of units, noise-free, over test examples."""
    del key

    @jax.jit
    def collect(variables, x):
        _, activations = model.clean(variables, x)
        return [activations[key] for key in model.hidden.values()]

    limit = amounts.examples if model.convolutional else amounts.rows
    parts = list(model.chunks(limit=limit, size=amounts.chunk))
    rows = amounts.rows // len(parts)
    by_part = [
        [_rows(np.asarray(a), rows) for a in collect(model.variables, x)] for x in parts
    ]
    layers = {}
    for name, units in zip(model.hidden, zip(*by_part, strict=True), strict=True):
        counts = diagnostics.correlation_counts(jnp.concatenate(units))
        layers[name] = shared.plain(counts)
    return {"n": sum(map(len, parts)), "layers": layers}


def _rows(a: np.ndarray, limit: int) -> np.ndarray:
    """Returns units or feature maps as columns, at most `limit` positions as rows."""
    a = a.reshape(-1, a.shape[-1])
    return a[:: max(1, -(-len(a) // limit))]


def draw(networks: Networks) -> list[Drawing]:
    """Draws the densities of r, and the numbers of strongly correlated pairs."""

    def each(field):
        return {
            label: {
                name: counts[field]
                for name, counts in shared.titled(found["layers"]).items()
                if counts["num_pairs"]
            }
            for label, found in networks.items()
        }

    histograms = each("histogram")
    panels = max(map(len, histograms.values()))
    if not panels:
        return []
    layers = next(iter(networks.values()))["layers"]
    thresholds = next(iter(layers.values()))["thresholds"]
    above = (figures.correlation_counts, each("above"), thresholds)
    return [
        shared.drawing(figures.correlations, histograms, panels=panels),
        shared.drawing(*above, panels=panels),
    ]

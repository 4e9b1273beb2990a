"""Correlations between the units of a layer (Hahn and Choi 2018, figure 1, table 1)."""

from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from noisejax import diagnostics, figures, noise
from noisejax.evaluators import _measurement as shared
from noisejax.evaluators._measurement import Amounts, Drawing, Found, Networks
from noisejax.evaluators._trained_model import TrainedModel


def measure(key: noise.Key, model: TrainedModel, amounts: Amounts) -> Found:
    """Count correlated pairs of units, noise-free, over test examples."""
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
    """Return units or feature maps as columns, at most `limit` positions as rows."""
    a = a.reshape(-1, a.shape[-1])
    return a[:: max(1, -(-len(a) // limit))]


def draw(networks: Networks) -> list[Drawing]:
    """Draw the densities of r, and the numbers of strongly correlated pairs."""
    histograms: dict[str, dict[str, Any]] = {label: {} for label in networks}
    above: dict[str, dict[str, Any]] = {}
    for label, found in networks.items():
        for name, counts in shared.titled(found["layers"]).items():
            if counts["num_pairs"]:
                histograms[label][name] = counts["histogram"]
                bounds = (f"{bound:g}" for bound in np.round(counts["thresholds"], 4))
                pairs = dict(zip(bounds, counts["above"], strict=True))
                title = f"Strongly correlated pairs:\n{name[0].lower()}{name[1:]}"
                above.setdefault(title, {})[label] = pairs
    if not above:
        return []
    look = {"xlabel": "|r| above", "ylabel": "Pairs of units", "scale": "symlog"}
    return [
        shared.drawing(figures.correlations, histograms, panels=len(above)),
        shared.drawing(figures.bars, above, panels=len(above), **look),
    ]

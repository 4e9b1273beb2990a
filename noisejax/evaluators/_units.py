"""Measurements of hidden units: correlations, dead units and dropped units."""

from typing import Any

import jax
import numpy as np
from absl import logging
from jax import numpy as jnp

from noisejax import diagnostics, figures, noise
from noisejax.evaluators import _measurement as shared
from noisejax.evaluators._measurement import Drawing, Networks, SampleSizes, Values
from noisejax.evaluators._trained_model import NotMeasuredError, TrainedModel

MANY = 1 / 3
"""Share of dead units above which a warning is logged."""

SCHEMES = {"Dropout": "Dropout", "RandomDropout": "Random dropout"}
"""Class of a noise scheme -> label in figures, which determines its colour."""


def measure_correlations(
    key: noise.Key, model: TrainedModel, sizes: SampleSizes
) -> Values:
    """Count correlated pairs of units (Hahn and Choi 2018, figure 1 and table 1).

    The activations are noise-free, on test examples.
    """

    @jax.jit
    def collect(variables, x):
        _, activations = model.clean(variables, x)
        return [activations[key] for key in model.hidden.values()]

    limit = sizes.examples if model.convolutional else sizes.rows
    parts = list(model.chunks(limit=limit, size=sizes.chunk))
    rows = sizes.rows // len(parts)
    by_part = [
        [_rows(np.asarray(a), rows) for a in collect(model.variables, x)] for x in parts
    ]
    layers = {}
    for name, units in zip(model.hidden, zip(*by_part, strict=True), strict=True):
        counts = diagnostics.correlation_counts(jnp.concatenate(units))
        layers[name] = shared.plain(counts)
    return {"n": sum(map(len, parts)), "layers": layers}


def _rows(a: np.ndarray, limit: int) -> np.ndarray:
    """Return a matrix with units as columns and at most `limit` positions as rows."""
    a = a.reshape(-1, a.shape[-1])
    return a[:: max(1, -(-len(a) // limit))]


def draw_correlations(networks: Networks) -> list[Drawing]:
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


def measure_dead(key: noise.Key, model: TrainedModel, sizes: SampleSizes) -> Values:
    """Measure the share of hidden units that are 0 on every test example."""

    @jax.jit
    def are_dead(variables, x):
        _, activations = model.clean(variables, x)
        hidden = [activations[name] for name in model.hidden.values()]
        return [(a == 0).all(tuple(range(a.ndim - 1))) for a in hidden]

    parts = list(model.chunks(limit=len(model.test.x), size=sizes.chunk))
    by_layer = zip(*(are_dead(model.variables, x) for x in parts), strict=True)
    shares = [float(np.all(part, axis=0).mean()) for part in by_layer]
    layers = dict(zip(model.hidden, shares, strict=True))
    for name, share in layers.items():
        if share > MANY:
            logging.warning(
                "%.0f %% of the units of %s are 0 on all %d test examples; lower the "
                "learning rate, warm it up, or centre the inputs",
                *(100 * share, name, len(model.test.x)),
            )
    return {"n": len(model.test.x), "layers": layers}


def draw_dead(networks: Networks) -> list[Drawing]:
    """Draw the share by layer if any network has a dead unit."""
    shares = {
        label: {name: 100 * v for name, v in shared.titled(found["layers"]).items()}
        for label, found in networks.items()
    }
    if not any(value for by_layer in shares.values() for value in by_layer.values()):
        return []
    n = max(found["n"] for found in networks.values())
    panels = {f"Units that are 0 on all {n:,} test examples": shares}
    return [shared.drawing(figures.bars, panels, ylabel="Dead units (%)")]


def measure_dropped(key: noise.Key, model: TrainedModel, sizes: SampleSizes) -> Values:
    """Count dropped units over draws (Bouthillier et al. 2015, figure 1).

    The counts are reported with their exact distribution.
    """
    masks = noise.Dropout | noise.RandomDropout
    layers = [x for x in model.layers if x.noise_layer and isinstance(x.scheme, masks)]
    if not layers:
        raise NotMeasuredError("no layer has dropout or random dropout on its input")
    x = model.inputs(model.test.x[:1])
    _, shapes = jax.eval_shape(model.clean, model.variables, x)
    measured = {}
    for layer, k in zip(layers, jax.random.split(key, len(layers)), strict=True):
        n, scheme = int(np.prod(shapes[layer.source].shape)), layer.scheme
        per_batch = isinstance(scheme, noise.RandomDropout) and scheme.batch_dims == 0
        chunk = 1 if per_batch else max(1, min(1000, sizes.shares // 10))
        counts = diagnostics.dropped_counts(
            k, n, scheme, num_draws=sizes.shares, chunk_size=chunk
        )
        measured[layer.site] = {
            "scheme": type(scheme).__name__,
            "rate": scheme.rate,
            "law": diagnostics.dropped_share_law(n, scheme).tolist(),
            "counts": shared.plain(counts),
        }
    return {"n": sizes.shares, "layers": measured}


def draw_dropped(networks: Networks) -> list[Drawing]:
    """Draw the exact distribution and the counts, one panel per noise site."""
    return [
        shared.drawing(
            figures.dropped_share,
            {SCHEMES[share["scheme"]]: np.array(share["law"])},
            counts={SCHEMES[share["scheme"]]: np.array(share["counts"])},
            title=f"{name}, rate {share['rate']:g}",
        )
        for found in networks.values()
        for name, share in shared.titled(found["layers"]).items()
    ]

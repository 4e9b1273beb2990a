"""Share of a layer's units that is dropped (Bouthillier et al. 2015, figure 1)."""

import jax
import numpy as np

from noisejax import diagnostics, figures, noise
from noisejax.evaluators import _measurement as shared
from noisejax.evaluators._measurement import Amounts, Drawing, Found, Networks
from noisejax.evaluators._trained_model import NotMeasuredError, TrainedModel

SCHEMES = {"Dropout": "Dropout", "RandomDropout": "Random dropout"}
"""Class -> words, which have the scheme's colour."""


def measure(key: noise.Key, model: TrainedModel, amounts: Amounts) -> Found:
    """Count dropped units over draws, and compute their exact distribution."""
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
        chunk = 1 if per_batch else max(1, min(1000, amounts.shares // 10))
        counts = diagnostics.dropped_counts(
            k, n, scheme, num_draws=amounts.shares, chunk_size=chunk
        )
        measured[layer.site] = {
            "scheme": type(scheme).__name__,
            "rate": scheme.rate,
            "law": diagnostics.dropped_share_law(n, scheme).tolist(),
            "counts": shared.plain(counts),
        }
    return {"n": amounts.shares, "layers": measured}


def draw(networks: Networks) -> list[Drawing]:
    """Draw law and count, a panel per site."""
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

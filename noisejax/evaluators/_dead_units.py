"""Dead units: hidden units that are 0 on all examples."""

import jax
import numpy as np
from absl import logging

from noisejax import figures, noise
from noisejax.evaluators import _measurement as shared
from noisejax.evaluators._measurement import Amounts, Drawing, Found, Networks
from noisejax.evaluators._trained_model import TrainedModel

MANY = 1 / 3
"""Share of dead units above which a warning is logged."""


def measure(key: noise.Key, model: TrainedModel, amounts: Amounts) -> Found:
    """Measure the share of hidden units that are 0 on every test example."""
    del key

    @jax.jit
    def are_dead(variables, x):
        _, activations = model.clean(variables, x)
        hidden = [activations[name] for name in model.hidden.values()]
        return [(a == 0).all(tuple(range(a.ndim - 1))) for a in hidden]

    parts = list(model.chunks(limit=len(model.test.x), size=amounts.chunk))
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


def draw(networks: Networks) -> list[Drawing]:
    """Draw the share by layer, unless no unit of any network is dead."""
    shares = {
        label: {name: 100 * v for name, v in shared.titled(found["layers"]).items()}
        for label, found in networks.items()
    }
    if not any(value for by_layer in shares.values() for value in by_layer.values()):
        return []
    counts = {found["n"] for found in networks.values()}
    title = f"Units that are 0 on all {max(counts):,} test examples"
    return [
        shared.drawing(
            figures.bars, {title: shares}, xlabel="", ylabel="Dead units (%)"
        )
    ]

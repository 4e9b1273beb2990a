"""Calibration of the noise-free and of the Monte-Carlo prediction."""

import jax
import numpy as np
from jax import numpy as jnp

from noisejax import diagnostics, figures, noise, objectives
from noisejax.evaluators import _measurement as shared
from noisejax.evaluators._measurement import Amounts, Drawing, Found, Networks
from noisejax.evaluators._trained_model import NotMeasuredError, TrainedModel

SAMPLES = 16
"""Noise samples of the Monte-Carlo prediction."""

NAMES = {"noise_free": "noise-free", "monte_carlo": f"Monte Carlo, S = {SAMPLES}"}
"""Prediction -> words in figures."""


def measure(key: noise.Key, model: TrainedModel, amounts: Amounts) -> Found:
    """Measure error and calibration of both predictions on the test examples."""
    if model.targets != "labels":
        raise NotMeasuredError("the network predicts no class")

    @jax.jit
    def predict(key, variables, x):
        clean = jax.nn.log_softmax(model.clean(variables, x)[0])
        if not model.is_noisy:
            return {"noise_free": clean}

        def noisy(key):
            return jax.nn.log_softmax(model.apply(variables, key, x)[0])

        samples = jax.lax.map(noisy, jax.random.split(key, SAMPLES))
        averaged = objectives.predictive(samples).log_probs
        return {"noise_free": clean, "monte_carlo": averaged}

    y, parts = jnp.asarray(model.test.y), []
    chunks = model.chunks(limit=len(y), size=amounts.chunk)
    for i, x in enumerate(chunks):
        parts.append(predict(jax.random.fold_in(key, i), model.variables, x))
    together = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)
    y = y[: len(together["noise_free"])]
    return {
        "n": len(y),
        "predictions": {
            name: shared.plain(diagnostics.calibration(log_probs, y))
            | {"error_percent": 100 * float((log_probs.argmax(-1) != y).mean())}
            for name, log_probs in together.items()
        },
    }


def draw(networks: Networks) -> list[Drawing]:
    """Draw a reliability diagram for each network."""
    drawings = []
    for found in networks.values():
        curves = {}
        for name, values in found["predictions"].items():
            seen = np.asarray(values["count"]) > 0
            label = f"{NAMES[name]} (ECE {100 * values['error']:.1f} %)"
            points = (values["confidence"], values["accuracy"])
            curves[label] = tuple(np.asarray(v)[seen] for v in points)
        look = {"num_examples": found["n"]}
        drawings.append(shared.drawing(figures.reliability, curves, **look))
    return drawings

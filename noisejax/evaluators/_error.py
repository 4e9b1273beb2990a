"""Error and loss of a trained network without noise."""

import math

import jax
import numpy as np
from jax import numpy as jnp

from noisejax import noise
from noisejax.evaluators._measurement import Amounts, Drawing, Found, Networks
from noisejax.evaluators._trained_model import TrainedModel

NAMES = {
    "labels": "error_percent",
    "inputs": "relative_squared_error_percent",
    "soft labels": "relative_divergence_percent",
}
"""Kind of the targets -> name of the error."""


def measure(key: noise.Key, model: TrainedModel, amounts: Amounts) -> Found:
    """Measure error and loss over all test examples."""
    del key

    @jax.jit
    def sums_of(variables, x, y):
        outputs, _ = model.clean(variables, x)
        log_probs = model.log_probs(outputs, x, y)
        if model.targets == "labels":
            errors = jnp.argmax(outputs, -1) != y
        elif model.targets == "inputs":
            target = x.reshape(outputs.shape)
            errors = ((outputs - target) ** 2).sum(-1) / (target**2).sum(-1)
        else:  # relative to the divergence of a uniform guess of a certain outcome
            entropy = -jax.scipy.special.xlogy(y, y).sum(axis=(1, 2))
            _, tissues, outcomes = outputs.shape
            errors = (-log_probs - entropy) / (tissues * math.log(outcomes))
        return errors.sum(), -log_probs.sum()

    x, y, n = model.test.x, model.test.y, len(model.test.x)
    parts = [slice(i, i + amounts.chunk) for i in range(0, n, amounts.chunk)]
    sums = [sums_of(model.variables, model.inputs(x[i]), y[i]) for i in parts]
    error, loss = np.sum(np.asarray(sums, np.float64), axis=0) / n
    return {"n": n, NAMES[model.targets]: 100 * float(error), "loss": float(loss)}


def draw(networks: Networks) -> list[Drawing]:
    """Draw nothing: the error is part of the page's title."""
    del networks
    return []

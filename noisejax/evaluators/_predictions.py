"""Measurements of predictions: error, calibration and the multi-sample bound."""

import math

import jax
import numpy as np
from jax import numpy as jnp

from noisejax import diagnostics, figures, noise, objectives
from noisejax.evaluators import _measurement as shared
from noisejax.evaluators._measurement import Drawing, Networks, SampleSizes, Values
from noisejax.evaluators._trained_model import NotMeasuredError, TrainedModel

ERRORS = {
    "labels": "error_percent",
    "real": "unexplained_variance_percent",
    "inputs": "relative_squared_error_percent",
    "soft labels": "relative_divergence_percent",
}
"""Kind of targets -> name of the error in reports."""

SAMPLES = 16
"""Number of noise samples of the Monte-Carlo prediction."""

PREDICTIONS = {"noise_free": "noise-free", "monte_carlo": f"Monte Carlo, S = {SAMPLES}"}
"""Name of a prediction in reports -> label in figures."""


def measure_error(key: noise.Key, model: TrainedModel, sizes: SampleSizes) -> Values:
    """Measure the noise-free error and loss over all test examples."""

    @jax.jit
    def sums_of(variables, x, y):
        outputs, _ = model.clean(variables, x)
        log_probs = model.log_probs(outputs, x, y)
        if model.targets == "labels":
            errors = jnp.argmax(outputs, -1) != y
        elif model.targets == "real":
            errors = jnp.square(outputs - y).mean(-1)
        elif model.targets == "inputs":
            target = x.reshape(outputs.shape)
            errors = ((outputs - target) ** 2).sum(-1) / (target**2).sum(-1)
        else:  # relative to the divergence of a uniform guess from a certain outcome
            entropy = -jax.scipy.special.xlogy(y, y).sum(axis=(1, 2))
            _, tissues, outcomes = outputs.shape
            errors = (-log_probs - entropy) / (tissues * math.log(outcomes))
        return errors.sum(), -log_probs.sum()

    x, y, n = model.test.x, model.test.y, len(model.test.x)
    parts = [slice(i, i + sizes.chunk) for i in range(0, n, sizes.chunk)]
    sums = [sums_of(model.variables, model.inputs(x[i]), y[i]) for i in parts]
    error, loss = np.sum(np.asarray(sums, np.float64), axis=0) / n
    return {"n": n, ERRORS[model.targets]: 100 * float(error), "loss": float(loss)}


def draw_error(networks: Networks) -> list[Drawing]:
    """Draw nothing, because the page's title contains the error."""
    return []


def measure_calibration(
    key: noise.Key, model: TrainedModel, sizes: SampleSizes
) -> Values:
    """Measure the test error and calibration of both predictions.

    The noise-free prediction is compared with the Monte-Carlo prediction, if the
    network is noisy.
    """
    if model.targets != "labels":
        raise NotMeasuredError("the network predicts no class")

    @jax.jit
    def predict(key, variables, x):
        predictions = {"noise_free": jax.nn.log_softmax(model.clean(variables, x)[0])}
        if model.is_noisy:
            samples = model.sample_outputs(jax.random.split(key, SAMPLES), variables, x)
            averaged = objectives.predictive(jax.nn.log_softmax(samples))
            predictions["monte_carlo"] = averaged.log_probs
        return predictions

    y, parts = jnp.asarray(model.test.y), []
    for i, x in enumerate(model.chunks(limit=len(y), size=sizes.chunk)):
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


def draw_calibration(networks: Networks) -> list[Drawing]:
    """Draw a reliability diagram for each network."""
    drawings = []
    for found in networks.values():
        curves = {}
        for name, values in found["predictions"].items():
            seen = np.asarray(values["count"]) > 0
            label = f"{PREDICTIONS[name]} (ECE {100 * values['error']:.1f} %)"
            points = (values["confidence"], values["accuracy"])
            curves[label] = tuple(np.asarray(v)[seen] for v in points)
        look = {"num_examples": found["n"]}
        drawings.append(shared.drawing(figures.reliability, curves, **look))
    return drawings


def measure_bound(key: noise.Key, model: TrainedModel, sizes: SampleSizes) -> Values:
    """Measure the bound L(S) and effective samples (Noh et al. 2017, eqs. 4 and 6).

    L(S) = E log (1/S) Σ_s p(y | x, ε_s)
    """
    shared.require_noise(model)
    x = model.inputs(model.test.x[: sizes.gradients])
    y = x if model.targets == "inputs" else model.test.y[: len(x)]
    # Under `jit`, `report_noise` gives no warnings. Those on dead units would be about
    # the logits, because `apply` returns no pre-activations here.
    report = jax.jit(
        lambda key, variables, x, y: diagnostics.report_noise(
            key,
            lambda variables, key, x: model.apply(variables, key, x)[0],
            *(variables, x, y),
            log_prob_fn=lambda outputs, y: model.log_probs(outputs, x, y),
            num_samples=sizes.num_samples,
            num_draws=2,
        )
    )(key, model.variables, x, y)
    effective = shared.plain(report.effective_samples)
    return {"n": len(x), **shared.plain(report.bound), "effective_samples": effective}


def draw_bound(networks: Networks) -> list[Drawing]:
    """Draw L(S) and the effective samples against S, for each network."""
    return [
        shared.drawing(
            figures.bound_curve,
            *(found["num_samples"], found["bound"]),
            standard_error=found["standard_error"],
            effective_samples=found["effective_samples"],
            num_examples=found["n"],
        )
        for found in networks.values()
    ]

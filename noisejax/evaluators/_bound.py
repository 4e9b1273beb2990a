"""Bound against the number of noise samples (Noh et al. 2017, eqs. 4 and 6)."""

import jax

from noisejax import diagnostics, figures, noise
from noisejax.evaluators import _measurement as shared
from noisejax.evaluators._measurement import Amounts, Drawing, Found, Networks
from noisejax.evaluators._trained_model import NotMeasuredError, TrainedModel


def measure(key: noise.Key, model: TrainedModel, amounts: Amounts) -> Found:
    """Measure L(S) = E log (1/S) Σ_s p(y | x, ε_s) (eq. 4) and effective samples."""
    if not model.is_noisy:
        raise NotMeasuredError("the network makes no noise")
    x = model.inputs(model.test.x[: amounts.gradients])
    y = x if model.targets == "inputs" else model.test.y[: len(x)]
    report = jax.jit(
        lambda key, variables, x, y: diagnostics.report_noise(
            key,
            lambda variables, key, x: model.apply(variables, key, x)[0],
            *(variables, x, y),
            log_prob_fn=lambda outputs, y: model.log_probs(outputs, x, y),
            num_samples=amounts.num_samples,
            num_draws=2,
        )
    )(key, model.variables, x, y)
    effective = shared.plain(report.effective_samples)
    return {"n": len(x), **shared.plain(report.bound), "effective_samples": effective}


def draw(networks: Networks) -> list[Drawing]:
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

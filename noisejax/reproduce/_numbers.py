"""Collects the numbers of a row and seed from the run's summary and measurements."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from absl import logging

from noisejax import data, evaluators, noise, training
from noisejax.reproduce import _measure, _projections, _sequences
from noisejax.reproduce._measure import Measured

KEY_SEED = 2**31 - 1
"""Seed of the keys for measurements, which training is unlikely to use."""

MEASUREMENTS: dict[str, Callable[[noise.Key, evaluators.TrainedModel], Measured]] = {
    "back_projected_samples": _projections.back_projected_samples,
    "units_shut_off": _projections.units_shut_off,
    "correlation_counts": _measure.correlation_counts,
    "gradient_information": _measure.gradient_information,
    "net_variances": _measure.net_variances,
    "slopes_under_noise": _measure.slopes_under_noise,
    "net_values": _measure.net_values,
    "shift_images": _measure.shift_images,
    "shift_against_activity": _measure.shift_against_activity,
    "learning_curves": _measure.learning_curves,
    "dead_units": _measure.dead_units,
    "two_streams": _measure.two_streams,
    "captions": _sequences.captions,
    "answers": _sequences.answers,
    "sharpness": _measure.sharpness,
    "noise_samples": _measure.noise_samples,
}
"""Name of a measurement -> function of a key and a trained network."""


def summary_numbers(
    summary: Mapping[str, Any], dataset: data.AnyDataset, i: int
) -> dict[str, Any]:
    """Return the numbers of the i-th seed from a run's summary.

    For soft targets, the number is the code quality in bits,

      Σ target (log₂ prediction - log₂ naive guess).

    The prediction's term follows from the test loss, -Σ target ln prediction.
    """
    if not isinstance(dataset, data.SoftTargets):
        test = summary["test_error_percent"]["per_seed"][i]
        train = summary["train_error_percent"]["per_seed"][i]
        validation = summary["validation_error_percent"]
        return {
            "test_error_percent": test,
            "test_accuracy_percent": 100 - test,
            "train_accuracy_percent": 100 - train,
            "validation_error_percent": validation and validation["per_seed"][i],
            "epochs_to_converge": summary["best_epoch"][i],
        }
    naive = data.naive_guess(dataset.train_y)
    log_naive = np.log(np.maximum(naive, np.finfo(naive.dtype).tiny))
    guessed = np.sum(dataset.test_y * log_naive, dtype=np.float64)
    predicted = -len(dataset.test_y) * summary["test_loss"]["per_seed"][i]
    return {"code_quality_bits": float((predicted - guessed) / np.log(2))}


def measure(
    names: Sequence[str], run: training.TrainedRun
) -> tuple[Measured, dict[str, str]]:
    """Measure the network of a run.

    A measurement that raises an error does not stop the others.

    Returns:
      The results, and name -> error of the measurements that failed.
    """
    model, measured, failed = evaluators.from_run(run), Measured(), {}
    for name in names:
        key = jax.random.fold_in(jax.random.key(KEY_SEED), run.seed)
        try:
            measured |= MEASUREMENTS[name](key, model)
        except Exception as error:
            logging.exception("measurement %s failed", name)
            failed[name] = f"{type(error).__name__}: {error}"
    return measured, failed

"""The numbers of a row, one result per seed."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from noisejax import data
from noisejax.experiments import Row
from noisejax.reproduction._measured import Number, as_number
from noisejax.reproduction._results import Result

FROM_SUMMARY = {
    "test_error_percent": lambda s, i: s["test_error_percent"]["per_seed"][i],
    "test_accuracy_percent": lambda s, i: 100 - s["test_error_percent"]["per_seed"][i],
    "train_accuracy_percent": lambda s, i: (
        100 - s["train_error_percent"]["per_seed"][i]
    ),
    "validation_error_percent": lambda s, i: (
        s["validation_error_percent"]["per_seed"][i]
        if s["validation_error_percent"]
        else None
    ),
    "epochs_to_converge": lambda s, i: s["best_epoch"][i],
}
"""Metric -> how it is read from a run's summary, for the i-th seed."""

MADE_BY = ("device", "versions", "commit")
"""What a result tells of its making, besides its configuration."""


def summary_numbers(
    summary: Mapping[str, Any], dataset: data.Dataset | data.SoftTargets, i: int
) -> dict[str, Number]:
    """What a run's summary says of its i-th seed.

    Args:
      summary: of the run.
      dataset: that it was trained on.
      i: which of its seeds.
    """
    if isinstance(dataset, data.SoftTargets):
        return {"code_quality_bits": _code_quality(summary, dataset, i)}
    return {metric: read(summary, i) for metric, read in FROM_SUMMARY.items()}


def _code_quality(
    summary: Mapping[str, Any], dataset: data.SoftTargets, i: int
) -> float:
    """Σ target (log₂ prediction - log₂ naive): `data.code_quality`, of the test loss.

    The loss of an example is -Σ target ln prediction.
    """
    naive = data.naive_guess(dataset.train_y)
    log_naive = np.log(np.maximum(naive, np.finfo(naive.dtype).tiny))
    guessed = np.sum(dataset.test_y * log_naive, dtype=np.float64)
    predicted = -len(dataset.test_y) * summary["test_loss"]["per_seed"][i]
    return float((predicted - guessed) / np.log(2))


def as_result(
    row: Row,
    seed: int,
    numbers: Mapping[str, Any],
    *,
    seconds: float,
    config: Mapping[str, Any],
    made_by: Mapping[str, Any],
) -> Result:
    """A line of results.jsonl.

    Args:
      row: of the experiment.
      seed: of the run, or of the draws.
      numbers: metric -> number; None stands for those that are not finite.
      seconds: that it took.
      config: of the run; of a row without one what it is computed from.
      made_by: has at least `MADE_BY`.
    """
    return {
        "row": row.name,
        "seed": seed,
        "numbers": {metric: as_number(value) for metric, value in numbers.items()},
        "seconds": seconds,
        "config": config,
        **{name: made_by[name] for name in MADE_BY},
    }

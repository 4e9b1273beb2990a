"""The numbers of a row, one result per seed."""

from typing import Any

from noisejax.experiments import Row
from noisejax.reproduction._results import Result

FROM_SUMMARY = {
    "test_error_percent": lambda s, i: s["test_error_percent"]["per_seed"][i],
    "test_accuracy_percent": lambda s, i: 100 - s["test_error_percent"]["per_seed"][i],
    "train_accuracy_percent": lambda s, i: (
        100 - s["train_error_percent"]["per_seed"][i]
    ),
    "epochs_to_converge": lambda s, i: s["best_epoch"][i],
}
"""Metric -> how it is read from a run's summary, for the i-th seed."""


def row_results(row: Row, summary: dict[str, Any]) -> list[Result]:
    """What a trained row came to.

    Args:
      row: of the experiment.
      summary: of its run.

    Returns:
      One result per seed.
    """
    seeds = summary["seeds"]
    return [
        {
            "row": row.name,
            "seed": seed,
            "numbers": {
                metric: read(summary, i) for metric, read in FROM_SUMMARY.items()
            },
            "seconds": summary["seconds"] / len(seeds),
            "config": summary["config"],
            "device": summary["device"],
            "versions": summary["versions"],
            "commit": summary["commit"],
        }
        for i, seed in enumerate(seeds)
    ]

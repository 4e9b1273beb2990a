"""A row: computed, or trained and measured."""

import time
from typing import Any

from noisejax import data, training
from noisejax.experiments import Experiment, Row
from noisejax.reproduction._computed import COMPUTED
from noisejax.reproduction._folder import ExperimentFolder, FinishedRun
from noisejax.reproduction._measured import Measured, write_arrays
from noisejax.reproduction._measurements import measure
from noisejax.reproduction._numbers import as_result, summary_numbers
from noisejax.reproduction._results import Result
from noisejax.reproduction._subject import Subject


def compute_row(
    folder: ExperimentFolder, experiment: Experiment, row: Row, scale: str
) -> list[Result]:
    """The result of a row without a network; its arrays are written.

    Args:
      folder: of the experiment.
      experiment: that the row belongs to.
      row: of it.
      scale: that says how many draws are made.
    """
    began = time.perf_counter()
    measured = Measured()
    for name in experiment.measurements:
        measured |= COMPUTED[name](row, experiment.scales[scale])
    write_arrays(folder.arrays_path(row.name, 0), measured.arrays)
    made_by = training.describe_run(training.Config())
    draws = experiment.scales[scale].draws
    return [
        as_result(
            row,
            0,
            measured.numbers,
            seconds=time.perf_counter() - began,
            config={"factors": dict(row.factors), "draws": draws},
            made_by=made_by,
        )
    ]


def _failed(
    row: Row, config: training.Config, error: Exception, seconds: float
) -> Result:
    """What is left of a row whose training could not go on."""
    result = as_result(
        row,
        config.training.seed,
        {},
        seconds=seconds,
        config=training.to_dict(config),
        made_by=training.describe_run(config),
    )
    return {**result, "failed": str(error)}


def train_row(
    folder: ExperimentFolder,
    experiment: Experiment,
    row: Row,
    config: training.Config,
    dataset: data.Dataset | data.SoftTargets,
    *,
    trained: FinishedRun | None = None,
) -> list[Result]:
    """Trains a row, or goes on with it, and measures the networks of all seeds.

    Args:
      folder: of the experiment.
      experiment: that the row belongs to.
      row: of it.
      config: of its run.
      dataset: that it is trained on.
      trained: a finished run of the same configuration, to be measured in its place.

    Returns:
      A result per seed; arrays are written.
    """
    path = folder.row_path(row.name) if trained is None else trained.path
    began = time.perf_counter()
    try:
        if trained is None:
            summary = training.train(config, path, dataset=dataset, resume=True)
        else:
            summary = training.read_summary(path)
    except training.TrainingStopped as error:
        raise training.TrainingStopped(
            f"row {row.name} was stopped; the same command goes on with it ({error})"
        ) from error
    except training.TrainingError as error:
        if not row.may_fail:
            raise training.TrainingError(f"row {row.name}: {error}") from error
        return [_failed(row, config, error, time.perf_counter() - began)]
    results = []
    for i, seed in enumerate(summary["seeds"]):
        began = time.perf_counter()
        numbers: dict[str, Any] = summary_numbers(summary, dataset, i)
        if experiment.measurements:
            run = training.load_run(path, dataset=dataset, seed=seed)
            measured = measure(experiment.measurements, Subject(run, summary))
            write_arrays(folder.arrays_path(row.name, seed), measured.arrays)
            numbers |= measured.numbers
        seconds = summary["seconds"] / len(summary["seeds"])
        results.append(
            as_result(
                row,
                seed,
                numbers,
                seconds=seconds + time.perf_counter() - began,
                config=summary["config"],
                made_by=summary,
            )
        )
    if trained is not None:
        return [{**result, "run_of": trained.experiment} for result in results]
    return results

"""Runs the rows of an experiment one after another."""

import contextlib
import dataclasses
import os
import pathlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
from tqdm import tqdm

from noisejax import data, figures, training
from noisejax.experiments import Experiment, Row
from noisejax.reproduce._computed import COMPUTED
from noisejax.reproduce._draw import draw
from noisejax.reproduce._folder import ExperimentFolder, FinishedRun, Saved
from noisejax.reproduce._measure import Measured, as_number
from noisejax.reproduce._numbers import measure, summary_numbers
from noisejax.reproduce._results import (
    Result,
    append_results,
    measured_rows,
    read_results,
    whole_rows,
)
from noisejax.reproduce._rows import (
    check_full_width,
    find_rows,
    identity_of,
    row_config,
)
from noisejax.reproduce._table import format_table

GENERATED = 30
"""Number of generated examples per split. Training takes two steps of ten."""


class MeasurementError(Exception):
    """Raised after all rows if measurements failed; the table has the other results."""


def reproduce(
    experiment: Experiment,
    workdir: str | os.PathLike[str],
    *,
    scale: str,
    only: Sequence[str] = (),
    num_seeds: int | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    runs_from: Sequence[str | os.PathLike[str]] = (),
) -> pathlib.Path:
    """Run an experiment, or resume it.

    Rows that have results for all seeds are skipped. An interrupted row resumes from
    its last checkpoint. If the results of a finished run are lost, the run is measured
    again. Table and figure are always rewritten from the recorded results.

    Args:
      experiment: experiment to run.
      workdir: directory of the experiment; created if needed. The function writes
        results.jsonl, table.md, the figure, the arrays for the figure (arrays/), and
        the training runs (rows/).
      scale: scale of the experiment, "smoke", "short" or "paper".
      only: names of the rows to run. The default is all rows of the scale.
      num_seeds: number of seeds per row. The default depends on the scale.
      data_dir: TFDS data directory.
      runs_from: directories of other experiments. If a row's configuration was trained
        there at the same scale, the row is measured on that run.

    Returns:
      Path of table.md.

    Raises:
      ValueError: the scale or a row is unknown; `workdir` contains another experiment
        or other configurations of the rows; a directory in `runs_from` contains no
        experiment; or `num_seeds` is given for an experiment that trains nothing.
      FileNotFoundError: data are missing.
      MeasurementError: measurements failed. All other results are written.
    """
    rows = find_rows(experiment, scale, only)
    if experiment.kind == "computed" and num_seeds is not None:
        raise ValueError(
            f"--num_seeds is for experiments that train; {experiment.name} is computed "
            f"without seeds, got {num_seeds}; leave the flag out"
        )
    configs: dict[str, training.Config] = {}
    if experiment.kind != "computed":
        for row in rows:
            configs[row.name] = row_config(experiment, row, scale, num_seeds=num_seeds)
            training.check_config(configs[row.name])
    trained = _finished_runs(runs_from, scale, configs)
    generated = experiment.scales[scale].generated
    with training.Workdir(workdir) as locked, _compiling(unoptimised=generated):
        folder = ExperimentFolder(locked.path)
        done = measured_rows(read_results(folder.results_path))
        missing = [config for name, config in configs.items() if name not in done]
        datasets = _load(missing, data_dir, generated)
        identities = {
            row.name: identity_of(experiment, row, scale, configs.get(row.name))
            for row in rows
        }
        folder.claim(experiment.name, scale, identities)
        if generated:
            check_full_width(experiment)
        already = sum(row.name in done for row in rows)
        bar = tqdm(total=len(rows), initial=already, desc=experiment.name, unit="row")
        with bar:
            for row in rows:
                if row.name in done:
                    continue
                bar.set_postfix_str(row.name)
                if experiment.kind == "computed":
                    results = [_compute(folder, experiment, row, scale)]
                else:
                    config = configs[row.name]
                    dataset = datasets[_data_of(config)]
                    run = trained.get(row.name)
                    results = _train(folder, experiment, row, config, dataset, run)
                append_results(folder.results_path, results)
                bar.update()
        results = whole_rows(read_results(folder.results_path))
        figure = draw(Saved(experiment, results, folder))
        if figure is not None:
            figures.save(figure, folder.path / experiment.name)
        folder.table_path.write_text(format_table(experiment, scale, results))
    failures = [
        f"{result['row']}, seed {result['seed']}, {name}: {error}"
        for result in results
        for name, error in result.get("unmeasured", {}).items()
    ]
    if failures:
        raise MeasurementError(
            f"{len(failures)} measurements failed ({'; '.join(failures)}); the same "
            "command measures them again"
        )
    return folder.table_path


def _finished_runs(
    paths: Sequence[str | os.PathLike[str]],
    scale: str,
    configs: Mapping[str, training.Config],
) -> dict[str, FinishedRun]:
    """Return row -> finished run of its configuration, from the first path with one."""
    if "" in paths:
        raise ValueError(
            "--runs_from must name directories, separated by commas; got an empty name;"
            " leave the comma out"
        )
    folders = [ExperimentFolder(pathlib.Path(path).expanduser()) for path in paths]
    found = {}
    for name, config in configs.items():
        for folder in folders:
            run = folder.finished_run(scale, config)
            if run is not None:
                found.setdefault(name, run)
    return found


@contextlib.contextmanager
def _compiling(*, unoptimised: bool) -> Iterator[None]:
    """Compile without optimisation if `unoptimised`, for programs of a few steps."""
    name = "jax_disable_most_optimizations"
    before = jax.config.values[name]
    jax.config.update(name, unoptimised or before)
    try:
        yield
    finally:
        jax.config.update(name, before)


def _data_of(config: training.Config) -> tuple[str, int]:
    return config.data.name, config.data.test_partition


def _load(
    configs: Sequence[training.Config],
    data_dir: str | os.PathLike[str] | None,
    generated: bool,
) -> dict[tuple[str, int], data.AnyDataset]:
    """Load the data sets of all configurations, before anything is trained."""
    names = sorted({_data_of(config) for config in configs})
    return {
        (name, test_partition): (
            data.generate(name, num_train=GENERATED, num_test=GENERATED)
            if generated
            else data.load_dataset(name, data_dir, test_partition=test_partition)
        )
        for name, test_partition in names
    }


def _compute(
    folder: ExperimentFolder, experiment: Experiment, row: Row, scale: str
) -> Result:
    """Compute a row that needs no network, and write its arrays."""
    began = time.perf_counter()
    measured = Measured()
    for name in experiment.measurements:
        measured |= COMPUTED[name](row, experiment.scales[scale])
    folder.write_arrays(row.name, 0, measured.arrays)
    config = {"factors": dict(row.factors), "draws": experiment.scales[scale].draws}
    about = training.describe_run(training.Config()) | {"config": config}
    return _result(row, 0, measured.numbers, time.perf_counter() - began, about)


def _train(
    folder: ExperimentFolder,
    experiment: Experiment,
    row: Row,
    config: training.Config,
    dataset: data.AnyDataset,
    trained: FinishedRun | None,
) -> list[Result]:
    """Train or resume a row, and measure the networks of all its seeds.

    Args:
      folder: directory of the experiment.
      experiment: experiment that contains the row.
      row: row to train.
      config: configuration of the row.
      dataset: data set of the row.
      trained: finished run of the same configuration, to be measured without training;
        None to train.

    Returns:
      One result per seed.
    """
    path = folder.row_path(row.name) if trained is None else trained.path
    source = config.training.init_from  # a path relative to the experiment's directory
    if source:
        fields = dataclasses.replace(
            config.training, init_from=str(folder.path / source)
        )
        config = dataclasses.replace(config, training=fields)
    began = time.perf_counter()
    try:
        if trained is None:
            summary = training.train(config, path, dataset=dataset, resume=True)
        else:
            summary = training.read_summary(path)
    except training.TrainingStopped as error:
        raise training.TrainingStopped(
            f"row {row.name} was stopped; the same command resumes it ({error})"
        ) from error
    except training.TrainingError as error:
        if not row.may_fail:
            raise training.TrainingError(f"row {row.name}: {error}") from error
        seconds = time.perf_counter() - began
        about = training.describe_run(config)
        result = _result(row, config.training.seed, {}, seconds, about)
        return [{**result, "failed": str(error)}]
    results = []
    for i, seed in enumerate(summary["seeds"]):
        began = time.perf_counter()
        numbers, unmeasured = summary_numbers(summary, dataset, i), {}
        if experiment.measurements:
            run = training.load_run(path, dataset=dataset, seed=seed)
            measured, unmeasured = measure(experiment.measurements, run)
            folder.write_arrays(row.name, seed, measured.arrays)
            numbers = {**numbers, **measured.numbers}
        seconds = summary["seconds"] / len(summary["seeds"])
        seconds += time.perf_counter() - began
        result = _result(row, seed, numbers, seconds, summary)
        result["config"]["training"]["init_from"] = source
        if trained is not None:
            result["run_of"] = trained.experiment
        if unmeasured:
            result["unmeasured"] = unmeasured
        results.append(result)
    return results


def _result(
    row: Row,
    seed: int,
    numbers: Mapping[str, Any],
    seconds: float,
    about: Mapping[str, Any],
) -> Result:
    """Return a line of results.jsonl; numbers that are not finite become None."""
    return {
        "row": row.name,
        "seed": seed,
        "numbers": {metric: as_number(value) for metric, value in numbers.items()},
        "seconds": seconds,
        **{name: about[name] for name in ("config", "device", "versions", "commit")},
    }

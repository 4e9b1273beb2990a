"""Runs the rows of an experiment one after another, each once."""

import contextlib
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import jax
from tqdm import tqdm

from noisejax import data, training
from noisejax.experiments import Experiment, Row
from noisejax.reproduction._configuration import computed_config, row_config
from noisejax.reproduction._draw import draw_figure
from noisejax.reproduction._folder import ExperimentFolder, FinishedRun
from noisejax.reproduction._full_width import check_full_width
from noisejax.reproduction._listing import find_rows
from noisejax.reproduction._results import append_results, read_results, whole_rows
from noisejax.reproduction._rows import compute_row, train_row
from noisejax.reproduction._table import format_table

GENERATED = 30
"""Examples of each part, where they are generated: two steps of ten, and a few held
out."""

Datasets = dict[tuple[str, int], data.Dataset | data.SoftTargets]
"""Name and test partition -> data."""


def reproduce(
    experiment: Experiment,
    workdir: str | os.PathLike,
    *,
    scale: str,
    only: Sequence[str] = (),
    num_seeds: int | None = None,
    data_dir: str | os.PathLike | None = None,
    runs_from: Sequence[str | os.PathLike] = (),
) -> pathlib.Path:
    """Does an experiment, or what is still missing of it.

    Rows that have results of all their seeds are skipped; a row that was cut short goes
    on from its last checkpoint, and one that has lost results is read from its run.
    Table and figure are made anew from the results that are kept.

    Args:
      experiment: which one.
      workdir: its folder; created. results.jsonl, table.md, the figure, the arrays that
        it is drawn from, and the runs under rows/ are left there.
      scale: "smoke", "short" or "paper".
      only: names of rows; (): those of the scale.
      num_seeds: in place of the scale's; for rows that are trained.
      data_dir: the TFDS data directory.
      runs_from: folders of other experiments. A row whose configuration was trained
        there, at the same scale, is measured on that run.

    Returns:
      The path of table.md.

    Raises:
      ValueError: an unknown scale or row; a folder of another experiment, or of another
        configuration of the same rows; something in `runs_from` that is no
        experiment's folder; a number of seeds where nothing is trained.
      FileNotFoundError: data are missing; says which, and how to get them.
    """
    rows = find_rows(experiment, scale, only)
    if experiment.kind == "computed" and num_seeds is not None:
        raise ValueError(
            f"--num_seeds is for experiments that train; {experiment.name} is computed "
            f"without seeds, got {num_seeds}; leave the flag out"
        )
    configs: dict[str, training.Config] = {}
    if experiment.kind != "computed":
        configs = {
            row.name: row_config(experiment, row, scale, num_seeds=num_seeds)
            for row in rows
        }
    for config in configs.values():
        training.check_config(config)
    others = _others(runs_from)
    trained = {
        name: _trained(others, scale, config) for name, config in configs.items()
    }
    quickly = experiment.scales[scale].generated
    with training.Workdir(workdir) as locked, _compiling(quickly):
        folder = ExperimentFolder(locked.path)
        done = {r["row"] for r in whole_rows(read_results(folder.results_path))}
        missing = [config for name, config in configs.items() if name not in done]
        datasets = _load(missing, data_dir, experiment.scales[scale].generated)
        folder.claim(
            experiment.name, scale, _identities(experiment, rows, scale, configs)
        )
        if experiment.scales[scale].generated:
            check_full_width(experiment)
        already = sum(row.name in done for row in rows)
        with tqdm(
            total=len(rows), initial=already, desc=experiment.name, unit="row"
        ) as bar:
            for row in rows:
                if row.name in done:
                    continue
                bar.set_postfix_str(row.name)
                if experiment.kind == "computed":
                    results = compute_row(folder, experiment, row, scale)
                else:
                    config = configs[row.name]
                    dataset = datasets[_key(config)]
                    results = train_row(
                        folder,
                        experiment,
                        row,
                        config,
                        dataset,
                        trained=trained[row.name],
                    )
                append_results(folder.results_path, results)
                bar.update()
        results = whole_rows(read_results(folder.results_path))
        draw_figure(folder, experiment, results)
        folder.table_path.write_text(format_table(experiment, scale, results))
        return folder.table_path


def _others(paths: Sequence[str | os.PathLike]) -> list[ExperimentFolder]:
    if "" in paths:
        raise ValueError(
            "--runs_from must name folders, parted by commas; got an empty name; leave "
            "the comma out"
        )
    return [ExperimentFolder(pathlib.Path(path).expanduser()) for path in paths]


def _trained(
    folders: Sequence[ExperimentFolder], scale: str, config: training.Config
) -> FinishedRun | None:
    """A run of a configuration in the first folder that has one."""
    found = (folder.finished_run(scale, config) for folder in folders)
    return next(filter(None, found), None)


@contextlib.contextmanager
def _compiling(quickly: bool) -> Iterator[None]:
    """Compiles without optimisation what runs for two steps only, if asked to."""
    name = "jax_disable_most_optimizations"
    before = jax.config.values[name]
    jax.config.update(name, quickly or before)
    try:
        yield
    finally:
        jax.config.update(name, before)


def _identities(
    experiment: Experiment,
    rows: Sequence[Row],
    scale: str,
    configs: dict[str, training.Config],
) -> dict[str, dict[str, Any]]:
    """What makes each row what it is: all that its numbers depend on."""
    return {
        row.name: (
            training.to_dict(configs[row.name])
            if row.name in configs
            else computed_config(experiment, row, scale)
        )
        for row in rows
    }


def _key(config: training.Config) -> tuple[str, int]:
    return config.data.name, config.data.test_partition


def _load(
    configs: Sequence[training.Config],
    data_dir: str | os.PathLike | None,
    generated: bool,
) -> Datasets:
    """The data sets that are still needed, before anything is trained."""
    keys = sorted({_key(config) for config in configs})
    if generated:
        return {
            key: data.generate(key[0], num_train=GENERATED, num_test=GENERATED)
            for key in keys
        }
    return {
        key: data.load_dataset(key[0], data_dir, test_partition=key[1]) for key in keys
    }

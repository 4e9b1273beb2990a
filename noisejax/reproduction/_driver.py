"""Runs the rows of an experiment one after another, each once."""

import os
import pathlib
from collections.abc import Sequence

from tqdm import tqdm

from noisejax import data, training
from noisejax.experiments import Experiment, Row
from noisejax.reproduction._configuration import row_config
from noisejax.reproduction._folder import ExperimentFolder
from noisejax.reproduction._full_width import check_full_width
from noisejax.reproduction._listing import find_rows
from noisejax.reproduction._numbers import row_results
from noisejax.reproduction._results import append_results, read_results, rows_done
from noisejax.reproduction._table import format_table


def reproduce(
    experiment: Experiment,
    workdir: str | os.PathLike,
    *,
    scale: str,
    only: Sequence[str] = (),
    num_seeds: int | None = None,
    data_dir: str | os.PathLike | None = None,
) -> pathlib.Path:
    """Does an experiment, or what is still missing of it.

    Rows that have results are skipped; a row that was cut short goes on from its last
    checkpoint.

    Args:
      experiment: which one.
      workdir: its folder; created. results.jsonl, table.md, the figure, and the runs
        under rows/ are left there.
      scale: "smoke", "short" or "paper".
      only: names of rows; (): those of the scale.
      num_seeds: in place of the scale's.
      data_dir: the TFDS data directory.

    Returns:
      The path of table.md.

    Raises:
      ValueError: an unknown scale or row; a folder of another experiment, or of another
        configuration of the same rows.
      FileNotFoundError: data are missing; says which, and how to get them.
    """
    rows = find_rows(experiment, scale, only)
    configs = {
        row.name: row_config(experiment, row, scale, num_seeds=num_seeds)
        for row in rows
    }
    for config in configs.values():
        training.check_config(config)
    generated = experiment.scales[scale].generated
    with training.Workdir(workdir) as locked:
        folder = ExperimentFolder(locked.path)
        done = rows_done(read_results(folder.results_path))
        datasets = _load(experiment, scale, configs, done, data_dir)
        folder.claim(experiment.name, scale, configs)
        if generated:
            for row in experiment.rows_at("paper"):
                check_full_width(experiment, row)
        bar = tqdm(total=len(rows), desc=experiment.name, unit="row")
        with bar:
            for row in rows:
                if row.name not in done:
                    bar.set_postfix_str(row.name)
                    config = configs[row.name]
                    _run_row(folder, experiment, row, config, datasets)
                bar.update()
        results = read_results(folder.results_path)
        folder.table_path.write_text(format_table(experiment, scale, results))
        return folder.table_path


def _load(experiment, scale, configs, done, data_dir) -> dict[str, data.Dataset]:
    """The data sets that are still needed, before anything is trained."""
    names = {c.data.name for row, c in configs.items() if row not in done}
    if experiment.scales[scale].generated:
        return {name: data.generate(name) for name in sorted(names)}
    return {name: data.load_dataset(name, data_dir) for name in sorted(names)}


def _run_row(
    folder: ExperimentFolder,
    experiment: Experiment,
    row: Row,
    config: training.Config,
    datasets: dict[str, data.Dataset],
) -> None:
    path = folder.row_path(row.name)
    dataset = datasets[config.data.name]
    summary = training.train(config, path, dataset=dataset, resume=True)
    append_results(folder.results_path, row_results(row, summary))

"""Start, resume or skip a training run."""

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import Any

import jax

from noisejax import data
from noisejax._version import __version__
from noisejax.training._batches import to_float
from noisejax.training._check import check_config
from noisejax.training._checkpoint import (
    Checkpoint,
    Progress,
    as_arrays,
    describe_arrays,
    partial_table,
    restore_checkpoint,
    tidy,
)
from noisejax.training._config import Config, to_dict
from noisejax.training._examples import (
    choose_examples,
    describe_dataset,
    load_examples,
    load_fitted,
)
from noisejax.training._files import (
    RunFolder,
    Workdir,
    read_json,
    write_arrays,
    write_json,
)
from noisejax.training._load_run import load_sources
from noisejax.training._loop import Run, run_phase
from noisejax.training._metrics import (
    MetricsLog,
    MetricWriter,
    TensorBoardWriter,
    check_writers,
    require_tensorboard,
)
from noisejax.training._processes import (
    check_agreed,
    first_value,
    notice_lost,
    run_jointly,
    stop_on_sigterm,
)
from noisejax.training._program import (
    Program,
    build_program,
    check_independence,
)
from noisejax.training._record import (
    DATASET,
    check_same,
    describe_run,
    find_finished,
    is_longer,
    read_config,
    with_absolute_paths,
)
from noisejax.training._report import announce, summarise
from noisejax.training._state import Seeds, init_seeds, start_from

CENTRED = 1000
"""Number of examples whose mean activities initialise the learned shifts."""


def train(
    config: Config,
    workdir: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    dataset: data.Dataset | None = None,
    resume: bool = False,
    metric_writers: Sequence[MetricWriter] = (),
) -> dict[str, Any]:
    """Train a network, and write a run folder.

    Args:
      config: configuration of the run.
      workdir: folder of the run, created if missing. `train` writes config.json,
        metrics.jsonl, checkpoints/ and summary.json to this folder.
      data_dir: TFDS data directory.
      dataset: data set; None: load the data set that the configuration names.
      resume: True to continue a run in the folder, if there is one. Damaged files are
        ignored with a warning, and the result equals that of an uninterrupted run. A
        finished run continues if `config` has more epochs and no schedule depends on
        the number of epochs.
      metric_writers: functions (rows, epoch) that receive the rows of metrics.jsonl
        after each epoch, such as `TensorBoardWriter(folder)`.

    Returns:
      The contents of summary.json.

    Raises:
      ValueError, TypeError, FileNotFoundError: the configuration, the data or the
        folder are invalid; nothing was overwritten.
      TrainingError: a loss, a gradient or a parameter is not finite, or the disk is
        full.
      TrainingStopped: SIGTERM stopped the run, and the last step is saved.
      ProcessLost: another process of the run ended; the last checkpoint is kept.
    """
    request = {"workdir": str(workdir), "resume": resume, "noisejax": __version__}
    with notice_lost():
        check_agreed({**to_dict(config), "command": request})
        check_config(config)
        config = with_absolute_paths(config)
        check_writers(metric_writers)
        if config.training.tensorboard:
            run_jointly(require_tensorboard, first_only=True)
        locked = run_jointly(lambda: Workdir(workdir), first_only=True)
        locked = locked or contextlib.nullcontext(RunFolder(workdir))
        with locked as folder, stop_on_sigterm() as stop_requested:
            summary = first_value(lambda: find_finished(folder, config, resume))
            if summary is not None:
                return summary
            if dataset is None:
                dataset = run_jointly(lambda: load_examples(config, data_dir))
            else:
                dataset = choose_examples(config, dataset)
            return _train(config, dataset, folder, stop_requested, metric_writers)


def _train(
    config: Config,
    dataset: data.Dataset,
    folder: RunFolder,
    stop_requested: Callable[[], bool],
    metric_writers: Sequence[MetricWriter],
) -> dict[str, Any]:
    """Train from the newest checkpoint in the folder, or from the start."""
    described = describe_dataset(dataset)
    check_agreed({DATASET: described})
    fitted = run_jointly(lambda: load_fitted(folder, config))
    sources = run_jointly(lambda: load_sources(config, folder))
    program = build_program(config, dataset, fitted)
    identity = {**to_dict(config), DATASET: described}
    seeds, checkpoint, rejected = newest_state(program, folder, identity, sources)
    if config.objective.strategy == "resample" and config.objective.num_samples > 1:
        check_independence(program, seeds)
    progress = checkpoint.progress if checkpoint else Progress()
    origin = describe_run(config)

    def begin():
        tidy(folder.checkpoints_path, rejected)
        if fitted is None:
            write_arrays(folder.preprocessing_path, program.prepared.fitted.to_arrays())
        path = folder.config_path
        if not path.exists() or is_longer(read_config(path), to_dict(config)):
            write_json(path, origin)
        before = sum(p.epochs for p in program.phases[: progress.phase])
        writers = list(metric_writers)
        if config.training.tensorboard:
            first = before + progress.epoch + 1
            events = folder.path / "tensorboard"
            writers.append(TensorBoardWriter(events, first_epoch=first))
        return MetricsLog(folder.metrics_path, progress.rows, writers)

    log = run_jointly(begin, first_only=True)
    run = Run(
        program=program,
        folder=folder,
        log=log,
        identity=identity,
        origin={k: origin[k] for k in ("versions", "device", "commit")},
        stop_requested=stop_requested,
        progress=progress,
    )
    announce(config, program, seeds)
    table = partial_table(checkpoint)
    try:
        for phase in program.phases[progress.phase :]:
            seeds = run_phase(run, phase, seeds, table)
            table = None
    finally:
        if log is not None:
            log.close()
    summary = summarise(config, program, seeds, progress)

    def finish():
        write_json(folder.summary_path, summary)
        return read_json(folder.summary_path)

    return first_value(finish)


def newest_state(
    program: Program,
    folder: RunFolder,
    identity: dict[str, Any],
    sources: list[dict[str, Any]] | None = None,
) -> tuple[Seeds, Checkpoint | None, list[int]]:
    """Restore the newest undamaged checkpoint, or initialise the networks.

    Args:
      program: program of the run.
      folder: folder of the run.
      identity: configuration and data that the checkpoint must have.
      sources: variables of another run, which initialise the networks, or None.

    Returns:
      (seeds, checkpoint or None, numbers of damaged checkpoints).

    Raises:
      ValueError: a checkpoint belongs to another run.
    """
    phase, placement = program.phases[0], program.placement
    size = CENTRED if program.centres else 1
    example = to_float(program.train.x[:size], inverted=program.prepared.inverted)

    def init(seeds, example, sources):
        fresh = init_seeds(
            program.model, phase.optimizer, example, seeds, centres=program.centres
        )
        if sources is None:
            return fresh
        loaded = {
            name: start_from(getattr(fresh.state, name), [s[name] for s in sources])
            for name in ("params", "batch_stats")
        }
        return Seeds(
            state=fresh.state.replace(**loaded), best=fresh.best.replace(**loaded)
        )

    like = jax.eval_shape(init, program.seeds, example, sources)

    def accept(path, info):
        check_same(path, info["run"], identity)
        arrays = {k: v for k, v in info["arrays"].items() if not k.startswith("table")}
        check_same(path, arrays, describe_arrays(as_arrays(like)))

    checkpoint, rejected = restore_checkpoint(
        folder.checkpoints_path, placement.seed_sharding, accept=accept
    )
    if checkpoint is None:
        init = jax.jit(init, out_shardings=placement.seed_sharding)
        return init(program.seeds, example, sources), None, rejected
    if checkpoint.progress.phase >= len(program.phases):
        raise ValueError(f"its progress.phase is {checkpoint.progress.phase}")
    leaves = [checkpoint.arrays[name] for name in as_arrays(like)]
    seeds = jax.tree.unflatten(jax.tree.structure(like), leaves)
    return seeds, checkpoint, rejected

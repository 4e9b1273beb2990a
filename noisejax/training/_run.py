"""A training run: begun, continued, or found finished in its folder."""

import contextlib
import dataclasses
import os
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from absl import logging

from noisejax import data
from noisejax._version import __version__
from noisejax.training._check import check_config
from noisejax.training._checkpoint import (
    LeftOut,
    recorded_run,
    restore_checkpoint,
    tidy,
)
from noisejax.training._config import Config, to_dict
from noisejax.training._epoch import to_float
from noisejax.training._examples import load_examples
from noisejax.training._files import read_json, write_json
from noisejax.training._loop import Run, run_phase
from noisejax.training._metrics import MetricsLog, first_rows
from noisejax.training._phases import Program, build_program
from noisejax.training._processes import (
    check_agreed,
    is_first,
    notice_lost,
    share,
    together,
)
from noisejax.training._progress import Progress, Seeds
from noisejax.training._recorded import DATASET
from noisejax.training._state import first_best, init_state
from noisejax.training._stop import stop_on_sigterm
from noisejax.training._summary import summarise
from noisejax.training._tensorboard import EventFiles, require_tensorboard
from noisejax.training._workdir import (
    RunFolder,
    Workdir,
    check_same,
    describe_run,
    read_config,
)


def train(
    config: Config,
    workdir: str | os.PathLike,
    *,
    data_dir: str | os.PathLike | None = None,
    dataset: data.Dataset | None = None,
    resume: bool = False,
) -> dict[str, Any]:
    """Trains, and leaves a run in a folder.

    Args:
      config: of the run.
      workdir: its folder; created. config.json, metrics.jsonl, checkpoints/ and
        summary.json are written there.
      data_dir: the TFDS data directory.
      dataset: in place of the one that the configuration names.
      resume: continue the run in the folder, if it holds one. What is damaged there
        is left out with a warning; the result is that of an undisturbed run.

    Returns:
      The summary, as in summary.json.

    Raises:
      ValueError, TypeError, FileNotFoundError: something is wrong with the
        configuration, the data or the folder; nothing was overwritten.
      TrainingError: a loss, a gradient or a parameter is not finite, or the disk is
        full.
      TrainingStopped: SIGTERM came; its epoch is saved.
      ProcessLost: another process of the run ended; the last epoch is saved.
    """
    asked = {"workdir": str(workdir), "resume": resume, "noisejax": __version__}
    with notice_lost():
        check_agreed({**to_dict(config), "command": asked})
        check_config(config)
        if config.training.tensorboard:
            together(require_tensorboard, first_only=True)
        with _hold(workdir) as folder, stop_on_sigterm() as stop_asked:
            summary = share(
                together(lambda: _look(folder, config, resume), first_only=True)
            )
            if summary is not None:
                return summary
            if dataset is None:
                dataset = together(lambda: load_examples(config, data_dir))
            return _go_on(config, dataset, folder, stop_asked)


def _go_on(
    config: Config,
    dataset: data.Dataset,
    folder: RunFolder,
    stop_asked: Callable[[], bool],
) -> dict[str, Any]:
    """Trains from the newest checkpoint in the folder, or from the start; the summary.

    Raises:
      As `train`.
    """
    described = _describe_dataset(dataset)
    check_agreed({DATASET: described})
    program = build_program(config, dataset)
    identity = {**to_dict(config), DATASET: described}
    seeds, progress, left_out = newest_state(program, folder, identity)
    made_by = describe_run(config)

    def begin():
        tidy(folder.checkpoints_path, left_out)
        if not folder.config_path.exists():
            write_json(folder.config_path, made_by)
        return MetricsLog(
            folder.metrics_path,
            folder.mirror_path,
            progress.rows,
            progress.metrics_sha256,
        )

    log = together(begin, first_only=True)
    before = sum(p.epochs for p in program.phases[: progress.phase])
    writes_events = config.training.tensorboard and is_first()
    events = EventFiles(
        folder.path / "tensorboard" if writes_events else None,
        before + progress.epoch + 1,
    )
    made_by = {k: made_by[k] for k in ("versions", "device", "commit")}
    run = Run(config, program, folder, log, events, identity, made_by, stop_asked)
    try:
        for phase in program.phases[progress.phase :]:
            seeds = run_phase(run, phase, seeds, progress)
    finally:
        if log is not None:
            log.close()
        events.close()
    summary = summarise(config, program, seeds, progress)

    def finish():
        write_json(folder.summary_path, summary)
        return read_json(folder.summary_path)

    return share(together(finish, first_only=True))


@contextlib.contextmanager
def _hold(workdir: str | os.PathLike) -> Iterator[RunFolder]:
    """The folder of the run, which the first process holds for all."""
    held = together(lambda: Workdir(workdir), first_only=True)
    if held is None:
        yield RunFolder(workdir)
        return
    with held as folder:
        yield folder


def _look(folder: Workdir, config: Config, resume: bool) -> dict[str, Any] | None:
    """The summary, if the run is finished; else None, and the run may go on.

    Raises:
      ValueError: the folder holds another run, or a run that is not to be resumed.
    """
    if not resume:
        folder.check_free()
        return None
    _check_folder(folder, config)
    summary = folder.finished_summary()
    if summary is not None:
        check_same(folder.summary_path, summary["config"], to_dict(config))
        if not folder.config_path.exists():
            made_by = {k: summary.get(k) for k in describe_run(config)}
            write_json(folder.config_path, made_by)
    return summary


def newest_state(
    program: Program, folder: RunFolder, identity: dict[str, Any] | None = None
) -> tuple[Seeds, Progress, list[LeftOut]]:
    """The newest checkpoint, else fresh networks; and the checkpoints left out.

    Raises:
      ValueError: a checkpoint is of another run.
    """
    phase = program.phases[0]
    example = to_float(program.train.x[:1], inverted=False)

    def one_seed(seed, example):
        state = init_state(program.model, phase.optimizer, example, seed)
        return Seeds(state=state, best=first_best(state))

    init = jax.jit(
        jax.vmap(one_seed, (0, None)), out_shardings=program.placement.sharding_by_seed
    )
    seeds = init(program.seeds, example)

    def accept(values):
        progress = Progress(**values)
        if progress.phase >= len(program.phases):
            raise ValueError(f"its progress.phase is {progress.phase}")
        rows, sha256 = progress.rows, progress.metrics_sha256
        first_rows(folder.metrics_path, folder.mirror_path, rows, sha256)

    checkpoint, left_out = restore_checkpoint(
        folder.checkpoints_path, seeds, identity, accept
    )
    for bad in left_out:
        logging.warning("left out checkpoint %d: %s", bad.number, bad.reason)
    if checkpoint is None:
        return seeds, Progress(), left_out
    return checkpoint.arrays, Progress(**checkpoint.progress), left_out


def _check_folder(folder: Workdir, config: Config) -> None:
    """Checks that a folder holds this run, if any; a damaged config.json goes.

    Raises:
      ValueError: it holds another.
    """
    recorded = recorded_run(folder.checkpoints_path)
    if recorded is not None:
        recorded = {k: v for k, v in recorded.items() if k != DATASET}
        check_same(folder.path, recorded, to_dict(config))
    if not folder.config_path.exists():
        return
    try:
        there = read_config(folder.config_path)
        if recorded is not None:
            check_same(folder.config_path, there, to_dict(config))
    except ValueError as error:
        logging.warning("left out %s, written anew: %s", folder.config_path, error)
        folder.config_path.unlink()
        return
    check_same(folder.path, there, to_dict(config))


def _describe_dataset(dataset: data.Dataset) -> dict[str, str]:
    """Array -> shape, dtype and checksum: data that changed are noticed."""
    described = {}
    for field in dataclasses.fields(dataset):
        array = getattr(dataset, field.name)
        if isinstance(array, np.ndarray):
            checksum = zlib.crc32(np.ascontiguousarray(array))
            kind = f"{array.dtype}{list(array.shape)}"
            described[field.name] = f"{kind} crc32 {checksum:08x}"
    return described

"""Loop over the epochs of a phase: train, evaluate, check and save."""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Bool, Float

from noisejax.training._checkpoint import (
    Checkpoint,
    Progress,
    as_arrays,
    save_checkpoint,
)
from noisejax.training._epoch import Table, append, run_epoch
from noisejax.training._files import RunFolder
from noisejax.training._metrics import MetricsLog, Row, make_rows
from noisejax.training._nonfinite import describe_nonfinite
from noisejax.training._processes import (
    TrainingError,
    TrainingStopped,
    on_host,
    run_jointly,
)
from noisejax.training._program import Phase, Program
from noisejax.training._report import EpochProgress, describe_progress
from noisejax.training._state import (
    Seeds,
    TrainState,
    freeze_stopped,
    judge,
    restart,
)

Means = dict[str, Float[np.ndarray, " seeds"]]
"""Measurements of an epoch on one split."""


@dataclasses.dataclass
class Run:
    """A run in progress.

    Attributes:
      program: program of the run.
      folder: folder of its results.
      log: log of the metrics in process 0; None in other processes.
      identity: configuration and data, which are recorded in the checkpoints.
      origin: versions and device.
      stop_requested: function that returns True once the run must stop, see
        `stop_on_sigterm`.
      progress: progress of the run, updated in place.
    """

    program: Program
    folder: RunFolder
    log: MetricsLog | None
    identity: dict[str, Any]
    origin: dict[str, Any]
    stop_requested: Callable[[], bool]
    progress: Progress


def run_phase(run: Run, phase: Phase, seeds: Seeds, table: Table | None) -> Seeds:
    """Run the remaining epochs of a phase.

    Args:
      run: run of the phase.
      phase: phase to continue.
      seeds: states and best epochs.
      table: metrics of the finished steps of the next epoch, or None.
    """
    program, progress, stride = run.program, run.progress, 1 + run.program.passes
    retraining = phase.name == "retrain"
    if retraining and not progress.epoch and not progress.step:
        state = jax.jit(functools.partial(restart, optimizer=phase.optimizer))(seeds)
        seeds = seeds.replace(state=state)
    examples = (
        len(program.seed_numbers) * phase.batches.steps * phase.batches.batch_size
    )
    bar = EpochProgress(
        phase.name, epochs=phase.epochs, done=progress.epoch, examples=examples
    )
    with contextlib.closing(bar):
        while progress.epoch < phase.epochs:
            stopped = on_host(seeds.best.stopped) & (not retraining)
            if stopped.all():
                break
            if run.stop_requested():
                raise _stopped(run, phase)
            began = time.perf_counter() - progress.seconds
            state, means = _train(run, phase, seeds, table, stopped, began)
            measured, table = {"train": means}, None
            progress.epoch, progress.step = progress.epoch + stride, 0
            if not retraining:
                score = np.full(len(stopped), -progress.epoch, np.float32)
                if program.validation.shape[1]:
                    judged = program.evaluate(state, program.train, program.validation)
                    measured["validation"], score = judged, judged["error"]
                seeds = judge(seeds, state, score, progress.epoch, program.patience)
            else:
                seeds = seeds.replace(state=state)
            measured["test"] = program.evaluate(seeds.state, program.test)
            if retraining:
                errors = [100 * float(error) for error in measured["test"]["error"]]
                progress.retrain_errors.append(errors)
            numbers = program.seed_numbers
            rows = make_rows(phase.name, progress.epoch, numbers, measured)
            rows = [row for row in rows if not stopped[numbers.index(row["seed"])]]
            progress.rows = [*progress.rows, *rows]
            progress.seconds = time.perf_counter() - began
            _save(run, phase, seeds, rows=rows)
            bar.update(stride, describe_progress(measured))
    progress.phase += 1
    progress.epoch = 0
    return seeds


def _train(
    run: Run,
    phase: Phase,
    seeds: Seeds,
    table: Table | None,
    stopped: Bool[np.ndarray, " seeds"],
    began: float,
) -> tuple[TrainState, Means]:
    """Train for an epoch, or for a round with back-projection.

    A round finds x*, then trains for an epoch on x and for an epoch on each x*. No
    checkpoint is saved within a round.
    """
    program, progress, state, tables = run.program, run.progress, seeds.state, []
    epoch, passes, residuals = progress.epoch + 1, [(phase.steps, phase.batches)], {}
    after_call = functools.partial(_save_within, run, phase, seeds, stopped, began)
    if program.project:
        after_call, start = None, time.perf_counter()
        x_stars, residuals = program.project(state, phase.batches, phase.offset + epoch)
        passes += [(phase.star_steps, stars) for stars in x_stars]
        progress.seconds_projecting += time.perf_counter() - start
    for i, (steps, batches) in enumerate(passes):
        where = {"stopped": stopped, "epoch": epoch + i, "begin": progress.step}
        check = functools.partial(_check_finite, run, phase, steps, batches, state)
        state, table = run_epoch(
            steps,
            state,
            batches,
            phase.offset + epoch + i,
            steps_per_call=program.steps_per_call,
            begin=progress.step,
            table=table,
            check=functools.partial(check, **where),
            after_call=after_call,
        )
        tables.append(table)
        table = None
    return state, _means(append(tables)) | residuals


def _save_within(run, phase, seeds, stopped, began, step, reached) -> None:
    """Save a checkpoint within an epoch if one is due, or if the run must stop."""
    progress, every = run.progress, run.program.save_steps
    stop = run.stop_requested()
    due = every and step // every > progress.step // every
    if step == phase.batches.steps or not (stop or due):
        return  # the end of an epoch always saves a checkpoint
    state, table = reached()
    progress.step, progress.seconds = step, time.perf_counter() - began
    state = jax.jit(freeze_stopped)(stopped, seeds.state, state)
    _save(run, phase, seeds.replace(state=state), table=table)
    if stop:
        raise _stopped(run, phase)


def _means(steps: dict[str, np.ndarray]) -> Means:
    """Average the metrics over the steps of an epoch that were not skipped."""
    finite = np.isfinite(steps["loss"])
    count = np.maximum(finite.sum(1), 1)
    return {
        name: np.where(finite, values, 0).sum(1, dtype=np.float64) / count
        for name, values in steps.items()
    }


def _stopped(run: Run, phase: Phase) -> TrainingStopped:
    where = f"epoch {run.progress.epoch} ({phase.name}) of {phase.epochs}"
    if run.progress.step:
        where = f"step {run.progress.step} of epoch {run.progress.epoch + 1}"
    return TrainingStopped(
        f"stopped by SIGTERM after {where}; continue with --resume "
        f"--workdir={run.folder.path}"
    )


def _check_finite(run: Run, phase: Phase, *arguments: Any, **options: Any) -> None:
    """Check the states and the metrics of an epoch (see `describe_nonfinite`).

    Raises:
      TrainingError: a value is not finite; the message names the source.
    """
    problem = describe_nonfinite(run.program, phase, *arguments, **options)
    if problem is None:
        return
    kept = "no epoch was finished before it"
    if run.progress.rows or run.progress.step:
        kept = f"the last checkpoint before it is kept in {run.folder.path}"
    raise TrainingError(
        f"{problem}; {kept}. Lower optimizer.learning_rate, or skip such steps with "
        "training.on_nan=skip"
    )


def _save(
    run: Run,
    phase: Phase,
    seeds: Seeds,
    *,
    rows: Sequence[Row] = (),
    table: Table | None = None,
) -> None:
    """Save a checkpoint, after the rows of the epoch, if there are any."""
    epoch = phase.offset + run.progress.epoch
    arrays = as_arrays(seeds) | {f"table.{k}": v for k, v in (table or {}).items()}
    try:
        if rows:
            run_jointly(lambda: run.log.write(rows, epoch), first_only=True)
        save_checkpoint(
            run.folder.checkpoints_path,
            Checkpoint(arrays, run.progress, run.identity, run.origin),
        )
    except jax.errors.JaxRuntimeError:
        raise  # the error of another process, not of the disk
    except Exception as error:  # Orbax raises many types for a full disk
        raise TrainingError(
            f"epoch {run.progress.epoch} ({phase.name}) cannot be written to "
            f"{run.folder.path}: {error}; the checkpoints before it are kept: make "
            "room, then continue with --resume"
        ) from error

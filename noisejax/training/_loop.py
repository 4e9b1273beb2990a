"""The epochs of a phase, on the host: trained, measured, checked, saved and shown."""

import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Bool, Float
from tqdm import tqdm

from noisejax.training._checkpoint import Checkpoint, as_arrays, save_checkpoint
from noisejax.training._epoch import Table, run_epoch
from noisejax.training._errors import TrainingError, TrainingStopped
from noisejax.training._files import RunFolder
from noisejax.training._metrics import (
    MetricsLog,
    Row,
    describe_progress,
    make_rows,
)
from noisejax.training._nonfinite import describe_nonfinite
from noisejax.training._processes import is_first, on_host, together
from noisejax.training._program import Phase, Program, all_rows, evaluate
from noisejax.training._record import Progress
from noisejax.training._state import (
    Seeds,
    TrainState,
    freeze_stopped,
    restart,
    update_best,
)

Means = dict[str, Float[np.ndarray, " seeds"]]
"""Measurements of an epoch on one split."""


@dataclasses.dataclass
class Run:
    """A run in progress.

    Attributes:
      program: program of the run.
      folder: folder of its results.
      log: log of its metrics; None in all processes but the first.
      identity: configuration and data that its checkpoints belong to.
      made_by: versions and device.
      stop_asked: True if the run shall stop; every call counts (`stop_on_sigterm`).
      progress: position of the run; it is advanced.
    """

    program: Program
    folder: RunFolder
    log: MetricsLog | None
    identity: dict[str, Any]
    made_by: dict[str, Any]
    stop_asked: Callable[[], bool]
    progress: Progress


def run_phase(run: Run, phase: Phase, seeds: Seeds, table: Table | None) -> Seeds:
    """Run the remaining epochs of a phase.

    Args:
      run: run of the phase.
      phase: phase to continue.
      seeds: states and best epochs.
      table: metrics of the finished steps of the next epoch, if there are any.
    """
    program, progress, stride = run.program, run.progress, 1 + run.program.passes
    retraining = phase.name == "retrain"
    if retraining and not progress.epoch and not progress.step:
        state = jax.jit(functools.partial(restart, optimizer=phase.optimizer))(seeds)
        seeds = seeds.replace(state=state)
    judge = _make_judge(program.patience)
    with tqdm(
        total=phase.epochs,
        initial=progress.epoch,
        desc=phase.name,
        unit="epoch",
        disable=not is_first(),
    ) as bar:
        while progress.epoch < phase.epochs:
            stopped = on_host(seeds.best.stopped) & (not retraining)
            if stopped.all():
                break
            if run.stop_asked():
                raise _stopped(run, phase)
            began = time.perf_counter() - progress.seconds
            train = _train_round if program.project else _train_epoch
            state, measured = train(run, phase, seeds, table, stopped, began)
            measured, table, best = {"train": measured}, None, seeds.best
            progress.epoch, progress.step = progress.epoch + stride, 0
            if not retraining:
                score = np.full(len(stopped), -progress.epoch, np.float32)
                if program.validation.shape[1]:
                    judged = evaluate(program, state, program.train, program.validation)
                    measured["validation"], score = judged, judged["error"]
                state, best = judge(seeds, state, score, progress.epoch)
            measured["test"] = evaluate(program, state, program.test)
            if retraining:
                errors = [100 * float(error) for error in measured["test"]["error"]]
                progress.retrain_errors.append(errors)
            seeds = Seeds(state=state, best=best)
            numbers = program.seed_numbers
            rows = make_rows(phase.name, progress.epoch, numbers, measured)
            rows = [row for row in rows if not stopped[numbers.index(row["seed"])]]
            progress.rows = [*progress.rows, *rows]
            progress.seconds = time.perf_counter() - began
            _save(run, phase, seeds, rows=rows)
            bar.set_postfix_str(describe_progress(measured))
            bar.update(stride)
    progress.phase += 1
    progress.epoch = 0
    return seeds


def _train_epoch(
    run: Run,
    phase: Phase,
    seeds: Seeds,
    table: Table | None,
    stopped: Bool[np.ndarray, " seeds"],
    began: float,
) -> tuple[TrainState, Means]:
    """Train for the next epoch; save and stop within it if that is asked for."""
    progress, begin, every = run.progress, run.progress.step, run.program.save_steps
    epoch, before = progress.epoch + 1, seeds.state
    check = functools.partial(
        _check_finite,
        run,
        phase,
        phase.steps,
        phase.batches,
        before,
        stopped=stopped,
        epoch=epoch,
        begin=begin,
    )

    def after_call(step, reached):
        stop = run.stop_asked()
        due = every and step // every > progress.step // every
        if step == phase.batches.steps or not (stop or due):
            return  # a checkpoint is saved at the end of the epoch, if at all
        state, table = reached()
        check(state, table)
        progress.step, progress.seconds = step, time.perf_counter() - began
        state = jax.jit(freeze_stopped)(stopped, before, state)
        _save(run, phase, seeds.replace(state=state), table=table)
        if stop:
            raise _stopped(run, phase)

    state, table = run_epoch(
        phase.steps,
        before,
        phase.batches,
        phase.offset + epoch,
        steps_per_call=run.program.steps_per_call,
        begin=begin,
        table=table,
        after_call=after_call,
    )
    check(state, table)
    return state, _means(table)


def _train_round(
    run: Run,
    phase: Phase,
    seeds: Seeds,
    table: Table | None,
    stopped: Bool[np.ndarray, " seeds"],
    began: float,
) -> tuple[TrainState, Means]:
    """Find x*, then train for an epoch on x and one on each x*."""
    del table, began  # rounds are saved whole
    program, progress, batches = run.program, run.progress, phase.batches
    epoch, tables, start = progress.epoch + 1, [], time.perf_counter()
    x_star, residuals = program.project(seeds.state, batches, phase.offset + epoch)
    progress.seconds_projecting += time.perf_counter() - start
    stars = dataclasses.replace(
        batches,
        y=batches.y[batches.indices],
        indices=all_rows(program.seeds, batches.indices.shape[1]),
        by_seed=True,
    )
    passes = [(phase.steps, batches)]
    for i in range(program.passes):
        passes.append((phase.star_steps, dataclasses.replace(stars, x=x_star[:, i])))
    state = seeds.state
    for i, (steps, examples) in enumerate(passes):
        before = state
        state, table = run_epoch(
            steps,
            before,
            examples,
            phase.offset + epoch + i,
            steps_per_call=program.steps_per_call,
        )
        _check_finite(
            run,
            phase,
            steps,
            examples,
            before,
            state,
            table,
            stopped=stopped,
            epoch=epoch + i,
            begin=0,
        )
        tables.append(table)
    columns = {
        name: np.concatenate([table[name] for table in tables], axis=1)
        for name in tables[0]
    }
    return state, _means(columns) | residuals


def _make_judge(patience: int) -> Callable[..., tuple[TrainState, Any]]:
    """Make (seeds, state, score, epoch) -> (state, best); stopped seeds stay as is."""

    def judge(before, state, score, epoch):
        update = functools.partial(update_best, patience=patience)
        best = jax.vmap(update, (0, 0, 0, None))(before.best, state, score, epoch)
        if patience:
            state = freeze_stopped(before.best.stopped, before.state, state)
        return state, best

    return jax.jit(judge)


def _means(steps: dict[str, np.ndarray]) -> Means:
    """The means over the steps of an epoch that were not skipped."""
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


def _check_finite(run: Run, phase: Phase, *arguments: Any, **where: Any) -> None:
    """Check the states and the metrics of an epoch (see `describe_nonfinite`).

    Raises:
      TrainingError: a value is not finite; the message says where it came from.
    """
    found = describe_nonfinite(run.program, phase, *arguments, **where)
    if found is not None:
        kept = "no epoch was finished before it"
        if run.progress.rows or run.progress.step:
            kept = f"the last checkpoint before it is kept in {run.folder.path}"
        raise TrainingError(
            f"{found}; {kept}. Lower optimizer.learning_rate, or skip such steps with "
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
    """Save the rows and the checkpoint of an epoch, or of a part of it."""
    epoch = phase.offset + run.progress.epoch
    arrays = as_arrays(seeds) | {f"table.{k}": v for k, v in (table or {}).items()}
    try:
        if rows:
            together(lambda: run.log.write(rows, epoch), first_only=True)
        save_checkpoint(
            run.folder.checkpoints_path,
            Checkpoint(arrays, run.progress, run.identity, run.made_by),
        )
    except jax.errors.JaxRuntimeError:
        raise  # another process: not the disk
    except Exception as error:  # a full disk: Orbax raises types of its own
        raise TrainingError(
            f"epoch {run.progress.epoch} ({phase.name}) cannot be written to "
            f"{run.folder.path}: {error}; the checkpoints before it are kept: make "
            "room, then continue with --resume"
        ) from error

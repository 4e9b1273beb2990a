"""The epochs of a phase, on the host: trained, measured, checked, saved and shown."""

import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Bool, Float, Int
from tqdm import tqdm

from noisejax.training._checkpoint import Checkpoint, Progress, save_checkpoint
from noisejax.training._epoch import Call, Table, run_epoch
from noisejax.training._errors import TrainingError, TrainingStopped
from noisejax.training._examples import Examples
from noisejax.training._files import RunFolder
from noisejax.training._metrics import MetricsLog, Row
from noisejax.training._nonfinite import all_finite, find_nonfinite
from noisejax.training._processes import is_first, on_host, together
from noisejax.training._program import Phase, Program
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
            rows = _as_rows(run, phase, measured, stopped)
            progress.rows = [*progress.rows, *rows]
            progress.seconds = time.perf_counter() - began
            _save(run, phase, seeds, rows=rows)
            bar.set_postfix_str(_postfix(measured))
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

    def after_call(step, reached):
        stop = run.stop_asked()
        due = every and step // every > progress.step // every
        if step == phase.batches.steps or not (stop or due):
            return  # a checkpoint is saved at the end of the epoch, if at all
        state, table = reached()
        _check_finite(
            run, phase.call, phase, before, state, table, stopped, epoch, begin
        )
        progress.step, progress.seconds = step, time.perf_counter() - began
        state = jax.jit(freeze_stopped)(stopped, before, state)
        _save(run, phase, seeds.replace(state=state), table=table)
        if stop:
            raise _stopped(run, phase)

    state, table = run_epoch(
        phase.call,
        before,
        phase.batches,
        phase.offset + epoch,
        steps_per_call=run.program.steps_per_call,
        begin=begin,
        table=table,
        after_call=after_call,
    )
    _check_finite(run, phase.call, phase, before, state, table, stopped, epoch, begin)
    return state, _means(on_host(table))


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
    epoch, tables, begin = progress.epoch + 1, [], time.perf_counter()
    x_star, residuals = program.project(seeds.state, batches, phase.offset + epoch)
    progress.seconds_projecting += time.perf_counter() - begin
    stars = dataclasses.replace(
        batches,
        y=batches.y[batches.indices],
        indices=all_rows(program.seeds, batches.indices.shape[1]),
        by_seed=True,
    )
    passes = [(phase.call, batches)]
    for i in range(program.passes):
        passes.append((phase.star_call, dataclasses.replace(stars, x=x_star[:, i])))
    state = seeds.state
    for i, (call, examples) in enumerate(passes):
        before = state
        state, table = run_epoch(
            call,
            before,
            examples,
            phase.offset + epoch + i,
            steps_per_call=program.steps_per_call,
        )
        part = dataclasses.replace(phase, batches=examples)
        _check_finite(run, call, part, before, state, table, stopped, epoch + i, 0)
        tables.append(on_host(table))
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


@functools.partial(jax.jit, static_argnums=1)
def all_rows(seeds: Int[jax.Array, " seeds"], n: int) -> Int[jax.Array, "seeds n"]:
    """All of n rows, for each seed."""
    return jnp.broadcast_to(jnp.arange(n, dtype=jnp.int32), (seeds.shape[0], n))


def evaluate(
    program: Program,
    state: Any,
    examples: Examples,
    indices: Int[jax.Array, "seeds n"] | None = None,
) -> Means:
    """Evaluate all seeds on all examples, or on those of `indices`.

    Args:
      program: program of the run.
      state: states of the seeds, with `params` and `batch_stats`.
      examples: examples on the device or on the host.
      indices: rows of the examples; None: all.
    """
    if indices is None:
        indices = all_rows(program.seeds, len(examples.y))
    return program.evaluate(state, examples.x, examples.y, indices)


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


def _check_finite(
    run: Run,
    call: Call,
    phase: Phase,
    before: TrainState,
    state: TrainState,
    table: Table,
    stopped: Bool[np.ndarray, " seeds"],
    epoch: int,
    begin: int,
) -> None:
    """Check that no seed has reached NaN or infinity since step `begin` of an epoch.

    Raises:
      TrainingError: one has; the message says where the value came from.
    """
    program = run.program
    finite = np.isfinite(on_host(table["loss"]))
    bad = ~on_host(all_finite(state)) | ~(
        finite.any(1) if program.skips else finite.all(1)
    )
    bad &= ~stopped
    if not bad.any():
        return
    i = int(np.argmax(bad))
    on_x = call is phase.call  # x* is neither inverted nor augmented
    step = finite.shape[1] - 1 if finite[i].all() else int(np.argmin(finite[i]))
    found = find_nonfinite(
        call,
        before,
        phase.batches,
        phase.offset + epoch,
        i,
        begin=begin,
        model=program.model,
        task=program.task,
        microbatches=program.microbatches,
        inverted=program.prepared.inverted and on_x,
        augment=program.augment and on_x,
    )
    step, what = found or (step, "the loss or a gradient is not finite")
    kept = "no epoch was finished before it"
    if phase.offset + epoch > 1 or run.progress.step:
        kept = f"the last checkpoint before it is kept in {run.folder.path}"
    raise TrainingError(
        f"{what} at step {step + 1} of epoch {epoch} ({phase.name}), seed "
        f"{program.seed_numbers[i]}; {kept}. Lower optimizer.learning_rate, or skip "
        "such steps with training.on_nan=skip"
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


def as_arrays(tree: Any) -> dict[str, Any]:
    """Flatten a tree to a dict, which can be read without our classes."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): leaf for path, leaf in leaves}


def _as_rows(
    run: Run,
    phase: Phase,
    measured: dict[str, Means],
    stopped: Bool[np.ndarray, " seeds"],
) -> list[Row]:
    """Make one row per split and seed that still trains."""
    return [
        {
            "phase": phase.name,
            "split": split,
            "epoch": run.progress.epoch,
            "seed": seed,
            "loss": float(means["loss"][i]),
            "error_percent": 100 * float(means["error"][i]),
            **{k: float(v[i]) for k, v in means.items() if k not in ("loss", "error")},
        }
        for split, means in measured.items()
        for i, seed in enumerate(run.program.seed_numbers)
        if not stopped[i]
    ]


def _postfix(measured: dict[str, Means]) -> str:
    judged = "validation" if "validation" in measured else "test"
    loss = float(np.mean(measured["train"]["loss"]))
    error = 100 * float(np.mean(measured[judged]["error"]))
    return f"loss {loss:.4f}, {judged} error {error:.2f} %"

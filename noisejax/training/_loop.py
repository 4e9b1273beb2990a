"""The epochs of a phase, on the host: run, measured, checked, kept, shown."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Bool
from tqdm import tqdm

from noisejax.training._checkpoint import Checkpoint, save_checkpoint
from noisejax.training._config import Config
from noisejax.training._epoch import all_indices
from noisejax.training._errors import TrainingError, TrainingStopped
from noisejax.training._metrics import MetricsLog, Row
from noisejax.training._nonfinite import all_finite
from noisejax.training._phases import Examples, Phase, Program
from noisejax.training._processes import gather, is_first, on_host, together
from noisejax.training._progress import Progress, Seeds
from noisejax.training._projection import run_round
from noisejax.training._state import TrainState, restart, update_best
from noisejax.training._tensorboard import EventFiles
from noisejax.training._workdir import RunFolder

Measured = list[tuple[str, dict[str, Array]]]
"""Split -> loss and error, per seed."""

_all_finite = jax.jit(jax.vmap(all_finite))
"""Of every seed; compiled once, not in every epoch."""


@dataclasses.dataclass
class Run:
    """A run in progress.

    Attributes:
      config: of the run.
      program: what it computes with.
      folder: where its results go.
      log: of its metrics; None: another process writes it.
      events: likewise, for TensorBoard.
      identity: what its checkpoints are of.
      made_by: versions and device.
      stop_asked: whether it shall stop.
    """

    config: Config
    program: Program
    folder: RunFolder
    log: MetricsLog | None
    events: EventFiles
    identity: dict[str, Any]
    made_by: dict[str, Any]
    stop_asked: Callable[[], bool]


def run_phase(run: Run, phase: Phase, seeds: Seeds, progress: Progress) -> Seeds:
    """The epochs of a phase that are still to be done."""
    retraining = phase.name == "retrain"
    if retraining and not progress.epoch:
        begin = jax.jit(jax.vmap(lambda s: restart(s.state, phase.optimizer, s.best)))
        seeds = seeds.replace(state=begin(seeds))
    judge = _make_judge(run.config.training.patience)
    with tqdm(
        total=phase.epochs,
        initial=progress.epoch,
        desc=phase.name,
        unit="epoch",
        disable=not is_first(),
    ) as bar:
        began = time.perf_counter()
        while progress.epoch < phase.epochs:
            stopped = on_host(seeds.best.stopped) & (not retraining)
            if stopped.all():
                break
            _stop_if_asked(run, phase, progress)
            seeds, measured = _run_epoch(run, phase, seeds, progress, judge, stopped)
            progress.epoch += phase.stride
            if retraining:
                errors = dict(measured)["test"]["error"]
                progress.retrain_errors.append([100 * float(e) for e in errors])
            numbers = run.program.seed_numbers
            rows = _as_rows(phase, progress.epoch, measured, numbers, stopped)
            now = time.perf_counter()
            progress.seconds, began = progress.seconds + now - began, now
            _keep(run, phase, seeds, progress, rows)
            bar.set_postfix_str(_postfix(measured))
            bar.update(phase.stride)
    progress.phase += 1
    progress.epoch = 0
    return seeds


def _run_epoch(
    run: Run,
    phase: Phase,
    seeds: Seeds,
    progress: Progress,
    judge: Callable[..., Seeds],
    stopped: Bool[np.ndarray, " seeds"],
) -> tuple[Seeds, Measured]:
    """The next epoch of all seeds, or all epochs of a round, measured."""
    program, train = run.program, run.program.train
    epoch = progress.epoch + 1
    arguments = (
        jax.tree.map(jnp.copy, seeds.state),  # the epoch donates what it is given
        train.x,
        train.y,
        phase.indices,
        program.seeds,
        phase.offset + epoch,
    )
    residuals: dict[str, Any] = {}
    if phase.projection is None:
        state, steps = phase.epoch(*arguments)
    else:
        done = run_round(phase.projection, phase.epoch, *arguments)
        state, steps, residuals = done.state, done.steps, done.residuals
        progress.seconds_projecting += done.seconds_projecting
    steps = on_host(steps)
    _check_finite(run, phase, seeds, state, epoch, steps["loss"], stopped)
    epoch += phase.stride - 1
    measured = [("train", _means(steps) | residuals)]
    best = seeds.best
    if phase.name != "retrain":
        score = np.full(len(program.seed_numbers), -epoch, np.float32)
        if program.validation.shape[1]:
            judged = evaluate(program, state, train, program.validation)
            measured.append(("validation", judged))
            score = judged["error"]
        state, best = judge(seeds, state, score, epoch)
    measured.append(("test", evaluate(program, state, program.test)))
    return Seeds(state=state, best=best), measured


def _make_judge(patience: int) -> Callable[..., tuple[TrainState, Any]]:
    """(seeds, state, score, epoch) -> (state, best): a stopped seed stays as it is."""

    def one_seed(old, state, score, epoch):
        best = update_best(old.best, state, score, epoch, patience=patience)
        if patience:
            state = jax.tree.map(
                lambda o, s: jnp.where(old.best.stopped, o, s), old.state, state
            )
        return state, best

    return jax.jit(jax.vmap(one_seed, in_axes=(0, 0, 0, None)))


def evaluate(
    program: Program, state: Any, examples: Examples, indices: Array | None = None
) -> dict[str, Array]:
    """Means per seed, over all examples or those of `indices`.

    Args:
      program: of the run.
      state: of the seeds: has `params` and `batch_stats`.
      examples: that `indices` [N, n] choose from.
      indices: None: all.
    """
    if indices is None:
        indices = all_indices(program.seeds, len(examples.y))
    return on_host(
        program.evaluate(
            state.params, state.batch_stats, examples.x, examples.y, indices
        )
    )


def _means(steps: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Over the steps of an epoch; over those that were not left out."""
    finite = np.isfinite(steps["loss"])
    count = np.maximum(finite.sum(1), 1)
    return {
        name: np.where(finite, values, 0).sum(1, dtype=np.float64) / count
        for name, values in steps.items()
    }


def _stop_if_asked(run: Run, phase: Phase, progress: Progress) -> None:
    if any(gather(run.stop_asked())):  # of all processes at the same epoch
        raise TrainingStopped(
            f"stopped by SIGTERM after epoch {progress.epoch} ({phase.name}) of "
            f"{phase.epochs}; continue with --resume --workdir={run.folder.path}"
        )


def _check_finite(run, phase, seeds, state, epoch, losses, stopped) -> None:
    """Stops at NaN or infinity, and finds out where it came from."""
    whole = on_host(_all_finite((state.params, state.batch_stats)))
    if run.config.training.on_nan == "skip":
        bad = ~whole | ~np.isfinite(losses).any(1)
    else:
        bad = ~whole | ~np.isfinite(losses).all(1)
    bad &= ~stopped
    if not bad.any():
        return
    i = int(np.argmax(bad))
    program = run.program
    finite = np.isfinite(losses[i])  # all of them: the last step broke the parameters
    step = len(finite) - 1 if finite.all() else int(np.argmin(finite))
    what = "the loss or a gradient"
    if phase.search is not None:
        step, what = phase.search(
            jax.tree.map(lambda leaf: leaf[i], seeds.state),
            program.train.x,
            program.train.y,
            phase.indices[i],
            program.seeds[i],
            phase.offset + epoch,
        )
    kept = "no epoch was finished before it"
    if phase.offset + epoch > 1:
        kept = f"the checkpoint of the epoch before it is kept in {run.folder.path}"
    raise TrainingError(
        f"{what} at step {step + 1} of epoch {epoch} ({phase.name}), seed "
        f"{program.seed_numbers[i]}; {kept}. Lower optimizer.learning_rate, or leave "
        "such steps out with training.on_nan=skip"
    )


def _keep(run, phase, seeds, progress, rows) -> None:
    """Writes the rows and the checkpoint of an epoch."""

    def write():
        run.log.write(rows)
        run.events.write(rows, phase.offset + progress.epoch)
        progress.rows, progress.metrics_sha256 = run.log.count, run.log.sha256

    try:
        together(write, first_only=True)
        save_checkpoint(
            run.folder.checkpoints_path,
            Checkpoint(seeds, dataclasses.asdict(progress), run.identity, run.made_by),
        )
    except jax.errors.JaxRuntimeError:
        raise  # another process: not the disk
    except Exception as error:  # a full disk: Orbax has errors of its own
        raise TrainingError(
            f"epoch {progress.epoch} ({phase.name}) cannot be written to "
            f"{run.folder.path}: {error}; the checkpoints before it are kept: make "
            "room, then continue with --resume"
        ) from error


def _as_rows(phase, epoch, measured, seeds, stopped) -> list[Row]:
    """One row per split and seed that still trains."""
    return [
        {
            "phase": phase.name,
            "split": split,
            "epoch": epoch,
            "seed": seed,
            "loss": float(values["loss"][i]),
            "error_percent": 100 * float(values["error"][i]),
            **{
                name: float(value[i])
                for name, value in values.items()
                if name not in ("loss", "error")
            },
        }
        for split, values in measured
        for i, seed in enumerate(seeds)
        if not stopped[i]
    ]


def _postfix(measured: Measured) -> str:
    by_split = dict(measured)
    judged = "validation" if "validation" in by_split else "test"
    loss = float(np.mean(by_split["train"]["loss"]))
    error = 100 * float(np.mean(by_split[judged]["error"]))
    return f"loss {loss:.4f}, {judged} error {error:.2f} %"

"""A training run, on the host: phases of epochs, measured, kept, and shown."""

import dataclasses
import os
import pathlib
import time
from typing import Any

import chex
import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array
from tqdm import tqdm

from noisejax import data
from noisejax.training._check import check_config
from noisejax.training._checkpoint import (
    Checkpoint,
    restore_checkpoint,
    save_checkpoint,
    tree_sha256,
)
from noisejax.training._config import Config
from noisejax.training._epoch import all_indices, to_float
from noisejax.training._metrics import MetricsLog, Row
from noisejax.training._phases import Phase, Program, build_program
from noisejax.training._state import (
    Best,
    TrainState,
    first_best,
    init_state,
    restart,
    update_best,
)
from noisejax.training._summary import spread
from noisejax.training._workdir import Workdir, describe_run, read_json, write_json


class TrainingError(RuntimeError):
    """Training cannot go on; what was reached is kept."""


@chex.dataclass(frozen=True)
class Seeds:
    """The states of all seeds, stacked, and their best epochs so far."""

    state: TrainState
    best: Best


@dataclasses.dataclass
class Progress:
    """Where a run stands, besides its arrays: what a checkpoint keeps as plain values.

    Attributes:
      phase: index of the phase.
      epoch: epochs of it that are done.
      rows: of the metrics log.
      seconds: spent so far, over all resumes.
      retrain_errors: test errors in percent of the retraining epochs, per seed.
    """

    phase: int = 0
    epoch: int = 0
    rows: int = 0
    seconds: float = 0.0
    retrain_errors: list[list[float]] = dataclasses.field(default_factory=list)


def train(
    config: Config,
    workdir: str | os.PathLike,
    *,
    data_dir: str | os.PathLike | None = None,
    resume: bool = False,
) -> dict[str, Any]:
    """Trains, and leaves in a folder what DESIGN calls a run.

    Args:
      config: of the run.
      workdir: its folder; created.
      data_dir: the TFDS data directory.
      resume: continue the run in the folder, if it holds one.

    Returns:
      The summary, as in summary.json.

    Raises:
      ValueError, TypeError, FileNotFoundError: something is wrong with the
        configuration, the data or the folder; nothing was overwritten.
      TrainingError: a loss is not finite.
    """
    check_config(config)
    folder = Workdir(workdir)
    if resume and folder.summary_path.exists():
        folder.begin(config, resume=True)
        return read_json(folder.summary_path)
    program = build_program(config, data.load_dataset(config.data.name, data_dir))
    folder.begin(config, resume=resume)
    seeds, progress = newest_state(program, folder.checkpoints_path)
    log = MetricsLog(folder.metrics_path, progress.rows)
    try:
        for phase in program.phases[progress.phase :]:
            seeds = _run_phase(config, program, phase, seeds, progress, folder, log)
    finally:
        log.close()
    summary = _summarise(config, program, seeds, progress)
    write_json(folder.summary_path, summary)
    return summary


def newest_state(program: Program, checkpoints: pathlib.Path) -> tuple[Seeds, Progress]:
    """The newest checkpoint, else fresh networks."""
    phase = program.phases[0]
    example = to_float(program.train.x[:1], inverted=False)
    init = jax.jit(
        jax.vmap(lambda seed: init_state(program.model, phase.optimizer, example, seed))
    )
    state = init(program.seeds)
    seeds = Seeds(state=state, best=jax.vmap(first_best)(state))
    checkpoint = restore_checkpoint(checkpoints, seeds)
    if checkpoint is None:
        return seeds, Progress()
    return checkpoint.arrays, Progress(**checkpoint.info)


def _run_phase(
    config: Config,
    program: Program,
    phase: Phase,
    seeds: Seeds,
    progress: Progress,
    folder: Workdir,
    log: MetricsLog,
) -> Seeds:
    """The epochs of a phase that are still to be done."""
    retraining = phase.name == "retrain"
    if retraining and not progress.epoch:
        begin = jax.jit(jax.vmap(lambda s: restart(s.state, phase.optimizer, s.best)))
        seeds = seeds.replace(state=begin(seeds))
    better = jax.jit(
        jax.vmap(
            lambda best, state, score, epoch: update_best(
                best, state, score, epoch, patience=config.training.patience
            ),
            in_axes=(0, 0, 0, None),
        )
    )
    bar = tqdm(
        total=phase.epochs, initial=progress.epoch, desc=phase.name, unit="epoch"
    )
    with bar:
        while progress.epoch < phase.epochs:
            began = time.perf_counter()
            stopped = np.asarray(seeds.best.stopped)
            if stopped.all() and not retraining:
                break
            epoch = progress.epoch + 1
            state, steps = phase.epoch(
                jax.tree.map(jnp.copy, seeds.state),
                program.train.x,
                program.train.y,
                phase.indices,
                program.seeds,
                phase.offset + epoch,
            )
            steps = {name: np.asarray(values) for name, values in steps.items()}
            _check_finite(config, phase, epoch, steps["loss"], program.seeds)
            rows = [("train", {name: values.mean(1) for name, values in steps.items()})]
            best = seeds.best
            if not retraining:
                score = jnp.full(len(program.seeds), -float(epoch))
                if program.validation.shape[1]:
                    measured = _evaluate(
                        program, state, program.train, program.validation
                    )
                    rows.append(("validation", measured))
                    score = measured["error"]
                best = better(seeds.best, state, score, epoch)
            test = _evaluate(program, state, program.test)
            rows.append(("test", test))
            seeds = Seeds(state=state, best=best)
            progress.epoch = epoch
            if retraining:
                errors = [100 * float(error) for error in test["error"]]
                progress.retrain_errors.append(errors)
            progress.seconds += time.perf_counter() - began
            log.write(
                _as_rows(phase, epoch, rows, program.seeds, stopped & ~retraining)
            )
            progress.rows = log.count
            checkpoint = Checkpoint(seeds, dataclasses.asdict(progress))
            save_checkpoint(folder.checkpoints_path, checkpoint)
            bar.set_postfix_str(_postfix(rows))
            bar.update()
    progress.phase += 1
    progress.epoch = 0
    return seeds


def _evaluate(program, state, examples, indices=None) -> dict[str, Array]:
    """Means per seed, over all examples or those of `indices`."""
    if indices is None:
        indices = all_indices(program.seeds, len(examples.y))
    return program.evaluate(
        state.params, state.batch_stats, examples.x, examples.y, indices
    )


def _check_finite(config, phase, epoch, losses, seeds) -> None:
    bad = np.argwhere(~np.isfinite(losses))
    if not len(bad) or config.training.on_nan == "skip":
        return
    seed, step = bad[np.argmin(bad[:, 1])]
    raise TrainingError(
        f"the loss is {losses[seed, step]} at step {step + 1} of epoch {epoch} "
        f"({phase.name}), seed {int(seeds[seed])}; the checkpoint of epoch {epoch - 1} "
        "is kept. Lower optimizer.learning_rate, or leave such steps out with "
        "training.on_nan=skip"
    )


def _as_rows(phase, epoch, measured, seeds, stopped) -> list[Row]:
    """One row per split and seed that still trains."""
    return [
        {
            "phase": phase.name,
            "split": split,
            "epoch": epoch,
            "seed": int(seed),
            "loss": float(values["loss"][i]),
            "error_percent": 100 * float(values["error"][i]),
        }
        for split, values in measured
        for i, seed in enumerate(seeds)
        if not stopped[i]
    ]


def _postfix(measured) -> str:
    by_split = dict(measured)
    judged = "validation" if "validation" in by_split else "test"
    loss = float(np.mean(by_split["train"]["loss"]))
    error = 100 * float(np.mean(by_split[judged]["error"]))
    return f"loss {loss:.4f}, {judged} error {error:.2f} %"


def _summarise(config, program, seeds, progress) -> dict[str, Any]:
    retrained = len(program.phases) > 1
    chosen = seeds.state if retrained else seeds.best
    test = _evaluate(program, chosen, program.test)
    errors = [100 * float(error) for error in test["error"]]
    if retrained:  # the mean of the last half (Bouthillier et al. 2015, section 5.2)
        half = max(config.training.retrain_epochs // 2, 1)
        errors = np.mean(progress.retrain_errors[-half:], axis=0).tolist()
    shas = [
        tree_sha256(jax.tree.map(lambda leaf, i=i: leaf[i], chosen.params))
        for i in range(len(program.seeds))
    ]
    validated = bool(program.validation.shape[1])
    return {
        "test_error_percent": spread(errors),
        "test_loss": spread([float(loss) for loss in test["loss"]]),
        "validation_error_percent": spread(
            [100 * float(score) for score in seeds.best.score]
        )
        if validated
        else None,
        "num_seeds": len(program.seeds),
        "seeds": [int(seed) for seed in program.seeds],
        "epochs": config.training.epochs,
        "retrain_epochs": config.training.retrain_epochs,
        "best_epoch": [int(epoch) for epoch in seeds.best.epoch],
        "skipped_steps": [int(skipped) for skipped in seeds.state.skipped],
        "num_parameters": sum(leaf[0].size for leaf in jax.tree.leaves(chosen.params)),
        "params_sha256": shas[0] if len(shas) == 1 else tree_sha256(chosen.params),
        "params_sha256_per_seed": shas,
        "seconds": progress.seconds,
        **describe_run(config),
    }

"""Summary of a run: test errors with their spread, and their provenance."""

import hashlib
import math
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, PyTree

from noisejax import data
from noisejax.training._config import Config
from noisejax.training._metrics import hash_rows
from noisejax.training._processes import on_host
from noisejax.training._program import Program
from noisejax.training._record import Progress, describe_run
from noisejax.training._state import Seeds


def spread(values: list[float]) -> dict[str, Any]:
    """The mean, its standard error, and the values.

    Args:
      values: values, one per seed.

    Returns:
      {"mean", "standard_error" (None for one seed), "per_seed"}.
    """
    error = None
    if len(values) > 1:
        error = float(np.std(values, ddof=1) / math.sqrt(len(values)))
    return {
        "mean": float(np.mean(values)),
        "standard_error": error,
        "per_seed": [float(value) for value in values],
    }


def show_spread(values: dict[str, Any], unit: str = "%") -> str:
    """Format a spread: "1.53 ± 0.04 % (n = 3)"."""
    n = len(values["per_seed"])
    error = values["standard_error"]
    plus_minus = "" if error is None else f" ± {error:.2f}"
    return f"{values['mean']:.2f}{plus_minus} {unit} (n = {n})"


def summarise(
    config: Config, program: Program, seeds: Seeds, progress: Progress
) -> dict[str, Any]:
    """The contents of summary.json."""
    retrained = len(program.phases) > 1
    chosen = seeds.state if retrained else seeds.best
    test = program.evaluate(chosen, program.test)
    errors = [100 * float(error) for error in test["error"]]
    indices = program.phases[-1].batches.indices
    trained_on = program.evaluate(chosen, program.train, indices)
    if retrained:  # the mean of the last half (Bouthillier et al. 2015, section 5.2)
        half = max(len(progress.retrain_errors) // 2, 1)
        errors = np.mean(progress.retrain_errors[-half:], axis=0).tolist()
    params, best = on_host((chosen.params, seeds.best.replace(params={})))
    targets = {}
    if isinstance(dataset := program.prepared.dataset, data.RealTargets):
        rmse = dataset.scale * np.sqrt(np.asarray(errors) / 100)
        targets["test_rmse"] = spread(rmse.tolist())
        targets["target_mean"] = dataset.mean.tolist()
        targets["target_scale"] = dataset.scale
    skipped = on_host(seeds.state.skipped)
    shas = [
        tree_sha256(jax.tree.map(lambda leaf, i=i: leaf[i], params))
        for i in range(len(program.seed_numbers))
    ]
    validation = None
    if program.validation.shape[1]:
        validation = spread([100 * float(score) for score in best.score])
    return {
        "test_error_percent": spread(errors),
        **targets,
        "test_loss": spread([float(loss) for loss in test["loss"]]),
        "train_error_percent": spread([100 * float(e) for e in trained_on["error"]]),
        "validation_error_percent": validation,
        "num_seeds": len(program.seed_numbers),
        "seeds": list(program.seed_numbers),
        "epochs": config.training.epochs,
        "retrain_epochs": config.training.retrain_epochs,
        "best_epoch": [int(epoch) for epoch in best.epoch],
        "skipped_steps": [int(count) for count in skipped],
        "num_parameters": sum(leaf[0].size for leaf in jax.tree.leaves(params)),
        "params_sha256": shas[0] if len(shas) == 1 else tree_sha256(params),
        "params_sha256_per_seed": shas,
        "metrics_sha256": hash_rows(progress.rows),
        "seconds": progress.seconds,
        **_last_effective_samples(config, progress),
        **_seconds_apart(config, progress),
        **describe_run(config),
    }


def _last_effective_samples(config: Config, progress: Progress) -> dict[str, Any]:
    """Effective number of samples, 1 / Σ w², in the last epoch of each seed; S > 1."""
    if config.objective.num_samples == 1:
        return {}
    rows = [row for row in progress.rows if row.get("effective_samples") is not None]
    last = {row["seed"]: row["effective_samples"] for row in rows}
    return {"effective_samples": spread(list(last.values()))} if last else {}


def _seconds_apart(config: Config, progress: Progress) -> dict[str, float]:
    """Seconds spent on finding x* and on training, in back-projection mode."""
    if config.training.mode != "back_projection":
        return {}
    return {
        "seconds_projecting": progress.seconds_projecting,
        "seconds_training": progress.seconds - progress.seconds_projecting,
    }


def tree_sha256(tree: PyTree[Array]) -> str:
    """The SHA-256 of all arrays of a tree, in order, with their shapes and dtypes."""
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(tree):
        array = np.ascontiguousarray(jax.device_get(leaf))
        digest.update(f"{array.shape}{array.dtype}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()

"""Reports of a run: progress on the terminal, and the summary."""

import datetime
import hashlib
import math
import sys
import time
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, PyTree
from tqdm import tqdm

from noisejax import data
from noisejax.training._checkpoint import Progress
from noisejax.training._config import Config
from noisejax.training._metrics import hash_rows
from noisejax.training._processes import is_first, on_host
from noisejax.training._program import Program
from noisejax.training._record import describe_run
from noisejax.training._state import Seeds

SECONDS = 10.0
"""Shortest time between two lines if stderr is not a terminal."""


def announce(config: Config, program: Program, seeds: Seeds) -> None:
    """Print the network, the data, the noise and the devices to stderr."""
    if not is_first():
        return
    count = sum(a[0].size for a in jax.tree.leaves(seeds.state.params))
    rates = f"input {config.noise.input_rate:g}, hidden {config.noise.hidden_rate:g}"
    noise = config.noise.scheme
    if noise != "none":
        noise = f"{noise} ({rates}), S = {config.objective.num_samples}"
    if config.noise.path_rate:
        noise += f", drop path {config.noise.path_rate:g}"
    steps = " + ".join(f"{p.epochs} x {p.batches.steps}" for p in program.phases)
    devices = config.mesh.data * config.mesh.samples
    kind = jax.devices()[0].device_kind
    print(
        f"train {config.model.name}, {count:,} parameters, on {config.data.name}; "
        f"noise: {noise}; seeds: {len(program.seed_numbers)}; epochs x steps: {steps}; "
        f"devices: {devices} x {kind}",
        file=sys.stderr,
        flush=True,
    )


class EpochProgress:
    """Progress bar on a terminal; otherwise a line at most every ten seconds."""

    def __init__(self, name: str, *, epochs: int, done: int, examples: int):
        """Start the display of a phase.

        Args:
          name: name of the phase.
          epochs: number of its epochs.
          done: number of finished epochs.
          examples: number of examples of an epoch, summed over seeds.
        """
        self._name, self._epochs, self._done = name, epochs, done
        self._examples, self._since, self._trained = examples, time.monotonic(), 0
        self._bar: Any = None
        self._shows = is_first()
        if self._shows and sys.stderr.isatty():
            self._bar = tqdm(total=epochs, initial=done, desc=name, unit="epoch")

    def update(self, epochs: int, text: str) -> None:
        """Show that `epochs` more epochs are finished; `text` has loss and error."""
        self._done, self._trained = self._done + epochs, self._trained + epochs
        if self._bar is not None:
            self._bar.set_postfix_str(text)
            self._bar.update(epochs)
            return
        seconds = time.monotonic() - self._since
        is_due = seconds >= SECONDS or self._done >= self._epochs
        if not (self._shows and is_due):
            return
        speed = self._trained * self._examples / max(seconds, 1e-9)
        line = f"{self._name}: epoch {self._done}/{self._epochs}, {text}"
        line += f", {speed:,.0f} examples/s"
        left = (self._epochs - self._done) * seconds / self._trained
        if left > 0:
            line += f", {datetime.timedelta(seconds=round(left))} left"
        print(line, file=sys.stderr, flush=True)
        self._since, self._trained = time.monotonic(), 0

    def close(self) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()


def describe_progress(measured: dict[str, dict[str, np.ndarray]]) -> str:
    """Format the loss and the error for a progress bar."""
    judged = "validation" if "validation" in measured else "test"
    loss = float(np.mean(measured["train"]["loss"]))
    error = 100 * float(np.mean(measured[judged]["error"]))
    return f"loss {loss:.4f}, {judged} error {error:.2f} %"


def spread(values: list[float]) -> dict[str, Any]:
    """Return {"mean", "standard_error" (None for one seed), "per_seed"}.

    Args:
      values: values, one per seed.
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
    """Make the contents of summary.json."""
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
    """Return the effective number of samples, 1 / Σ w², of the last epoch, if S > 1."""
    if config.objective.num_samples == 1:
        return {}
    rows = [row for row in progress.rows if row.get("effective_samples") is not None]
    last = {row["seed"]: row["effective_samples"] for row in rows}
    return {"effective_samples": spread(list(last.values()))} if last else {}


def _seconds_apart(config: Config, progress: Progress) -> dict[str, float]:
    """Return the seconds of finding x* and of training, in back-projection mode."""
    if config.training.mode != "back_projection":
        return {}
    return {
        "seconds_projecting": progress.seconds_projecting,
        "seconds_training": progress.seconds - progress.seconds_projecting,
    }


def tree_sha256(tree: PyTree[Array]) -> str:
    """Compute the SHA-256 of all arrays of a tree, including shapes and dtypes."""
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(tree):
        array = np.ascontiguousarray(jax.device_get(leaf))
        digest.update(f"{array.shape}{array.dtype}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()

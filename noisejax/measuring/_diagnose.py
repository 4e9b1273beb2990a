"""All measurements of a trained run, into a folder."""

import hashlib
import json
import math
import os
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from noisejax import figures, noise, training
from noisejax.measuring._activity import (
    Measured,
    measure_correlations,
    measure_net_values,
    measure_net_variance,
    measure_slopes,
)
from noisejax.measuring._amounts import Amounts, amounts_for
from noisejax.measuring._draw import draw_page
from noisejax.measuring._find_layers import network_of
from noisejax.measuring._losses import (
    measure_bound,
    measure_error,
    measure_gradients,
    measure_sharpness,
)
from noisejax.measuring._network import Network, NotMeasuredError
from noisejax.measuring._noise import (
    measure_dropped_share,
    measure_input_shift,
    measure_shifts,
)
from noisejax.measuring._projected import measure_back_projection

SCHEMA = 1
"""Of diagnose.json; another number is another layout."""

MEASUREMENTS: dict[str, Callable[[noise.Key, Network, Amounts], Measured]] = {
    "error": measure_error,
    "net_variance": measure_net_variance,
    "gradient_information": measure_gradients,
    "correlations": measure_correlations,
    "net_values": measure_net_values,
    "slope_under_noise": measure_slopes,
    "shifts": measure_shifts,
    "dropped_share": measure_dropped_share,
    "input_shift": measure_input_shift,
    "bound": measure_bound,
    "sharpness": measure_sharpness,
    "back_projection": measure_back_projection,
}

ELSEWHERE = {
    "gradient_information_through_training": "of minibatches, accumulated while "
    "training: noisejax.diagnostics.update_gradient_average",
}
"""Measurement -> why a finished run's network alone does not give it here."""


def diagnose(
    checkpoint: str | os.PathLike,
    workdir: str | os.PathLike,
    *,
    data_dir: str | os.PathLike | None = None,
    seed: int | None = None,
) -> pathlib.Path:
    """Measures a trained network: diagnose.json, diagnose.png and diagnose.pdf.

    Args:
      checkpoint: the run's folder.
      workdir: for the results; created. It may be the run's own.
      data_dir: the TFDS data directory.
      seed: of which network, where the run trained several; None: the first.

    Returns:
      The path of diagnose.json. What a network does not have is left out there, with
      the reason, under "skipped".

    Raises:
      FileNotFoundError: there is no run, or no data.
      ValueError: the workdir is in use or holds another run's results; the run has no
        checkpoint, or no such seed.
    """
    run = training.load_run(checkpoint, data_dir=data_dir, seed=seed)
    with training.Workdir(workdir) as folder:
        path = folder.path / "diagnose.json"
        about = _describe(run)
        _check_folder(folder, path, run, about["run"])
        network = network_of(run)
        amounts = amounts_for(network)
        report = {**about, **measure_all(network, amounts)}
        path.write_text(json.dumps(_finite(report)) + "\n")
        figures.save(draw_page(_finite(report)), folder.path / "diagnose.png")
        return path


def measure_all(network: Network, amounts: Amounts) -> dict[str, Any]:
    """Every measurement once, with a progress bar: {"measurements", "skipped"}."""
    keys = jax.random.split(jax.random.key(0), len(MEASUREMENTS))
    measurements, skipped = {}, dict(ELSEWHERE)
    with tqdm(total=len(MEASUREMENTS), desc="diagnose", unit="measurement") as bar:
        for key, (name, measure) in zip(keys, MEASUREMENTS.items(), strict=True):
            bar.set_postfix_str(name)
            try:
                measurements[name] = measure(key, network, amounts)
            except NotMeasuredError as reason:
                skipped[name] = str(reason)
            bar.update()
    return {"measurements": measurements, "skipped": skipped}


def _describe(run: training.TrainedRun) -> dict[str, Any]:
    """Which network on which data, and what its numbers may depend on."""
    made_by = training.describe_run(run.config)
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(run.variables):
        digest.update(np.asarray(leaf).tobytes())
    return {
        **{key: made_by[key] for key in ("config", "versions", "commit")},
        "schema": SCHEMA,
        "device": made_by["device"]["kind"],
        "run": {
            "path": str(run.path),
            "name": run.path.name,
            "seed": run.seed,
            "variables_sha256": digest.hexdigest(),
            "data": run.dataset.name,
            "shape": list(run.train.x.shape[1:]),
        },
    }


def _check_folder(
    folder: training.Workdir,
    path: pathlib.Path,
    run: training.TrainedRun,
    about: dict[str, Any],
) -> None:
    """The folder is free, or holds earlier results of the same network.

    Raises:
      ValueError: it holds something of another run.
    """
    there = run.path
    if folder.config_path.exists() and folder.path != run.path:
        there = folder.path
    elif path.exists():
        try:
            written = json.loads(path.read_text())["run"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} cannot be read: {error!r}; remove it") from error
        if written.get("variables_sha256") == about["variables_sha256"]:
            return
        there = f"{written.get('path')}, seed {written.get('seed')}"
    if there != run.path:
        raise ValueError(
            f"the workdir {folder.path} holds results of another network ({there}); "
            "choose another workdir"
        )


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: null."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

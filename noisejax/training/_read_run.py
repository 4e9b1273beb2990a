"""Readers of run folders: checkpoint, configuration and summary, without data."""

import os
import re
from typing import Any

from absl import logging
from flax import traverse_util
from jaxtyping import Array, PyTree

from noisejax.training._check import check_config
from noisejax.training._checkpoint import (
    Checkpoint,
    recorded_info,
    restore_checkpoint,
)
from noisejax.training._config import Config
from noisejax.training._files import RunFolder
from noisejax.training._record import DATASET, from_dict, read_config
from noisejax.training._trainable import OUTPUT


def load_sources(
    config: Config, folder: RunFolder
) -> list[dict[str, PyTree[Array]]] | None:
    """Load the variables of every seed of the run that `training.init_from` names.

    The output layer is left out if that run has other `data.classes`.

    Args:
      config: configuration of the new run.
      folder: folder of the new run.

    Returns:
      {"params", "batch_stats"} by seed; None if no run is named, or `folder` has a
      checkpoint to resume from.

    Raises:
      FileNotFoundError, ValueError: see `load_run`.
    """
    path = config.training.init_from
    if not path or recorded_info(folder.checkpoints_path) is not None:
        return None
    try:
        _, source, checkpoint = restore_run(path)
    except (FileNotFoundError, ValueError) as error:
        raise type(error)(f"training.init_from={path}: {error}") from error
    names = {}
    for collection in ("params", "batch_stats"):
        prefix = f"{chosen_part(checkpoint)}.{collection}["
        for name in checkpoint.arrays:
            is_output = f"['{OUTPUT}']" in name
            if is_output and source.data.classes != config.data.classes:
                continue
            if name.startswith(prefix):
                names[collection, *re.findall(r"\['(.*?)'\]", name)] = name
    return [
        {"params": {}, "batch_stats": {}}
        | traverse_util.unflatten_dict(
            {path: checkpoint.arrays[name][i] for path, name in names.items()}
        )
        for i in range(source.training.num_seeds)
    ]


def restore_run(path: str | os.PathLike[str]) -> tuple[RunFolder, Config, Checkpoint]:
    """Restore the newest undamaged checkpoint of a run."""
    folder = RunFolder(path)
    path = folder.path
    if not folder.config_path.is_file():
        raise FileNotFoundError(
            f"{path} holds no run (no config.json); make one with: python -m "
            f"noisejax.train --workdir={path}"
        )
    config = from_dict(read_config(folder.config_path))
    check_config(config)
    checkpoint, rejected = restore_checkpoint(
        folder.checkpoints_path, None, resume=False
    )
    for bad in rejected:
        logging.warning("ignored checkpoint %d: %s", bad.number, bad.reason)
    if checkpoint is None or not (
        checkpoint.progress.rows or checkpoint.progress.epoch
    ):
        raise ValueError(
            f"{path} has no checkpoint yet; continue it with: python -m noisejax.train "
            f"--workdir={path} --resume"
        )
    return folder, config, checkpoint


def chosen_part(checkpoint: Checkpoint) -> str:
    """Part of a checkpoint that holds the reported parameters."""
    return ".state" if checkpoint.progress.phase else ".best"


def recorded_config(workdir: str | os.PathLike[str]) -> Config | None:
    """Read the configuration of the run in a folder; None if it holds no run.

    Raises:
      ValueError: config.json is damaged, and no checkpoint has a copy.
    """
    folder = RunFolder(workdir)
    info = recorded_info(folder.checkpoints_path)
    if info is not None:
        return from_dict({k: v for k, v in info["run"].items() if k != DATASET})
    if folder.config_path.exists():
        return from_dict(read_config(folder.config_path))
    return None


def is_finished(workdir: str | os.PathLike[str]) -> bool:
    """True if a folder holds a finished run with undamaged metrics."""
    return RunFolder(workdir).finished_summary() is not None


def read_summary(workdir: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the summary of a finished run, as `train` returned it.

    Raises:
      ValueError: the folder holds no finished run, or it is damaged.

    Example:
      >>> import tempfile
      >>> from noisejax import training
      >>> config = training.Config()
      >>> config.training.epochs = 1
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     made = training.train(config, folder)
      ...     training.read_summary(folder) == made
      True
    """
    summary = RunFolder(workdir).finished_summary()
    if summary is None:
        raise ValueError(
            f"{workdir} must hold a finished run, it has no whole summary.json; finish "
            f"it with: python -m noisejax.train --workdir={workdir} --resume"
        )
    return summary

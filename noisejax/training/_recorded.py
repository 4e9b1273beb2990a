"""What a folder tells of its run, which is neither locked nor changed."""

import os
from typing import Any

from noisejax.training._checkpoint import recorded_run
from noisejax.training._config import Config, from_dict
from noisejax.training._workdir import RunFolder, read_config

DATASET = "dataset"
"""The section of a checkpoint's identity beside those of the configuration."""


def recorded_config(workdir: str | os.PathLike) -> Config | None:
    """The configuration of the run in a folder; None where there is none.

    Raises:
      ValueError: it is damaged, and no checkpoint remembers it.
    """
    folder = RunFolder(workdir)
    values = recorded_run(folder.checkpoints_path)
    if values is not None:
        return from_dict({k: v for k, v in values.items() if k != DATASET})
    if folder.config_path.exists():
        return from_dict(read_config(folder.config_path))
    return None


def is_finished(workdir: str | os.PathLike) -> bool:
    """Whether a folder holds a finished run, with its metrics as they were."""
    return RunFolder(workdir).finished_summary() is not None


def read_summary(workdir: str | os.PathLike) -> dict[str, Any]:
    """The summary of a finished run; its folder is neither locked nor changed.

    Args:
      workdir: of the run.

    Returns:
      What `train` returned.

    Raises:
      ValueError: there is no finished run in the folder, or it is damaged.

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

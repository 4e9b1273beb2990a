"""Record of a run in its folder: configuration, versions, device and summary."""

import json
import os
import pathlib
import platform
import subprocess
from typing import Any

import jax
from absl import logging

from noisejax import data
from noisejax._version import __version__
from noisejax.training._check import check_config
from noisejax.training._checkpoint import (
    Checkpoint,
    check_format,
    recorded_info,
    restore_checkpoint,
)
from noisejax.training._config import Config, from_dict, to_dict
from noisejax.training._files import RunFolder, finite, read_json, write_json

SCHEMA = 1
"""Format of config.json and summary.json."""

DATASET = "dataset"
"""Section that describes the data, next to the sections of the configuration."""

MAY_CHANGE = (
    "mesh.data",
    "mesh.samples",
    "data.stream",
    "training.steps_per_call",
    "training.checkpoint_steps",
)
"""Fields that may change when a run is resumed; they affect only rounding."""


def check_same(path: pathlib.Path, recorded: Any, requested: dict[str, Any]) -> None:
    """Check that the recorded run and the requested run have the same fields.

    A field that the record lacks counts as recorded with its default. The requested
    run may have more epochs if no schedule depends on the number of epochs.

    Args:
      path: file or folder that is named in the error message.
      recorded: sections of recorded fields.
      requested: sections of requested fields.

    Raises:
      ValueError: fields differ; the message lists the fields.
    """
    requested = json.loads(json.dumps(finite(requested)))
    recorded = recorded if isinstance(recorded, dict) else {}
    recorded = {k: v if isinstance(v, dict) else {} for k, v in recorded.items()}
    defaults = json.loads(json.dumps(to_dict(Config())))
    recorded = {k: {**defaults.get(k, {}), **v} for k, v in recorded.items()}
    differences = []
    for section in sorted({*recorded, *requested}):
        old, new = recorded.get(section, {}), requested.get(section, {})
        differences += [
            f"{section}.{name} is {old.get(name)!r} there and {new.get(name)!r} here"
            for name in sorted({*old, *new})
            if old.get(name) != new.get(name) and f"{section}.{name}" not in MAY_CHANGE
        ]
    longer = is_longer(recorded, requested)
    fixed = _fields_that_follow_epochs(requested)
    if longer and not fixed:
        differences = [d for d in differences if not d.startswith("training.epochs ")]
    if differences:
        why = ""
        if longer:
            why = (
                f"; a run with {', '.join(fixed)} cannot be made longer, because its "
                "first epochs would have differed: start a new one from it by "
                "training.init_from"
            )
        raise ValueError(
            f"{path} is of another run ({'; '.join(differences)}{why}); choose another "
            "workdir"
        )


def is_longer(recorded: dict[str, Any], requested: dict[str, Any]) -> bool:
    """Return True if the requested run has more epochs than the recorded one."""
    old, new = (run.get("training", {}).get("epochs") for run in (recorded, requested))
    return isinstance(old, int) and isinstance(new, int) and new > old


def _fields_that_follow_epochs(config: dict[str, Any]) -> list[str]:
    """List the fields that make the first epochs depend on the number of epochs."""
    names = ("optimizer.schedule", "noise.schedule", "training.retrain_epochs")
    values = {
        name: config.get(section, {}).get(field)
        for name in names
        for section, field in [name.split(".")]
    }
    return [f"{k}={v}" for k, v in values.items() if v not in (None, "constant", 0)]


def describe_run(config: Config) -> dict[str, Any]:
    """Describe the configuration, the versions, the device and the commit of a run."""
    device = jax.devices()[0]
    return {
        "schema": SCHEMA,
        "config": to_dict(config),
        "versions": {
            "noisejax": __version__,
            "jax": jax.__version__,
            "python": platform.python_version(),
        },
        "device": {"kind": device.device_kind, "count": jax.device_count()},
        "commit": _commit(),
    }


def _commit() -> str | None:
    """Return the commit of the source code, or None outside of a git checkout."""
    command = ["git", "-C", str(pathlib.Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() or None


def read_config(path: pathlib.Path) -> dict[str, Any]:
    """Read the configuration in a config.json, as plain values.

    Raises:
      ValueError: the file is damaged, or has another format.
    """
    run = read_json(path)
    if run.get("schema") != SCHEMA:
        raise ValueError(
            f"{path} is of layout {run.get('schema')!r}, this noisejax reads "
            f"layout {SCHEMA}"
        )
    if not isinstance(run.get("config"), dict):
        raise ValueError(f"{path} contains no configuration")
    return run["config"]


def with_absolute_paths(config: Config) -> Config:
    """Return a copy of the configuration with absolute paths.

    Raises:
      ValueError: a path is a URL.
    """
    copy = from_dict(to_dict(config))
    if copy.data.name.endswith(".npz"):
        copy.data.name = os.path.abspath(data.local_path(copy.data.name, "data.name"))
    if copy.training.init_from:
        source = data.local_path(copy.training.init_from, "training.init_from")
        copy.training.init_from = os.path.abspath(source)
    return copy


def find_finished(
    folder: RunFolder, config: Config, resume: bool
) -> dict[str, Any] | None:
    """Check that a run may start or resume; return the summary of a finished run.

    Raises:
      ValueError: the folder contains another run, or a run that cannot be resumed.
    """
    if not resume:
        folder.check_free()
        return None
    requested = to_dict(config)
    info = recorded_info(folder.checkpoints_path)
    if info is not None:
        recorded = {k: v for k, v in info["run"].items() if k != DATASET}
        check_same(folder.path, recorded, requested)
    if folder.config_path.exists():
        try:
            recorded = read_config(folder.config_path)
            if info is not None:
                check_same(folder.config_path, recorded, requested)
        except ValueError as error:  # damaged: the run writes this file again
            logging.warning("ignored %s: %s", folder.config_path, error)
            folder.config_path.unlink()
        else:
            check_same(folder.path, recorded, requested)
    summary = folder.finished_summary()
    if summary is not None:
        check_same(folder.summary_path, summary["config"], requested)
        if is_longer(summary["config"], requested):
            return None
        if not folder.config_path.exists():
            origin = {k: summary.get(k) for k in describe_run(config)}
            write_json(folder.config_path, origin)
    elif info is not None:
        check_format(folder.checkpoints_path, info)
    return summary


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
    if checkpoint is None or not (
        checkpoint.progress.rows or checkpoint.progress.epoch
    ):
        raise ValueError(
            f"{path} has no checkpoint yet; continue it with: python -m noisejax.train "
            f"--workdir={path} --resume"
        )
    return folder, config, checkpoint


def recorded_config(workdir: str | os.PathLike[str]) -> Config | None:
    """Read the configuration of a run; None if the folder contains no run.

    Raises:
      ValueError: config.json is damaged, and no checkpoint contains a copy.
    """
    folder = RunFolder(workdir)
    info = recorded_info(folder.checkpoints_path)
    if info is not None:
        return from_dict({k: v for k, v in info["run"].items() if k != DATASET})
    if folder.config_path.exists():
        return from_dict(read_config(folder.config_path))
    return None


def is_finished(workdir: str | os.PathLike[str]) -> bool:
    """Return True if the folder contains a finished run with undamaged metrics."""
    return RunFolder(workdir).finished_summary() is not None


def read_summary(workdir: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the summary of a finished run, as `train` returned it.

    Raises:
      ValueError: the folder contains no finished run, or the run is damaged.

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
            f"{workdir} contains no finished run: summary.json is missing or damaged; "
            f"finish it with: python -m noisejax.train --workdir={workdir} --resume"
        )
    return summary

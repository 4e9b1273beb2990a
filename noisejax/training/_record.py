"""Record of a run as plain values: configuration, versions, device and progress."""

import dataclasses
import json
import os
import pathlib
import platform
import subprocess
from typing import Any

import jax

from noisejax import data
from noisejax._version import __version__
from noisejax.training._config import Config, from_dict, to_dict
from noisejax.training._files import finite, read_json

SCHEMA = 1
"""Format of config.json and summary.json."""

DATASET = "dataset"
"""Section of a run's identity beside those of the configuration."""

MAY_CHANGE = (
    "mesh.data",
    "mesh.samples",
    "data.stream",
    "training.steps_per_call",
    "training.checkpoint_steps",
)
"""Fields that may change when a run is resumed: it stays the same, up to rounding."""


@dataclasses.dataclass
class Progress:
    """Position of a run, as plain values.

    Attributes:
      phase: index of the phase.
      epoch: number of finished epochs of the phase.
      step: number of finished steps of the next epoch.
      rows: rows of metrics.jsonl.
      seconds: seconds spent so far, over all resumes.
      seconds_projecting: seconds spent on finding x*, of these.
      retrain_errors: test errors in percent of the retraining epochs, per seed.
    """

    phase: int = 0
    epoch: int = 0
    step: int = 0
    rows: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    seconds: float = 0.0
    seconds_projecting: float = 0.0
    retrain_errors: list[list[float]] = dataclasses.field(default_factory=list)

    def __post_init__(self):
        """Check the values that a file holds.

        Raises:
          ValueError: a value is impossible.
        """
        for field in dataclasses.fields(self):
            value, kind = getattr(self, field.name), field.type
            is_list = isinstance(value, list)
            is_number = isinstance(value, int | float) and value >= 0
            is_valid = is_number and (kind is float or isinstance(value, int))
            if not (is_valid if kind in (int, float) else is_list):
                raise ValueError(f"its progress.{field.name} is {value!r}")


def check_same(path: pathlib.Path, recorded: Any, requested: dict[str, Any]) -> None:
    """Check that the run recorded in a file is the requested one.

    Both are sections of fields. A field that is newer than the file had its default.
    The requested run may be longer, if no schedule depends on its length.

    Raises:
      ValueError: they differ; the message says where.
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
                "first epochs would have been others: start a new one from it by "
                "training.init_from"
            )
        raise ValueError(
            f"{path} is of another run ({'; '.join(differences)}{why}); choose another "
            "workdir"
        )


def is_longer(recorded: dict[str, Any], requested: dict[str, Any]) -> bool:
    """Return True if a run is requested with more epochs than were recorded."""
    old, new = (run.get("training", {}).get("epochs") for run in (recorded, requested))
    return isinstance(old, int) and isinstance(new, int) and new > old


def _fields_that_follow_epochs(config: dict[str, Any]) -> list[str]:
    """Fields whose value makes the first epochs depend on the number of epochs."""
    found = {
        name: config.get(section, {}).get(field)
        for section, field, name in (
            ("optimizer", "schedule", "optimizer.schedule"),
            ("noise", "schedule", "noise.schedule"),
        )
    }
    follow = [f"{k}={v}" for k, v in found.items() if v not in (None, "constant")]
    if config.get("training", {}).get("retrain_epochs"):
        follow.append(f"training.retrain_epochs={config['training']['retrain_epochs']}")
    return follow


def describe_run(config: Config) -> dict[str, Any]:
    """Describe a configuration and everything else that its results may depend on."""
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
    """The commit of the sources, if they are a git checkout."""
    command = ["git", "-C", str(pathlib.Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() or None


def read_config(path: pathlib.Path) -> dict[str, Any]:
    """Read the configuration in a run's config.json, as plain values.

    Raises:
      ValueError: the file is damaged, or of another format.
    """
    run = read_json(path)
    if run.get("schema") != SCHEMA:
        raise ValueError(
            f"{path} is of layout {run.get('schema')!r}, this noisejax reads "
            f"layout {SCHEMA}"
        )
    if not isinstance(run.get("config"), dict):
        raise ValueError(f"{path} holds no configuration")
    return run["config"]


def with_absolute_paths(config: Config) -> Config:
    """Return a copy whose paths do not depend on the working directory.

    Raises:
      ValueError: a path is a URL.
    """
    copy = from_dict(to_dict(config))
    if copy.data.name.endswith(".npz"):
        copy.data.name = _absolute(copy.data.name, "data.name")
    if copy.training.init_from:
        source = _absolute(copy.training.init_from, "training.init_from")
        copy.training.init_from = source
    return copy


def _absolute(path: str, name: str) -> str:
    return os.path.abspath(data.local_path(path, name))

"""A run's folder: locked while in use, never overwritten silently."""

import fcntl
import json
import os
import pathlib
import platform
import subprocess
from typing import IO, Any

import jax

from noisejax._version import __version__
from noisejax.training._config import Config, to_dict

SCHEMA = 1
"""Of config.json, summary.json and checkpoints; another number is another layout."""


class Workdir:
    """A run's folder, held by this process.

    Attributes:
      path: of the folder.
    """

    def __init__(self, path: str | os.PathLike):
        """Creates the folder and takes its lock, which dies with the process.

        Raises:
          ValueError: the folder cannot be written, or another process holds it.
        """
        self.path = pathlib.Path(path).expanduser().absolute()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock: IO[str] = (self.path / ".lock").open("w")
        except OSError as error:
            raise ValueError(
                f"the workdir {self.path} cannot be written: {error}; choose another"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ValueError(
                f"the workdir {self.path} is in use by another process; wait for it, "
                "or choose another"
            ) from error

    @property
    def config_path(self) -> pathlib.Path:
        """What the run is: config.json."""
        return self.path / "config.json"

    @property
    def metrics_path(self) -> pathlib.Path:
        """What was measured: metrics.jsonl."""
        return self.path / "metrics.jsonl"

    @property
    def summary_path(self) -> pathlib.Path:
        """What came out: summary.json."""
        return self.path / "summary.json"

    @property
    def checkpoints_path(self) -> pathlib.Path:
        """What can be resumed: checkpoints/."""
        return self.path / "checkpoints"

    def begin(self, config: Config, *, resume: bool) -> None:
        """Writes config.json, or checks that it is this configuration's.

        Raises:
          ValueError: the folder holds a run and `resume` is off, or another run.
        """
        if not self.config_path.exists():
            write_json(self.config_path, describe_run(config))
            return
        if not resume:
            raise ValueError(
                f"the workdir {self.path} holds a run already; continue it with "
                "--resume, or choose another workdir"
            )
        there = read_config(self.config_path)
        differences = _differences(there, to_dict(config))
        if differences:
            raise ValueError(
                f"the workdir {self.path} holds a run of another configuration "
                f"({'; '.join(differences)}); choose another workdir"
            )


def describe_run(config: Config) -> dict[str, Any]:
    """A configuration with all that its numbers may depend on."""
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
    """The commit of the sources, where they are a git checkout."""
    command = ["git", "-C", str(pathlib.Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() or None


def read_config(path: pathlib.Path) -> dict[str, Any]:
    """The configuration in a run's config.json, as plain values.

    Raises:
      ValueError: the file is damaged, or of another layout.
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


def _differences(there: dict, here: dict) -> list[str]:
    """What differs between two configurations, as JSON knows them."""
    here = json.loads(json.dumps(here))
    return [
        f"{section}.{name} is {there.get(section, {}).get(name)!r} there and "
        f"{here.get(section, {}).get(name)!r} here"
        for section in sorted({*there, *here})
        for name in sorted({*there.get(section, {}), *here.get(section, {})})
        if there.get(section, {}).get(name) != here.get(section, {}).get(name)
    ]


def read_json(path: pathlib.Path) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
      ValueError: the file is damaged.
    """
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path} holds no JSON object")
    return value


def write_json(path: pathlib.Path, value: Any) -> None:
    """Writes a JSON file whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w") as file:
        json.dump(value, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)

"""A run's folder: locked while in use, never overwritten silently."""

import fcntl
import json
import os
import pathlib
import platform
import subprocess
from typing import IO, Any

import jax
from absl import logging

from noisejax._version import __version__
from noisejax.training._config import Config, to_dict
from noisejax.training._files import finite, read_json, sha256_of_file

SCHEMA = 1
"""Of config.json, summary.json and checkpoints; another number is another layout."""


class RunFolder:
    """Where a run's files lie.

    Attributes:
      path: of the folder.
    """

    def __init__(self, path: str | os.PathLike):
        """Touches nothing."""
        self.path = pathlib.Path(path).expanduser().absolute()

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

    @property
    def mirror_path(self) -> pathlib.Path:
        """A second metrics.jsonl, from which a damaged one is repaired."""
        return self.checkpoints_path / "metrics.jsonl"

    def finished_summary(self) -> dict[str, Any] | None:
        """summary.json, if it and the metrics that it sums up are whole."""
        if not self.summary_path.exists():
            return None
        try:
            summary = read_json(self.summary_path)
            sha256 = sha256_of_file(self.metrics_path)
            if "config" in summary and summary["metrics_sha256"] == sha256:
                return summary
            reason = f"{self.metrics_path} has changed since it was written"
        except (ValueError, KeyError, OSError) as error:
            reason = str(error)
        logging.warning("left out %s: %s", self.summary_path, reason)
        return None


class Workdir(RunFolder):
    """A run's folder, held by this process."""

    def __init__(self, path: str | os.PathLike):
        """Creates the folder and takes its lock, which dies with the process.

        As a context manager it gives the lock back at its end.

        Raises:
          ValueError: the folder cannot be written, or another process holds it.
        """
        super().__init__(path)
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
            self._lock.close()
            raise ValueError(
                f"the workdir {self.path} is in use by another process; wait for it, "
                "or choose another"
            ) from error

    def __enter__(self) -> "Workdir":
        return self

    def __exit__(self, *error: object) -> None:
        self._lock.close()

    def check_free(self) -> None:
        """Checks that the folder holds no run, nor parts of one.

        Raises:
          ValueError: it does.
        """
        parts = (
            self.config_path,
            self.metrics_path,
            self.summary_path,
            self.checkpoints_path,
        )
        there = [path.name for path in parts if path.exists()]
        if there:
            raise ValueError(
                f"the workdir {self.path} holds a run already ({', '.join(there)}); "
                "continue it with --resume, or choose another workdir"
            )


MAY_CHANGE = ("mesh.data", "mesh.samples", "data.stream")
"""Fields in which a run may be continued otherwise: the same run, elsewhere."""


def check_same(path: pathlib.Path, there: Any, here: dict[str, Any]) -> None:
    """Checks that what a file says of a run is what is asked for.

    A field that came up after the file was written had its default then.

    Args:
      path: of the file, for the message.
      there: sections of fields, as the file has them.
      here: likewise, as they are asked for.

    Raises:
      ValueError: they differ; the message says where.
    """
    here = json.loads(json.dumps(finite(here)))
    there = there if isinstance(there, dict) else {}
    there = {k: v if isinstance(v, dict) else {} for k, v in there.items()}
    added = json.loads(json.dumps(to_dict(Config())))
    there = {k: {**added.get(k, {}), **v} for k, v in there.items()}
    sections = sorted({*there, *here})
    differences = [
        f"{section}.{name} is {there.get(section, {}).get(name)!r} there and "
        f"{here.get(section, {}).get(name)!r} here"
        for section in sections
        for name in sorted({*there.get(section, {}), *here.get(section, {})})
        if there.get(section, {}).get(name) != here.get(section, {}).get(name)
        and f"{section}.{name}" not in MAY_CHANGE
    ]
    if differences:
        raise ValueError(
            f"{path} is of another run ({'; '.join(differences)}); choose another "
            "workdir"
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

"""Describes measured networks, and checks the directories of their results."""

import hashlib
import json
import pathlib
import sys
from typing import Any

import jax
import numpy as np

from noisejax import training


def describe(run: training.TrainedRun) -> dict[str, Any]:
    """Describe the network, its data, and the software and device of a measurement."""
    about = training.describe_run(run.config)
    leaves = map(np.asarray, jax.tree.leaves(run.variables))
    sha256 = hashlib.sha256(b"".join(leaf.tobytes() for leaf in leaves)).hexdigest()
    return {
        **{key: about[key] for key in ("config", "versions", "commit")},
        "device": about["device"]["kind"],
        "run": {
            "path": str(run.path),
            "name": run.path.name,
            "seed": run.seed,
            "variables_sha256": sha256,
            "data": run.dataset.name,
            "shape": list(run.train.x.shape[1:]),
        },
    }


def check_folder(
    folder: training.Workdir, path: pathlib.Path, about: dict[str, Any], *same: str
) -> None:
    """Check that a directory is free, or contains results of the same network.

    Args:
      folder: directory for the results.
      path: path of the results file, which may exist from an earlier call.
      about: description of the run.
      *same: fields of the description that must equal those of earlier results.

    Raises:
      ValueError: the directory contains another run, or results of another network.
    """
    if folder.config_path.exists() and str(folder.path) != about["path"]:
        raise ValueError(
            f"the workdir {folder.path} holds a training run; choose another workdir"
        )
    if not path.exists():
        return
    try:
        written = json.loads(path.read_text())["run"]
        equal = all(written.get(name) == about[name] for name in same)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} cannot be read: {error!r}; remove it") from error
    if not equal:
        raise ValueError(
            f"the workdir {folder.path} holds results of another network "
            f"({written.get('path')}, seed {written.get('seed')}); choose another "
            "workdir"
        )


def report_failures(report: dict[str, Any]) -> int:
    """Print failed measurements to stderr; return the exit code, 1 if any failed."""
    for name, error in report.get("failed", {}).items():
        print(f"error: {name} failed: {error}", file=sys.stderr)
    return int("failed" in report)

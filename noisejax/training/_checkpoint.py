"""Checkpoints by Orbax: the last epochs' state, whole or not there."""

import dataclasses
import hashlib
import json
import pathlib
import shutil
from typing import Any

import jax
import numpy as np
from absl import logging
from jaxtyping import Array, PyTree
from orbax.checkpoint import v1 as ocp

from noisejax.training._workdir import SCHEMA, write_json

KEEP = 2
"""How many checkpoints stay: should the newest be damaged, the one before it serves."""


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A state with what is known about it on the host.

    Attributes:
      arrays: the state, a tree of arrays.
      info: plain values: phase, epoch, rows of the metrics log, ...
    """

    arrays: PyTree[Array]
    info: dict[str, Any]


def save_checkpoint(folder: pathlib.Path, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint beside the others and removes all but the newest.

    Args:
      folder: of the checkpoints.
      checkpoint: its number is one above the highest there.
    """
    folder.mkdir(exist_ok=True)
    number = max(_numbers(folder), default=0) + 1
    arrays = _as_dict(checkpoint.arrays)
    ocp.save(folder / str(number), arrays)
    info = {"schema": SCHEMA, "sha256": tree_sha256(arrays), **checkpoint.info}
    write_json(_info_path(folder, number), info)
    for old in _numbers(folder)[:-KEEP]:
        _info_path(folder, old).unlink(missing_ok=True)
        shutil.rmtree(folder / str(old), ignore_errors=True)


def restore_checkpoint(folder: pathlib.Path, like: PyTree[Array]) -> Checkpoint | None:
    """The newest checkpoint that is whole; None where there is none.

    Args:
      folder: of the checkpoints.
      like: a state of the same structure, whose arrays lie where the restored ones
        will.

    Raises:
      ValueError: there are checkpoints, and none can be used; says why of each.
    """
    template = jax.tree.map(
        lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=a.sharding),
        _as_dict(like),
    )
    reasons = []
    for number in reversed(_numbers(folder)):
        try:
            info = json.loads(_info_path(folder, number).read_text())
            if info.pop("schema") != SCHEMA:
                raise ValueError("it is of another layout")
            arrays = ocp.load(folder / str(number), template)
            if info.pop("sha256") != tree_sha256(arrays):
                raise ValueError("its contents have changed since it was written")
        except Exception as error:  # whatever a damaged file makes a reader raise
            reasons.append(f"{folder / str(number)}: {error}")
            logging.warning("left out %s", reasons[-1])
            continue
        leaves = [arrays[name] for name in _as_dict(like)]
        return Checkpoint(jax.tree.unflatten(jax.tree.structure(like), leaves), info)
    if reasons:
        raise ValueError(
            "no checkpoint can be used, so the run cannot be resumed: "
            + "; ".join(reasons)
        )
    return None


def tree_sha256(tree: PyTree[Array]) -> str:
    """A hash of all arrays of a tree, in order, with their shapes and dtypes."""
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(tree):
        array = np.ascontiguousarray(jax.device_get(leaf))
        digest.update(f"{array.shape}{array.dtype}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _as_dict(tree: PyTree[Array]) -> dict[str, Array]:
    """A tree as a flat dict, in order: no class of ours is needed to read it."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): leaf for path, leaf in leaves}


def _numbers(folder: pathlib.Path) -> list[int]:
    if not folder.exists():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())


def _info_path(folder: pathlib.Path, number: int) -> pathlib.Path:
    return folder / f"{number}.json"

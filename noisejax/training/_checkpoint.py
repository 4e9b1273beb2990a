"""Checkpoints: arrays saved by Orbax, and a JSON file that describes the arrays.

Orbax detects missing, empty and truncated files, and changed bytes in an index. Orbax
0.12.8 does not detect changed bytes in the data of an array. The JSON file therefore
contains a hash of each file. The JSON file is written last, so that a checkpoint
without a JSON file is incomplete.
"""

import dataclasses
import hashlib
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import jax
from absl import logging
from jax.sharding import Sharding, SingleDeviceSharding
from jaxtyping import Array
from orbax.checkpoint import v1 as ocp

from noisejax.training._files import finite, read_json, write_json
from noisejax.training._processes import first_value, gather, on_host, run_jointly

KEEP = 2
"""Number of checkpoints that are kept, as a fallback if the newest is damaged."""

FORMAT = 3
"""Format of new checkpoints. Increase this number if old runs cannot be resumed."""

READABLE = (2, FORMAT)
"""Formats whose arrays can be loaded. (Format 2 folds samples in another order.)"""


@dataclasses.dataclass
class Progress:
    """Progress of a run, as plain values.

    Attributes:
      phase: index of the phase.
      epoch: number of finished epochs of the phase.
      step: number of finished steps of the next epoch.
      rows: rows of metrics.jsonl.
      seconds: seconds spent so far, over all resumes.
      seconds_projecting: part of `seconds` that the search for x* took.
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
        """Check the values, which may come from a file.

        Raises:
          ValueError: a value is invalid.
        """
        for field in dataclasses.fields(self):
            value, kind = getattr(self, field.name), field.type
            is_list = isinstance(value, list)
            is_number = isinstance(value, int | float) and value >= 0
            is_valid = is_number and (kind is float or isinstance(value, int))
            if not (is_valid if kind in (int, float) else is_list):
                raise ValueError(f"its progress.{field.name} is {value!r}")


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """Arrays of a run, and their description.

    Attributes:
      arrays: arrays by name.
      progress: position of the run.
      run: configuration and description of the data, as sections of plain values.
      origin: versions and device.
    """

    arrays: dict[str, Array]
    progress: Progress
    run: dict[str, Any]
    origin: dict[str, Any] = dataclasses.field(default_factory=dict)


def save_checkpoint(folder: pathlib.Path, checkpoint: Checkpoint) -> None:
    """Save a checkpoint under the next number, and remove old checkpoints."""

    def begin():
        folder.mkdir(exist_ok=True)
        return max(_numbers(folder), default=0) + 1

    def finish():
        info = {
            "layout": FORMAT,
            "progress": dataclasses.asdict(checkpoint.progress),
            "run": checkpoint.run,
            "made_by": checkpoint.origin,
            "arrays": describe_arrays(checkpoint.arrays),
            "files": _hash_files(folder / str(number)),
        }
        write_json(_info_path(folder, number), info)
        for old in _numbers(folder)[:-KEEP]:
            _info_path(folder, old).unlink(missing_ok=True)
            shutil.rmtree(folder / str(old), ignore_errors=True)

    number = first_value(begin)
    run_jointly(lambda: ocp.save(folder / str(number), checkpoint.arrays))
    run_jointly(finish, first_only=True)


def restore_checkpoint(
    folder: pathlib.Path,
    sharding: Sharding | None,
    *,
    accept: Callable[[pathlib.Path, dict[str, Any]], None] = lambda path, info: None,
    resume: bool = True,
) -> tuple[Checkpoint | None, list[int]]:
    """Restore the newest undamaged checkpoint.

    Args:
      folder: folder of the checkpoints.
      sharding: sharding of the restored arrays; None: one device.
      accept: function (path, contents of the JSON file) that raises a ValueError if
        the checkpoint belongs to another run.
      resume: True if the run will be resumed; older formats then raise an error.

    Returns:
      The checkpoint, or None; and the numbers of newer checkpoints that are damaged.

    Raises:
      ValueError: an undamaged checkpoint has another format, or belongs to another
        run.
    """
    sharding = sharding or SingleDeviceSharding(jax.devices()[0])
    rejected: list[int] = []
    for number in reversed(gather(_numbers(folder))[0]):
        path = folder / str(number)

        def read(number=number, path=path):
            try:
                info = _read_info(folder, number)
            except _DamagedError as error:
                return None, str(error)
            if resume:
                check_format(path, info)
            accept(path, info)
            if _hash_files(path) != info["files"]:
                return None, f"{path}: its files have changed since they were written"
            return info, ""

        info, reason = first_value(read)
        if info is not None:
            try:
                template = {
                    name: jax.ShapeDtypeStruct(**array, sharding=sharding)
                    for name, array in info["arrays"].items()
                }
                progress = _read_progress(info)
                arrays = run_jointly(lambda path=path, t=template: ocp.load(path, t))
                return Checkpoint(
                    arrays, progress, info["run"], info["made_by"]
                ), rejected
            except Exception as error:  # Orbax raises many types
                reason = f"{path}: {error}"
        logging.warning("ignored checkpoint %d: %s", number, reason)
        rejected.append(number)
    return None, rejected


def check_format(path: pathlib.Path, info: dict[str, Any]) -> None:
    """Check that a run can be resumed from a checkpoint.

    Raises:
      ValueError: an older version wrote the checkpoint, so that the resumed run would
        end differently.
    """
    if info["layout"] != FORMAT:
        version = info["made_by"].get("versions", {}).get("noisejax", "?")
        raise ValueError(
            f"{path} is of run format {info['layout']}, written by noisejax {version}, "
            f"and cannot be resumed: format {FORMAT} folds noise samples in another "
            "order and runs steps differently, so that the run would end differently. "
            "Finish it with that version, or start again in another workdir; its "
            "network can be loaded"
        )


def recorded_info(folder: pathlib.Path) -> dict[str, Any] | None:
    """Read the newest undamaged JSON file of a checkpoint; None if there is none.

    Raises:
      ValueError: the file has an unknown format.
    """
    for number in reversed(_numbers(folder)):
        try:
            return _read_info(folder, number)
        except _DamagedError:
            continue
    return None


def tidy(folder: pathlib.Path, rejected: list[int]) -> None:
    """Rename rejected checkpoints, and remove partial files of a killed process."""
    for number in rejected:
        for path in (folder / str(number), _info_path(folder, number)):
            damaged_path = path.with_name(f"{path.name}.damaged")
            if damaged_path.is_dir():
                shutil.rmtree(damaged_path)
            if path.exists():
                path.replace(damaged_path)
    if folder.exists():
        for path in folder.glob("*.orbax-checkpoint-tmp*"):
            shutil.rmtree(path, ignore_errors=True)
        for path in folder.glob(".*.partial"):
            path.unlink()


def as_arrays(tree: Any) -> dict[str, Any]:
    """Flatten a tree to a dict, which can be read without the classes of the tree."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): leaf for path, leaf in leaves}


def describe_arrays(arrays: dict[str, Any]) -> dict[str, Any]:
    """Return the shape and dtype of each array, by name."""
    return finite(
        {
            name: {"shape": array.shape, "dtype": str(array.dtype)}
            for name, array in arrays.items()
        }
    )


class _DamagedError(Exception):
    """The JSON file of a checkpoint is damaged or missing."""


def _read_info(folder: pathlib.Path, number: int) -> dict[str, Any]:
    path = _info_path(folder, number)
    try:
        info = read_json(path)
    except ValueError as error:
        raise _DamagedError(str(error)) from error
    if info.get("layout") not in READABLE:
        raise ValueError(
            f"the checkpoint {path} is of layout {info.get('layout')!r}, this "
            f"noisejax reads layouts {', '.join(map(str, READABLE))}; start again in "
            "another workdir"
        )
    for name in ("progress", "run", "made_by", "arrays", "files"):
        if not isinstance(info.get(name), dict):
            raise _DamagedError(f"{path} holds no {name}")
    return info


def _read_progress(info: dict[str, Any]) -> Progress:
    progress = info["progress"]
    if info["layout"] != FORMAT:  # loaded, never resumed
        progress = {name: progress.get(name) for name in ("phase", "epoch")}
    return Progress(**progress)


def _hash_files(folder: pathlib.Path) -> dict[str, str]:
    """Compute the SHA-256 of all files of a folder, by relative path."""
    hashes = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
        hashes[str(path.relative_to(folder))] = digest.hexdigest()
    return hashes


def _numbers(folder: pathlib.Path) -> list[int]:
    """List the numbers of all checkpoints that have a folder or a JSON file."""
    if not folder.is_dir():
        return []
    names = {path.name.removesuffix(".json") for path in folder.iterdir()}
    return sorted(int(name) for name in names if name.isdigit())


def _info_path(folder: pathlib.Path, number: int) -> pathlib.Path:
    return folder / f"{number}.json"


def partial_table(checkpoint: Checkpoint | None) -> dict[str, Any] | None:
    """Return the metrics of the unfinished epoch of a checkpoint, or None."""
    arrays, prefix = checkpoint.arrays if checkpoint else {}, "table."
    table = {k.removeprefix(prefix): v for k, v in arrays.items() if prefix == k[:6]}
    return on_host(table) or None

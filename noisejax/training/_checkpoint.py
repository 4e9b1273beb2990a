"""Checkpoints: arrays saved by Orbax, beside one JSON file about them.

Orbax and its storage notice files that are missing, empty or truncated, and changed
bytes in their indices. They do not notice changed bytes in the data of an array (25 of
25 were restored silently, Orbax 0.12.8). The JSON file therefore holds a hash of each
file; it is written last, so that a checkpoint without it is incomplete.
"""

import dataclasses
import hashlib
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import Sharding, SingleDeviceSharding
from jaxtyping import Array
from orbax.checkpoint import v1 as ocp

from noisejax.training._files import finite, read_json, write_json
from noisejax.training._processes import first_value, gather, on_host, together
from noisejax.training._record import Progress, check_same

KEEP = 2
"""Number of checkpoints that are kept: if the newest is damaged, the other is used."""

FORMAT = 3
"""Format of a run's checkpoints; increase it if an older run must not be resumed."""

READABLE = (2, FORMAT)
"""Formats whose arrays can be loaded. (2 folds samples in another order.)"""


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """Arrays of a run, and what the host knows about them.

    Attributes:
      arrays: arrays by name.
      progress: position of the run.
      run: sections of plain values that identify the run: configuration and data.
      origin: versions and device, for the record.
    """

    arrays: dict[str, Array]
    progress: Progress
    run: dict[str, Any]
    origin: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Rejected:
    """A checkpoint that cannot be used, and the reason."""

    number: int
    reason: str


def save_checkpoint(folder: pathlib.Path, checkpoint: Checkpoint) -> None:
    """Save a checkpoint under the next number, and remove all but the newest."""

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
    together(lambda: ocp.save(folder / str(number), checkpoint.arrays))
    together(finish, first_only=True)


def restore_checkpoint(
    folder: pathlib.Path,
    sharding: Sharding | None,
    *,
    accept: Callable[[pathlib.Path, dict[str, Any]], None] = lambda path, info: None,
    resume: bool = True,
) -> tuple[Checkpoint | None, list[Rejected]]:
    """Restore the newest undamaged checkpoint.

    Args:
      folder: folder of the checkpoints.
      sharding: sharding of the restored arrays; None: one device.
      accept: raises a ValueError for the contents of a JSON file that belongs to
        another run.
      resume: True if the run is to be resumed: older formats are then an error.

    Returns:
      The checkpoint, or None; and the newer ones that are damaged.

    Raises:
      ValueError: an undamaged checkpoint is of another format or run.
    """
    sharding = sharding or SingleDeviceSharding(jax.devices()[0])
    rejected: list[Rejected] = []
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
                arrays = together(lambda path=path, t=template: ocp.load(path, t))
                return Checkpoint(
                    arrays, progress, info["run"], info["made_by"]
                ), rejected
            except Exception as error:  # Orbax raises many types
                reason = f"{path}: {error}"
        rejected.append(Rejected(number, reason))
    return None, rejected


def check_format(path: pathlib.Path, info: dict[str, Any]) -> None:
    """Check that a run may be resumed from a checkpoint.

    Raises:
      ValueError: an older version wrote it; a resumed run would end differently.
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
    """Read the JSON file of the newest checkpoint whose JSON file is undamaged.

    Raises:
      ValueError: it is of an unknown format.
    """
    for number in reversed(_numbers(folder)):
        try:
            return _read_info(folder, number)
        except _DamagedError:
            continue
    return None


def tidy(folder: pathlib.Path, rejected: list[Rejected]) -> None:
    """Rename damaged checkpoints, and remove partial files of a killed process."""
    for bad in rejected:
        for path in (folder / str(bad.number), _info_path(folder, bad.number)):
            aside = path.with_name(f"{path.name}.damaged")
            if aside.is_dir():
                shutil.rmtree(aside)
            if path.exists():
                path.replace(aside)
    if folder.exists():
        for path in folder.glob("*.orbax-checkpoint-tmp*"):
            shutil.rmtree(path, ignore_errors=True)
        for path in folder.glob(".*.partial"):
            path.unlink()


def check_arrays(path: pathlib.Path, info: dict[str, Any], like: Any) -> None:
    """Check that a checkpoint holds the arrays of a network, as `like` describes them.

    Raises:
      ValueError: it holds others; the message says where.
    """
    arrays = {k: v for k, v in info["arrays"].items() if not k.startswith("table")}
    check_same(path, arrays, like)


def as_arrays(tree: Any) -> dict[str, Any]:
    """Flatten a tree to a dict, which can be read without our classes."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): leaf for path, leaf in leaves}


def describe_arrays(arrays: dict[str, Any]) -> dict[str, Any]:
    """The shape and dtype of each array, by name."""
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
    """The SHA-256 of all files of a folder, by relative path."""
    hashes = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
        hashes[str(path.relative_to(folder))] = digest.hexdigest()
    return hashes


def _numbers(folder: pathlib.Path) -> list[int]:
    """The numbers of all checkpoints: a folder, its JSON file, or both."""
    if not folder.is_dir():
        return []
    names = {path.name.removesuffix(".json") for path in folder.iterdir()}
    return sorted(int(name) for name in names if name.isdigit())


def _info_path(folder: pathlib.Path, number: int) -> pathlib.Path:
    return folder / f"{number}.json"


def partial_table(checkpoint: Checkpoint | None) -> dict[str, Any] | None:
    """The metrics of an unfinished epoch, if the checkpoint was saved within one."""
    arrays, prefix = checkpoint.arrays if checkpoint else {}, "table."
    table = {k.removeprefix(prefix): v for k, v in arrays.items() if prefix == k[:6]}
    return on_host(table) or None

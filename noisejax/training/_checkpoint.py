"""Checkpoints by Orbax: the last epochs' state, whole or not there."""

import dataclasses
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array, PyTree
from orbax.checkpoint import v1 as ocp

from noisejax.training._files import finite, read_json, sha256_of_file, write_json
from noisejax.training._processes import share, together
from noisejax.training._workdir import check_same

KEEP = 2
"""How many checkpoints stay: should the newest be damaged, the one before it serves."""

LAYOUT = 2
"""Of checkpoints; another number is another layout."""


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A state with what is known about it on the host.

    Attributes:
      arrays: the state, a tree of arrays.
      progress: plain values: phase, epoch, rows of the metrics log, ...
      run: sections of plain values: the configuration and the data; a checkpoint of
        another run is not restored.
      made_by: versions and device, for the record.
    """

    arrays: PyTree[Array]
    progress: dict[str, Any]
    run: dict[str, Any]
    made_by: dict[str, Any] = dataclasses.field(default_factory=dict)


def save_checkpoint(folder: pathlib.Path, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint beside the others and removes all but the newest.

    A checkpoint is there once its info file is: that is written last.

    Args:
      folder: of the checkpoints.
      checkpoint: its number is one above the highest there.
    """

    def begin():
        folder.mkdir(exist_ok=True)
        return max(_numbers(folder), default=0) + 1

    def finish():
        info = {
            "layout": LAYOUT,
            "progress": checkpoint.progress,
            "run": checkpoint.run,
            "made_by": checkpoint.made_by,
            "arrays": _describe(arrays),
            "files": _hash_files(folder / str(number)),
        }
        write_json(_info_path(folder, number), info)
        for old in _numbers(folder)[:-KEEP]:
            _info_path(folder, old).unlink(missing_ok=True)
            shutil.rmtree(folder / str(old), ignore_errors=True)

    arrays = _as_dict(checkpoint.arrays)
    number = share(together(begin, first_only=True))
    together(lambda: ocp.save(folder / str(number), arrays))
    together(finish, first_only=True)


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """A checkpoint that cannot be used, and why."""

    number: int
    reason: str


def restore_checkpoint(
    folder: pathlib.Path,
    like: PyTree[Array],
    run: dict[str, Any] | None,
    accept: Callable[[dict[str, Any]], None] = lambda progress: None,
) -> tuple[Checkpoint | None, list[LeftOut]]:
    """The newest checkpoint that is whole; None where there is none.

    Files are compared with their hashes before anything reads them.

    Args:
      folder: of the checkpoints.
      like: a state of the same structure, whose arrays lie where the restored ones
        will.
      run: what the checkpoint must be of; None: it is not asked.
      accept: raises a ValueError for a progress with which it cannot be used.

    Returns:
      The checkpoint, and the newer ones that were left out.

    Raises:
      ValueError: a whole checkpoint is of another layout, network, run or data.
    """
    template = jax.tree.map(
        lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=a.sharding),
        _as_dict(like),
    )
    left_out: list[LeftOut] = []
    for number in reversed(share(_numbers(folder))):
        path = folder / str(number)

        def read(number=number, path=path):
            return _read_whole(folder, number, run, _describe(template), accept)

        info, reason = share(together(read, first_only=True))
        if info is not None:
            try:
                arrays = together(lambda path=path: ocp.load(path, template))
            except Exception as error:  # whatever Orbax raises
                reason = f"{path}: {error}"
        if reason:
            left_out.append(LeftOut(number, reason))
            continue
        leaves = [arrays[name] for name in template]
        state = jax.tree.unflatten(jax.tree.structure(like), leaves)
        restored = Checkpoint(state, info["progress"], info["run"], info["made_by"])
        return restored, left_out
    return None, left_out


def _read_whole(
    folder: pathlib.Path,
    number: int,
    run: dict[str, Any] | None,
    arrays: dict[str, Any],
    accept: Callable[[dict[str, Any]], None],
) -> tuple[dict[str, Any] | None, str]:
    """The info of a checkpoint whose files are whole; else None, and the reason."""
    path = folder / str(number)
    try:
        info = _read_info(folder, number)
    except _DamagedError as error:
        return None, str(error)
    if run is not None:
        check_same(path, info["run"], run)
    check_same(path, info["arrays"], arrays)
    try:
        if _hash_files(path) != info["files"]:
            raise ValueError("its files have changed since they were written")
        accept(info["progress"])
    except Exception as error:  # whatever a file holds
        return None, f"{path}: {error}"
    return info, ""


def recorded_run(folder: pathlib.Path) -> dict[str, Any] | None:
    """What the newest readable checkpoint says that it is of; None without one.

    Raises:
      ValueError: it is of another layout.
    """
    for number in reversed(_numbers(folder)):
        try:
            return _read_info(folder, number)["run"]
        except _DamagedError:
            continue
    return None


def tidy(folder: pathlib.Path, left_out: list[LeftOut]) -> None:
    """Sets damaged checkpoints aside and removes what a kill left half written."""
    for bad in left_out:
        for path in (folder / str(bad.number), _info_path(folder, bad.number)):
            aside = path.with_name(f"{path.name}.damaged")
            if aside.is_dir():
                shutil.rmtree(aside)
            if path.exists():
                path.replace(aside)
    if folder.exists():
        for path in folder.glob("*.orbax-checkpoint-tmp*"):
            shutil.rmtree(path, ignore_errors=True)
        for path in folder.glob("*.partial"):
            path.unlink()


class _DamagedError(Exception):
    """An info file that is damaged, or not there."""


def _read_info(folder: pathlib.Path, number: int) -> dict[str, Any]:
    """The info file of a checkpoint.

    Raises:
      _DamagedError: it is not there, or not what `save_checkpoint` wrote.
      ValueError: it is whole, and of another layout.
    """
    path = _info_path(folder, number)
    try:
        info = read_json(path)
    except ValueError as error:
        raise _DamagedError(str(error)) from error
    if info.get("layout") != LAYOUT:
        raise ValueError(
            f"the checkpoint {path} is of layout {info.get('layout')!r}, this "
            f"noisejax reads layout {LAYOUT}; start again in another workdir"
        )
    for name in ("progress", "run", "made_by", "arrays", "files"):
        if not isinstance(info.get(name), dict):
            raise _DamagedError(f"{path} holds no {name}")
    return info


def _as_dict(tree: PyTree[Array]) -> dict[str, Array]:
    """A tree as a flat dict, in order: no class of ours is needed to read it."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): leaf for path, leaf in leaves}


def _describe(arrays: dict[str, Any]) -> dict[str, Any]:
    """Name -> shape and dtype."""
    return finite(
        {
            name: {"shape": array.shape, "dtype": str(array.dtype)}
            for name, array in arrays.items()
        }
    )


def _hash_files(folder: pathlib.Path) -> dict[str, str]:
    """Path within a folder -> hash, of all files."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): sha256_of_file(path) for path in files}


def _numbers(folder: pathlib.Path) -> list[int]:
    """Of what may be checkpoints: a folder, its info file, or both."""
    if not folder.is_dir():
        return []
    names = {path.name.removesuffix(".json") for path in folder.iterdir()}
    return sorted(int(name) for name in names if name.isdigit())


def _info_path(folder: pathlib.Path, number: int) -> pathlib.Path:
    return folder / f"{number}.json"

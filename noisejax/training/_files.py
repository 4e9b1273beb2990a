"""Small files, written whole or not at all, and known when damaged."""

import hashlib
import json
import math
import os
import pathlib
from typing import Any


def write_bytes(path: pathlib.Path, content: bytes) -> None:
    """Writes a file whole or not at all; on disk when it returns."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def write_json(path: pathlib.Path, value: dict[str, Any]) -> None:
    """Writes a JSON object with a checksum of its own."""
    value = finite(value)
    sealed = {**value, "checksum": _checksum(value)}
    write_bytes(path, json.dumps(sealed, indent=2).encode() + b"\n")


def read_json(path: pathlib.Path) -> dict[str, Any]:
    """Reads what `write_json` wrote, without its checksum.

    Raises:
      ValueError: the file is not there, or damaged.
    """
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path} holds no JSON object")
    if value.pop("checksum", None) != _checksum(value):
        raise ValueError(f"{path} has changed since it was written")
    return value


def finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: null."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def sha256_of_file(path: pathlib.Path) -> str:
    """A hash of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checksum(value: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()

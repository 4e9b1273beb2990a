"""Reading of JSON files of images and questions."""

import json
import pathlib
import zipfile
from collections.abc import Sequence
from typing import Any


def read_json(path: pathlib.Path) -> Any:
    """Read a .json file, or the only .json file in a .zip file.

    Raises:
      FileNotFoundError: the file does not exist.
      ValueError: the file is damaged or has another format.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        if not zipfile.is_zipfile(path):
            return json.loads(path.read_bytes())
        with zipfile.ZipFile(path) as file:
            [name] = [n for n in file.namelist() if n.endswith(".json")]
            return json.loads(file.read(name))
    except Exception as error:  # a damaged file can raise any error
        raise ValueError(
            f"{path} is not a JSON file, or it is damaged: {error}"
        ) from error


def read_list(
    path: pathlib.Path, name: str, keys: Sequence[str]
) -> list[dict[str, Any]]:
    """Read the list `name` of a JSON file, whose items are objects with these keys.

    Raises:
      FileNotFoundError: the file does not exist.
      ValueError: the file is damaged or has another format.
    """
    content = read_json(path)
    items = content.get(name) if isinstance(content, dict) else None
    if not items or not all(isinstance(i, dict) and set(keys) <= set(i) for i in items):
        raise ValueError(
            f"{path} holds another data set: a list {name} is needed, each with "
            f"{', '.join(keys)}"
        )
    return items

"""Check of paths, which must be local."""

import os
import pathlib
import re

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
"""Start of a URL. It also matches "s3:/bucket", to which pathlib changes a URL."""


def local_path(path: str | os.PathLike[str], name: str) -> pathlib.Path:
    """Convert to a path, with ~ expanded.

    Args:
      path: path of a file or folder.
      name: name of the flag or argument, for the error message.

    Raises:
      ValueError: the path looks like a URL.

    Example:
      >>> from noisejax import data
      >>> data.local_path("runs/mnist", "--workdir").name
      'mnist'
    """
    if URL.match(os.fspath(path)):
        raise ValueError(
            f"{name} must be a local path, got the URL {os.fspath(path)!r}; mount the "
            "storage (s3fs, gcsfuse, ...) or copy the files, and give the local path"
        )
    return pathlib.Path(path).expanduser()

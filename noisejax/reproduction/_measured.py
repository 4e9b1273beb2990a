"""What a measurement gives: numbers for the table, arrays for the figure."""

import dataclasses
import math
import os
import pathlib
from collections.abc import Mapping

import numpy as np

Number = float | str | None
"""None where it is not defined, such as a mean over nothing."""


@dataclasses.dataclass(frozen=True)
class Measured:
    """Of one row and seed.

    Attributes:
      numbers: metric -> number.
      arrays: name -> array, kept for the figure.
    """

    numbers: Mapping[str, Number] = dataclasses.field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def __or__(self, other: "Measured") -> "Measured":
        """Both."""
        return Measured(
            {**self.numbers, **other.numbers}, {**self.arrays, **other.arrays}
        )


def as_number(value: object) -> Number:
    """A number as JSON has it: None where it is not finite."""
    if isinstance(value, str) or value is None:
        return value
    value = float(value)
    return value if math.isfinite(value) else None


def write_arrays(path: pathlib.Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes an .npz file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        np.savez_compressed(file, **{name: np.asarray(a) for name, a in arrays.items()})
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def read_arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
    """What `write_arrays` wrote; nothing where there is no file.

    Raises:
      ValueError: the file is damaged.
    """
    if not path.is_file():
        return {}
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:  # whatever a damaged file makes a reader raise
        raise ValueError(
            f"{path} is damaged ({error}); delete it, and the row's lines in "
            "results.jsonl: it is then measured again"
        ) from error

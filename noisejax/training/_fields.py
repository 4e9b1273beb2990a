"""Fields of a configuration: default, meaning and possible values in one place."""

import dataclasses
from collections.abc import Sequence
from typing import Any


def field(
    default: Any,
    doc: str,
    *,
    choices: Sequence[Any] = (),
    least: float | None = None,
    positive: bool = False,
) -> Any:
    """A field.

    Args:
      default: default value.
      doc: description, to which the choices are appended.
      choices: possible values.
      least: smallest value of a finite number.
      positive: True for a positive, finite number.
    """
    doc += f": {', '.join(map(str, choices))}" if choices else ""
    rules = {"doc": doc, "choices": choices, "least": least, "positive": positive}
    return dataclasses.field(default=default, metadata=rules)


class Fields:
    """Base class of the sections, which rejects the assignment of an unknown field."""

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a field.

        Raises:
          ValueError: the field does not exist; the message lists the fields.
        """
        names = [field.name for field in dataclasses.fields(self)]
        if name not in names:
            section = type(self).__name__.removesuffix("Config").lower()
            path = f"{section}.{name}" if section else name
            known = [f"{section}.{n}" if section else f"{n}.*" for n in names]
            raise ValueError(unknown(path, known))
        super().__setattr__(name, value)


def unknown(path: str, known: Sequence[str]) -> str:
    """The error message for the path of a field that does not exist."""
    return f"there is no field {path!r}; there are {', '.join(known)}"

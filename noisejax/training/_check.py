"""Checks of a configuration, before any data are loaded or anything is traced."""

import math
import types
import typing
from typing import Any

from noisejax.training._config import Config, all_fields, sections
from noisejax.training._rules import rules

TUPLES = {int: "(100, 100)", float: "(0.5, 0.5)", str: "('gcn', 'zca')"}
"""Type of the elements -> an example of a tuple."""


def check_config(config: Config) -> None:
    """Check every field by itself, then the combinations of fields.

    Raises:
      TypeError: a value has the wrong type.
      ValueError: a value is not one of the possible ones, or out of range.
    """
    for section, cls in sections().items():
        if not isinstance(getattr(config, section), cls):
            raise TypeError(
                f"{section} must be a {cls.__name__}; got {getattr(config, section)!r}"
            )
    values = {}
    for path, field in all_fields().items():
        section, name = path.split(".")
        values[path] = getattr(getattr(config, section), name)
        _check_type(path, values[path], field.type)
    for path, field in all_fields().items():
        value, limits = values[path], field.metadata
        if limits["choices"] and value not in limits["choices"]:
            expected = f"one of {', '.join(map(str, limits['choices']))};"
        elif limits["least"] is not None and not limits["least"] <= value < math.inf:
            expected = f"{limits['least']} or more,"
        elif limits["positive"] and not 0 < value < math.inf:
            expected = "a positive number,"
        else:
            continue
        raise ValueError(f"{path} must be {expected} got {value!r}")
    for rule in rules(config):
        _require(*rule)


def _check_type(path: str, value: Any, annotation: Any) -> None:
    if typing.get_origin(annotation) is tuple:
        element = typing.get_args(annotation)[0]
        if isinstance(value, tuple) and all(_is(item, element) for item in value):
            return
        expected = f"a tuple of {element.__name__}, such as {TUPLES[element]}"
    elif _is(value, annotation):
        return
    else:
        expected = f"of type {annotation.__name__}"
    raise TypeError(f"{path} must be {expected}; got {value!r}")


def _is(value: Any, kind: type | types.UnionType) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(message)

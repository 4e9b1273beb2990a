"""Conversions of configurations: to plain values and back, and to descriptions."""

import dataclasses
from typing import Any

from noisejax.training._config import Config, all_fields, sections
from noisejax.training._fields import unknown


def describe() -> str:
    """Describe all fields, one per line, with default and meaning."""
    lines = []
    for section, cls in sections().items():
        lines.append(f"{section}: {cls.__doc__}")
        for f in dataclasses.fields(cls):
            lines.append(f"  {section}.{f.name}={f.default!r}  {f.metadata['doc']}")
    return "\n".join(lines)


def to_dict(config: Config) -> dict[str, dict[str, Any]]:
    """Convert a configuration to plain values, as config.json holds them."""
    return dataclasses.asdict(config)


def from_dict(values: dict[str, dict[str, Any]]) -> Config:
    """Convert plain values back to a configuration (the inverse of `to_dict`).

    Raises:
      ValueError: the values are no sections of fields, or a name is unknown.
    """
    config = Config()
    if not isinstance(values, dict):
        raise ValueError(f"a configuration is sections of fields, got {values!r}")
    for section, entries in values.items():
        if section not in sections():
            raise ValueError(
                f"unknown section {section!r}; the sections are {', '.join(sections())}"
            )
        if not isinstance(entries, dict):
            raise ValueError(f"the section {section!r} holds fields, got {entries!r}")
        for name, value in entries.items():
            value = tuple(value) if isinstance(value, list) else value
            setattr(getattr(config, section), name, value)
    return config


def unknown_field(path: str) -> str:
    """The error message for the path of a field that does not exist."""
    section, _, _ = path.partition(".")
    names = [name for name in all_fields() if name.startswith(f"{section}.")]
    names = names or [f"{name}.*" for name in sections()]
    return unknown(path, names)

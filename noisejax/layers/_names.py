"""Naming layers inside a model: shell patterns on the paths of modules."""

import fnmatch
from collections.abc import Iterable, Sequence
from typing import TypeAlias

Patterns: TypeAlias = str | Sequence[str]
"""Such as "Block_0/Dropout_0" or "Block_*"; a module covers what is inside it."""


def as_patterns(patterns: Patterns) -> tuple[str, ...]:
    """Patterns as a tuple; a lone string is one pattern."""
    return (patterns,) if isinstance(patterns, str) else tuple(patterns)


def matches(path: str, patterns: Iterable[str]) -> bool:
    """Whether a pattern names the module at `path`, or one that it is part of."""
    return any(
        fnmatch.fnmatchcase(path, pattern) or fnmatch.fnmatchcase(path, pattern + "/*")
        for pattern in patterns
    )


def check_matched(patterns: Iterable[str], paths: Iterable[str]) -> None:
    """Raises a ValueError for a pattern that names none of the noise layers `paths`."""
    paths = sorted(paths)
    for pattern in patterns:
        if not any(matches(path, [pattern]) for path in paths):
            raise ValueError(
                f"{pattern!r} names no noise layer; there are {paths or 'none at all'}"
            )

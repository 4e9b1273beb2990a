"""Frozen dataclasses of arrays, with constructors that type checkers understand."""

from typing import TypeVar, dataclass_transform

import chex

Class = TypeVar("Class")


@dataclass_transform(kw_only_default=True, frozen_default=True)
def dataclass(cls: type[Class]) -> type[Class]:
    """Make `cls` a frozen dataclass with keyword arguments only, and a pytree."""
    return chex.dataclass(cls, frozen=True)  # pyright: ignore[reportReturnType] (chex has no types)

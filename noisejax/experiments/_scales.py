"""Scales of experiments."""

import dataclasses
from collections.abc import Mapping
from typing import TypeAlias

Value: TypeAlias = bool | int | float | str | tuple[object, ...]
Overrides: TypeAlias = Mapping[str, Value]
"""Configuration fields that differ from the default: "section.field" -> value."""

SCALES = ("smoke", "short", "paper")


@dataclasses.dataclass(frozen=True)
class Scale:
    """Size of an experiment.

    Attributes:
      changes: differences from the protocol of the paper, one phrase each.
      cost: time and device.
      overrides: configuration fields of every row.
      width_factor: factor on the units of every layer.
      num_seeds: number of runs per row.
      rows: names of the rows that run; () for all rows.
      generated: True to train on generated data with the shape of the real data.
      draws: number of masks drawn, in experiments without a network.
    """

    changes: tuple[str, ...]
    cost: str
    overrides: Overrides = dataclasses.field(default_factory=dict)
    width_factor: float = 1.0
    num_seeds: int = 1
    rows: tuple[str, ...] = ()
    generated: bool = False
    draws: int = 0


SEEDS_UNKNOWN = ("the paper does not say how many seeds it ran",)
BFLOAT16: Overrides = {"training.precision": "bfloat16"}

SMOKE = {
    "training.epochs": 1,
    "training.batch_size": 10,
    "training.retrain_epochs": 0,
    "training.patience": 0,
    "data.validation": 0.1,
    "optimizer.warmup_epochs": 0.0,
}


def smoke(width_factor: float = 1 / 50, overrides: Overrides | None = None) -> Scale:
    """Return the scale of narrow networks, trained for two steps on generated data.

    Args:
      width_factor: factor on the units of every layer.
      overrides: further configuration fields of every row.
    """
    return Scale(
        changes=(
            "generated data of the real data's shape",
            "narrow networks trained for two steps; the shapes of every network are "
            "also checked at full width",
        ),
        cost="seconds, two cores",
        overrides={**SMOKE, **(overrides or {})},
        width_factor=width_factor,
        generated=True,
    )


def instant(changes: tuple[str, ...] = (), *, draws: int = 0) -> Scale:
    """Return the scale of an experiment without training.

    Args:
      changes: differences from the protocol of the paper.
      draws: number of masks drawn.
    """
    return Scale(changes=changes, cost="seconds, two cores", draws=draws)


def digits(cost: str, *, num_seeds: int) -> Scale:
    """Return the scale of narrow two-layer networks on the embedded digits.

    Args:
      cost: time and device for all rows.
      num_seeds: number of runs per row.
    """
    return Scale(
        changes=("on the embedded digits; 200-200 units; 100 epochs",),
        cost=cost,
        overrides={
            "data.name": "digits",
            "data.validation": 0.1,
            "training.epochs": 100,
        },
        width_factor=1 / 5,
        num_seeds=num_seeds,
    )

"""Where a run stands: its arrays, and what is known about it on the host."""

import dataclasses

import chex

from noisejax.training._state import Best, TrainState

KINDS = {
    "metrics_sha256": str,
    "seconds": int | float,
    "seconds_projecting": int | float,
    "retrain_errors": list,
}
"""What a checkpoint keeps besides counts."""


@chex.dataclass(frozen=True)
class Seeds:
    """The states of all seeds, stacked, and their best epochs so far."""

    state: TrainState
    best: Best


@dataclasses.dataclass
class Progress:
    """What a checkpoint keeps as plain values.

    Attributes:
      phase: index of the phase.
      epoch: epochs of it that are done.
      rows: of the metrics log.
      metrics_sha256: of those rows, as they are written.
      seconds: spent so far, over all resumes.
      seconds_projecting: those of them spent on finding x*.
      retrain_errors: test errors in percent of the retraining epochs, per seed.
    """

    phase: int = 0
    epoch: int = 0
    rows: int = 0
    metrics_sha256: str = ""
    seconds: float = 0.0
    seconds_projecting: float = 0.0
    retrain_errors: list[list[float]] = dataclasses.field(default_factory=list)

    def __post_init__(self):
        """Checks what was read from a file.

        Raises:
          ValueError: a value that no run leaves.
        """
        for name in ("phase", "epoch", "rows"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 0:
                raise ValueError(f"its progress.{name} is {value!r}")
        for name, kind in KINDS.items():
            if not isinstance(getattr(self, name), kind):
                raise ValueError(f"its progress.{name} is {getattr(self, name)!r}")

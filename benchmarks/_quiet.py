"""Moments in which the machine is ours: what other processes took is measured, too."""

import pathlib
import resource
import time

_STAT = pathlib.Path("/proc/stat")
_TICKS_PER_SECOND = 100
_BUSY = (0, 1, 2, 5, 6, 7)
"""Columns of /proc/stat: user, nice, system, irq, softirq, steal."""

LIMIT = 0.08
"""The share of the machine that others may take in a quiet moment."""


def cpu_seconds() -> float:
    """Processor time of this process and of the children that it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


class Others:
    """Counts, from its making on, the processor time that others took."""

    def __init__(self):
        self.start = self._now()

    def share(self) -> float:
        """Others' part of all cores' time since then; 0 where that cannot be known."""
        wall, busy, own = (b - a for a, b in zip(self.start, self._now(), strict=True))
        return max(0.0, (busy - own) / (wall * _cores()))

    @staticmethod
    def _now() -> tuple[float, float, float]:
        own = cpu_seconds()
        if not _STAT.exists():
            return time.perf_counter(), own, own
        ticks = _STAT.read_text().split("\n", 1)[0].split()[1:]
        busy = sum(int(ticks[i]) for i in _BUSY) / _TICKS_PER_SECOND
        return time.perf_counter(), busy, own


def wait_for_quiet(deadline: float) -> None:
    """Sleep until others rest, or `time.monotonic()` has come to the deadline."""
    while time.monotonic() < deadline:
        others = Others()
        time.sleep(0.25)
        if others.share() < LIMIT:
            return


def _cores() -> int:
    if not _STAT.exists():
        return 1
    lines = _STAT.read_text().splitlines()
    return sum(line.startswith("cpu") for line in lines) - 1

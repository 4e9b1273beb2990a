"""Waits until other processes are idle, and measures the time that they use."""

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
    """Return the processor time of this process and of its finished children."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


class Others:
    """Counts the processor time of other processes since its creation."""

    def __init__(self):
        self.start = self._now()

    def share(self) -> float:
        """Return the share of all cores' time that others used; 0 if it is unknown."""
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
    """Sleep until other processes are idle, or until the deadline."""
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

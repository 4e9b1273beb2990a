"""SIGTERM ends a run at the next epoch boundary, with all that it has reached."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def stop_on_sigterm() -> Iterator[Callable[[], bool]]:
    """While open, SIGTERM only asks to stop; yields whether it has.

    Signals can be handled in the main thread only; elsewhere SIGTERM does what it did.
    """
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    try:
        yield lambda: bool(asked)
    finally:
        # None: JAX's own, of jax.distributed, which Python cannot put back.
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)

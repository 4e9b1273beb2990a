"""Measures how long JAX traces and compiles, from the events that JAX reports."""

from typing import Any

import jax

PREFIX = "/jax/core/compile/"
"""Of the events of tracing, lowering and compiling."""


class CompileTime:
    """Context manager that records when JAX traces, lowers and compiles.

    A first call less a second one would do for quick programs; for slow ones it is
    the scatter of two calls, and for a rival its threads' start.
    """

    def __init__(self):
        self._spans: list[tuple[float, float]] = []

    def __enter__(self) -> "CompileTime":
        jax.monitoring.register_event_time_span_listener(self._hear)
        return self

    def __exit__(self, *error: object) -> None:
        jax.monitoring.unregister_event_time_span_listener(self._hear)

    def _hear(self, event: str, start: float, end: float, **about: Any) -> None:
        del about
        if event.startswith(PREFIX):
            self._spans.append((start, end))

    @property
    def seconds(self) -> float:
        """Return the total time; nested traces count once."""
        total, covered = 0.0, float("-inf")
        for start, end in sorted(self._spans):
            total += max(end - max(start, covered), 0.0)
            covered = max(covered, end)
        return total


def compile_ahead(function: Any, *arguments: Any) -> tuple[Any, dict[str, Any]]:
    """Compile a jitted function, and return its program and facts for `measure`.

    Args:
      function: result of jax.jit.
      arguments: arguments of the calls.

    Returns:
      The compiled program; its temporary bytes, and the seconds of compiling, which
      its first call does not show.
    """
    with CompileTime() as spent:
        program = function.lower(*arguments).compile()
    memory = program.memory_analysis()
    return program, {
        "temporary_bytes": memory.temp_size_in_bytes,
        "compile_s": spent.seconds,
    }

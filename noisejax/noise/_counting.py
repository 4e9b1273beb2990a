"""Counting the samples that are applied, so that silent noise is noticed."""

import contextlib
import contextvars
import dataclasses
from collections.abc import Iterator


@dataclasses.dataclass
class SampleCount:
    """How many samples `apply` was called with.

    Attributes:
      applied: the count.

    Example:
      >>> from noisejax import noise
      >>> with noise.count_samples() as count:
      ...     pass
      >>> count
      SampleCount(applied=0)
    """

    applied: int = 0


_COUNT: contextvars.ContextVar[SampleCount | None] = contextvars.ContextVar(
    "noisejax_sample_count", default=None
)


@contextlib.contextmanager
def count_samples() -> Iterator[SampleCount]:
    """Counts the calls of `apply` within it: those made while tracing, under jit.

    A network that is to be noisy and counts none has its noise switched off.

    Yields:
      The count, which grows.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import noise
      >>> with noise.count_samples() as count:
      ...     y = noise.dropout(jax.random.key(0), jnp.ones(3), rate=0.5)
      >>> count.applied
      1
    """
    count = SampleCount()
    token = _COUNT.set(count)
    try:
        yield count
    finally:
        _COUNT.reset(token)


def note_applied() -> None:
    """Called by `apply`."""
    count = _COUNT.get()
    if count is not None:
        count.applied += 1

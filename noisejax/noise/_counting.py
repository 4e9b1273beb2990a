"""Counting applied samples, so that noise which is switched off is noticed."""

import contextlib
import contextvars
import dataclasses
from collections.abc import Iterator


@dataclasses.dataclass
class SampleCount:
    """Number of samples that `apply` was called with.

    Attributes:
      applied: number of calls.

    Example:
      >>> from noisejax import noise
      >>> with noise.count_samples() as count:
      ...     pass
      >>> count
      SampleCount(applied=0)
    """

    applied: int = 0


COUNT: contextvars.ContextVar[SampleCount | None] = contextvars.ContextVar(
    "noisejax_sample_count", default=None
)


@contextlib.contextmanager
def count_samples() -> Iterator[SampleCount]:
    """Count the calls of `apply` within it; under jit, those made while tracing.

    If a network that should be noisy counts none, its noise is switched off.

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
    token = COUNT.set(count)
    try:
        yield count
    finally:
        COUNT.reset(token)

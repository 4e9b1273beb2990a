"""Count the samples that are applied, to notice noise that is switched off."""

import contextlib
import contextvars
import dataclasses
from collections.abc import Iterator


@dataclasses.dataclass
class SampleCount:
    """Number of samples that `apply` has applied.

    Attributes:
      applied: number of calls of `apply`.

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
    """Count the calls of `apply` inside this context manager.

    Under `jax.jit` calls are counted during tracing only. A count of 0 for a noisy
    network shows that its noise is switched off.

    Yields:
      Count of the calls, updated by each call.

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

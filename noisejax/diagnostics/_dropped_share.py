"""Number of dropped units of a layer (Bouthillier et al. 2015, figure 1)."""

import functools
import math

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Float64, Int

from noisejax import noise
from noisejax.diagnostics._gradient_information import sum_over_chunks


def dropped_share_law(
    num_units: int, scheme: noise.Dropout | noise.RandomDropout
) -> Float64[np.ndarray, " shares"]:
    """Compute the distribution of the number k of dropped units out of n.

      Dropout        P(k) = C(n, k) rᵏ (1 - r)ⁿ⁻ᵏ
      RandomDropout  P(k) = I_r(k + 1, n - k + 1) / ((n + 1) r)

    r is the rate. I_r(k + 1, n - k + 1) is the regularised incomplete beta function,
    which equals P(Binomial(n + 1, r) > k). Figure 1 of Bouthillier et al. shows the
    density n P(k). It has a peak at r for dropout and is nearly flat below r for random
    dropout. Random dropout with 8 bits rounds its level ρ to a multiple of 1/256. This
    distribution ignores the rounding.

    Args:
      num_units: number n of units of the layer. Units share ρ.
      scheme: dropout or random dropout, without `broadcast_dims`.

    Returns:
      The probabilities P(0), ..., P(n) in float64.

    Raises:
      TypeError: the scheme is not supported.
      ValueError: `num_units` is below 1.

    Example:
      >>> from noisejax import diagnostics, noise
      >>> diagnostics.dropped_share_law(2, noise.Dropout(0.5))
      array([0.25, 0.5 , 0.25])
      >>> law = diagnostics.dropped_share_law(100, noise.RandomDropout(0.5))
      >>> round(float(law[51:].sum()), 3)  # above the rate
      0.035

    Reference:
      Bouthillier et al., "Dropout as data augmentation", arXiv:1506.08700, 2015.
    """
    _check(num_units, scheme)
    rate = scheme.rate
    if rate == 0:
        return np.eye(1, num_units + 1)[0]
    if isinstance(scheme, noise.Dropout):
        return _binomial(num_units, noise.round_rate(rate, bits=scheme.bits))
    longer = _binomial(num_units + 1, rate)
    above = np.cumsum(longer[::-1])[::-1][1:]  # P(more than k)
    return above / ((num_units + 1) * rate)


def dropped_counts(
    key: noise.Key,
    num_units: int,
    scheme: noise.Dropout | noise.RandomDropout,
    *,
    num_draws: int = 10_000,
    chunk_size: int = 1000,
) -> Int[Array, " shares"]:
    """Draw masks and count the dropped units of each mask.

    Args:
      key: typed or raw PRNG key. Consumed.
      num_units: number n of units of the layer.
      scheme: dropout or random dropout, without `broadcast_dims`.
      num_draws: number of masks.
      chunk_size: number of masks in memory at a time, a divisor of `num_draws`.

    Returns:
      The number of masks that drop k units, for k = 0, ..., n, int32 [n + 1].

    Raises:
      TypeError: `key` is not a PRNG key, or the scheme is not supported.
      ValueError: `num_units` or `num_draws` is below 1, or `chunk_size` does not divide
        `num_draws`.

    Example:
      >>> import jax
      >>> from noisejax import diagnostics, noise
      >>> scheme = noise.RandomDropout(0.5)
      >>> counts = diagnostics.dropped_counts(jax.random.key(0), 10, scheme)
      >>> counts.shape, int(counts.sum())
      ((11,), 10000)
    """
    _check(num_units, scheme)
    chunk_size = min(chunk_size, num_draws)
    if num_draws < 1 or num_draws % max(chunk_size, 1):
        raise ValueError(
            "num_draws must be at least 1 and a multiple of chunk_size, got "
            f"{num_draws} and {chunk_size}"
        )
    keys = jax.random.split(noise.as_key(key), num_draws // chunk_size)
    return _sample_counts(keys, num_units, scheme, chunk_size)


@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def _sample_counts(
    keys: Array, num_units: int, scheme: noise.Scheme, chunk_size: int
) -> Int[Array, " shares"]:
    @jax.checkpoint
    def count(key):
        mask = scheme.sample(key, (chunk_size, num_units)).mask
        dropped = num_units - mask.sum(axis=1, dtype=jnp.int32)
        return jnp.zeros(num_units + 1, jnp.int32).at[dropped].add(1)

    return sum_over_chunks(lambda keys: count(keys[0]), (keys,), chunk_size=1)


def _check(num_units: int, scheme: noise.Scheme) -> None:
    known = isinstance(scheme, noise.Dropout | noise.RandomDropout)
    if not known or scheme.broadcast_dims:
        raise TypeError(
            "the scheme must be noise.Dropout or noise.RandomDropout without "
            f"broadcast_dims, got {scheme!r}"
        )
    if num_units < 1:
        raise ValueError(f"num_units must be at least 1, got num_units={num_units}")


def _binomial(n: int, rate: float) -> Float64[np.ndarray, " shares"]:
    """Return the probabilities of the binomial distribution."""
    factorials = np.cumsum([0.0, *(math.log(i) for i in range(1, n + 1))])
    k = np.arange(n + 1)
    log_choose = factorials[n] - factorials[k] - factorials[n - k]
    return np.exp(log_choose + k * math.log(rate) + (n - k) * math.log1p(-rate))

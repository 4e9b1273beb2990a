"""Mean and variance of what a scheme multiplies a unit by."""

import math

import chex

from noisejax import noise


@chex.dataclass(frozen=True)
class NoiseMoments:
    """The law of a unit's noise, up to second order.

    Attributes:
      mean: of the factor that a unit is multiplied by.
      variance: of that factor; of the offset, where the noise is added.
      covariance: of the factors of two units of the same layer and example.
      additive: whether the noise is added.
    """

    mean: float
    variance: float
    covariance: float = 0.0
    additive: bool = False


def noise_moments(scheme: noise.Scheme | None) -> NoiseMoments:
    """The mean and variance of a scheme's noise.

    With rate r, for the factor that a unit is multiplied by:
      Dropout         mean 1, variance r / (1 - r); unscaled 1 - r and r (1 - r)
      RandomDropout   mean 1, variance -log(1 - r) / r - 1; unscaled 1 - r/2 and
                      r/2 (1 - r/2), with covariance r² / 12 between units
      GaussianDropout mean 1, variance r / (1 - r)
      GaussianNoise   added, variance stddev²

    Args:
      scheme: of the noise; None: no noise.

    Returns:
      The moments, as Python floats.

    Raises:
      TypeError: a scheme whose units are not noisy one by one, or that is unknown.

    Example:
      >>> from noisejax import diagnostics, noise
      >>> diagnostics.noise_moments(noise.Dropout(0.5)).variance
      1.0

    Reference:
      Hahn and Choi 2018, eq. 6; Bouthillier et al. 2015, section 4.1.
    """
    match scheme:
        case None:
            return NoiseMoments(mean=1.0, variance=0.0)
        case noise.Dropout(broadcast_dims=()):
            rate = noise.round_rate(scheme.rate, bits=scheme.bits)
            if scheme.scale:
                return NoiseMoments(mean=1.0, variance=rate / (1 - rate))
            return NoiseMoments(mean=1 - rate, variance=rate * (1 - rate))
        case noise.RandomDropout(broadcast_dims=()):
            return _random_dropout_moments(scheme.rate, scheme.scale)
        case noise.GaussianDropout():
            rate = scheme.rate
            return NoiseMoments(mean=1.0, variance=rate / (1 - rate))
        case noise.GaussianNoise():
            return NoiseMoments(mean=1.0, variance=scheme.stddev**2, additive=True)
    raise TypeError(
        "the noise must act on units one by one: noise.Dropout or noise.RandomDropout "
        "without broadcast_dims, noise.GaussianDropout, noise.GaussianNoise or None; "
        f"got {scheme!r}. Of other noise the net variance can be measured"
    )


def _random_dropout_moments(rate: float, scale: bool) -> NoiseMoments:
    if not scale:
        mean = 1 - rate / 2
        return NoiseMoments(
            mean=mean, variance=mean * (1 - mean), covariance=rate**2 / 12
        )
    if rate < 1e-4:  # the quotient below loses its digits; the series has them
        return NoiseMoments(mean=1.0, variance=rate / 2 + rate**2 / 3)
    return NoiseMoments(mean=1.0, variance=-math.log1p(-rate) / rate - 1)

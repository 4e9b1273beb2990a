"""Variance of pre-activations given the input of the layer."""

import math
from collections.abc import Callable

from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax import noise
from noisejax._dataclass import dataclass
from noisejax._floating import promote

Product = Callable[[Array, Array], Array]
"""(input, kernel) -> pre-activations without bias, linear in both arguments.

Examples are a matrix product and a convolution.
"""


def dense_product(
    x: Float[Array, "... inputs"], kernel: Float[Array, "inputs outputs"]
) -> Float[Array, "... outputs"]:
    """Compute x W in full precision on all platforms."""
    return jnp.matmul(x, kernel, precision="highest")


def conditional_net_variance(
    x: Float[Array, "..."],
    kernel: Float[Array, "..."],
    scheme: noise.Scheme | None,
    *,
    product: Product = dense_product,
) -> Float[Array, "..."]:
    """Compute the variance of pre-activations:  Var(zⱼ | x) = v Σᵢ (Wᵢⱼ xᵢ)².

    This is eq. 6 of Hahn and Choi 2018. For dropout with rate r, v is r (1 - r) with
    the unscaled masks of the paper, and r / (1 - r) with inverted scaling. For other
    schemes v is the variance of `noise_moments`. With invariant dropout, x is a + β,
    and the result is the sum of the terms of eq. 10 of Ba et al. 2014.

    Args:
      x: noise-free input of the layer, [B, I], or images if `product` is a convolution.
      kernel: weights W, [I, J].
      scheme: scheme of the noise on x, or None for no noise.
      product: function (x, kernel) -> pre-activations without bias.

    Returns:
      The variance over noise samples, [B, J].

    Raises:
      TypeError: an array is not floating, or the scheme does not act on units
      separately.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import diagnostics, noise
      >>> x, kernel = jnp.array([[1.0, 2.0]]), jnp.array([[3.0], [1.0]])
      >>> diagnostics.conditional_net_variance(x, kernel, noise.Dropout(0.5))
      Array([[13.]], dtype=float32)

    Reference:
      Hahn and Choi, "Understanding dropout as an optimization trick", arXiv:1806.09783.
    """
    x, kernel = promote(x), promote(kernel)
    moments = noise_moments(scheme)
    if moments.additive:
        return moments.variance * product(jnp.ones_like(x), kernel**2)
    alone = product(x**2, kernel**2)
    variance = moments.variance * alone
    if not moments.covariance:
        return variance
    return variance + moments.covariance * (product(x, kernel) ** 2 - alone)


@dataclass
class NetMoments:
    """Pre-activations of a layer in one draw, and their moments given the input x.

    Attributes:
      net: pre-activations of the draw.
      expected: mean E[z | x] over the noise on the input.
      variance: variance Var(z | x) over the noise on the input.
    """

    net: Float[Array, "..."]
    expected: Float[Array, "..."]
    variance: Float[Array, "..."]


def net_moments(
    net: Float[Array, "..."],
    x: Float[Array, "..."],
    kernel: Float[Array, "..."],
    scheme: noise.Scheme | None,
    *,
    bias: Float[Array, "..."] | None = None,
    product: Product = dense_product,
) -> NetMoments:
    """Compute the moments that `net_variance` needs to separate sources of noise.

    Args:
      net: pre-activations of the layer in one draw, [B, J].
      x: input of the layer in that draw, [B, I], before the noise on x. It includes the
        effect of noise in earlier layers.
      kernel: weights of the layer, [I, J].
      scheme: scheme of the noise on x, or None for no noise.
      bias: bias of the layer, [J], which changes only the mean.
      product: function (x, kernel) -> pre-activations without bias.

    Returns:
      The pre-activations, and their mean and variance given x.

    Raises:
      TypeError: see `conditional_net_variance`.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import diagnostics, noise
      >>> x, kernel = jnp.ones((1, 2)), jnp.ones((2, 1))
      >>> m = diagnostics.net_moments(x @ kernel, x, kernel, noise.Dropout(0.5))
      >>> float(m.expected[0, 0]), float(m.variance[0, 0])
      (2.0, 2.0)
    """
    variance = conditional_net_variance(x, kernel, scheme, product=product)
    moments = noise_moments(scheme)
    expected = moments.mean * product(promote(x), promote(kernel))
    if bias is not None:
        expected = expected + jnp.broadcast_to(promote(bias), expected.shape)
    return NetMoments(net=net, expected=expected, variance=variance)


@dataclass
class NoiseMoments:
    """Moments of the noise on a unit.

    Attributes:
      mean: mean of the factor that multiplies a unit.
      variance: variance of the factor, or of the noise if it is additive.
      covariance: covariance of the factors of two units of the same layer and example.
      additive: True if the noise is added to the unit.
    """

    mean: float
    variance: float
    covariance: float = 0.0
    additive: bool = False


def noise_moments(scheme: noise.Scheme | None) -> NoiseMoments:
    """Return the moments of the noise of a scheme.

    With rate r, the moments of the factor that multiplies a unit are:
      Dropout         mean 1, variance r / (1 - r); unscaled 1 - r and r (1 - r)
      RandomDropout   mean 1, variance -log(1 - r) / r - 1; unscaled 1 - r/2 and
                      r/2 (1 - r/2), with covariance r² / 12 between units
      GaussianDropout mean 1, variance r / (1 - r)
      GaussianNoise   added, variance stddev²

    Args:
      scheme: scheme of the noise, or None for no noise.

    Returns:
      The moments, as Python floats.

    Raises:
      TypeError: the scheme is unknown or does not act on units separately.

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
        f"got {scheme!r}. Measure other noise with diagnostics.net_variance"
    )


def _random_dropout_moments(rate: float, scale: bool) -> NoiseMoments:
    if not scale:
        mean = 1 - rate / 2
        return NoiseMoments(
            mean=mean, variance=mean * (1 - mean), covariance=rate**2 / 12
        )
    if rate < 1e-4:  # a series, since the quotient below is inexact
        return NoiseMoments(mean=1.0, variance=rate / 2 + rate**2 / 3)
    return NoiseMoments(mean=1.0, variance=-math.log1p(-rate) / rate - 1)

"""The variance that noise gives to net values, from weights and activities."""

from collections.abc import Callable

import chex
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax import noise
from noisejax._floating import at_least_float32, check_floating
from noisejax.diagnostics._noise_moments import noise_moments

Product = Callable[[Array, Array], Array]
"""(activities, weights) -> net values, linear in both: a matrix product, a convolution
without bias."""


def dense_product(
    x: Float[Array, "... inputs"], kernel: Float[Array, "inputs outputs"]
) -> Float[Array, "... outputs"]:
    """x W in full precision, on accelerators too."""
    return jnp.matmul(x, kernel, precision="highest")


def conditional_net_variance(
    x: Float[Array, "..."],
    kernel: Float[Array, "..."],
    scheme: noise.Scheme | None,
    *,
    product: Product = dense_product,
) -> Float[Array, "..."]:
    """The variance of net values given a layer's input:  Var(zⱼ | x) = v Σᵢ (Wᵢⱼ xᵢ)².

    (Hahn and Choi 2018, eq. 6.) v is r (1 - r) for the unscaled masks of the paper,
    r / (1 - r) under inverted scaling, and for other schemes as in `noise_moments`.
    With invariant dropout x is a + β, and this is the sum of the terms of Ba et al.
    2014, eq. 10.

    Args:
      x: the layer's input, clean, [B, I] (or images, with a `product` that fits).
      kernel: its weights W, [I, J].
      scheme: of the noise on x; None: no noise.
      product: (x, kernel) -> net values without bias, such as a convolution.

    Returns:
      The variance of every example's net values over masks, [B, J].

    Raises:
      TypeError: not floating; a scheme that does not act on units one by one.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import diagnostics, noise
      >>> x, kernel = jnp.array([[1.0, 2.0]]), jnp.array([[3.0], [1.0]])
      >>> diagnostics.conditional_net_variance(x, kernel, noise.Dropout(0.5))
      Array([[13.]], dtype=float32)

    Reference:
      Hahn and Choi, "Understanding dropout as an optimization trick", arXiv:1806.09783.
    """
    x, kernel = _wide(x), _wide(kernel)
    moments = noise_moments(scheme)
    if moments.additive:
        return moments.variance * product(jnp.ones_like(x), kernel**2)
    own = product(x**2, kernel**2)
    variance = moments.variance * own
    if not moments.covariance:
        return variance
    return variance + moments.covariance * (product(x, kernel) ** 2 - own)


@chex.dataclass(frozen=True)
class NetMoments:
    """A layer's net values in one draw, and their law given the layer's input.

    Attributes:
      net: the net values drawn.
      expected: E[z | x], their mean over the noise on the layer's own input.
      variance: Var(z | x), as `conditional_net_variance` has it.
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
    """What `net_variance` needs of a layer to tell its own noise from that below it.

    Args:
      net: the net values of one draw, [B, J].
      x: the layer's input in that draw, before its own noise and after that below it,
        [B, I].
      kernel: the layer's weights, [I, J].
      scheme: of the noise on x; None: no noise.
      bias: of the layer, [J]; it moves no variance and may be left out.
      product: (x, kernel) -> net values without bias.

    Returns:
      The net values with their mean and variance given x.

    Raises:
      TypeError: as `conditional_net_variance`.

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
    expected = moments.mean * product(_wide(x), _wide(kernel))
    if bias is not None:
        expected = expected + jnp.broadcast_to(_wide(bias), expected.shape)
    return NetMoments(net=net, expected=expected, variance=variance)


def _wide(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`x`, in float32 at least."""
    x = check_floating(x)
    return x.astype(at_least_float32(x.dtype))

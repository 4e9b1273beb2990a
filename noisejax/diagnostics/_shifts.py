"""Learned shifts, and the effect of input shifts on dropout (Ba et al. 2014)."""

from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax import noise
from noisejax._dataclass import dataclass
from noisejax._floating import check_floating, promote
from noisejax.diagnostics._conditional_net_variance import (
    Product,
    conditional_net_variance,
    dense_product,
)


@dataclass
class ShiftActivity:
    """Learned shifts and mean activities of the units of a layer.

    Attributes:
      mean_activity: mean activity of each unit before the shift, with the shape of
        `shift`.
      shift: learned shifts β.
      correlation: Pearson correlation of shifts and mean activities over units, or NaN
        if either is constant.
    """

    mean_activity: Float[Array, "..."]
    shift: Float[Array, "..."]
    correlation: Float[Array, ""]


def shift_against_activity(
    activities: Float[Array, "..."], beta: Float[Array, "..."]
) -> ShiftActivity:
    """Compare learned shifts with mean activities (Ba et al. 2014, figure 2).

    The paper finds a strong negative correlation. The best shift is close to the
    negative mean activity, which minimises Σₜ (aᵗ + β)². Section 4 of the paper omits
    the sign in one sentence.

    Args:
      activities: noise-free activities before the shift, [N, *units]. A mean activity
        that is already known can be passed as mean[None].
      beta: shifts with the shape of the last axes of the activities, such as [D] per
        unit or [C] per feature map. Axes of size 1 are shared.

    Returns:
      The shifts, the mean activities over the axes that β does not have, and their
      correlation.

    Raises:
      TypeError: an array is not floating.
      ValueError: the shape of `beta` does not match the last axes of the activities.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import diagnostics
      >>> a = jnp.array([[0.0, 1.0, 4.0], [2.0, 3.0, 4.0]])
      >>> result = diagnostics.shift_against_activity(a, jnp.array([-1.0, -2.0, -4.0]))
      >>> result.mean_activity, round(float(result.correlation), 3)
      (Array([1., 2., 4.], dtype=float32), -1.0)

    Reference:
      Ba, Xiong and Frey, "Making dropout invariant to transformations of activation
      functions and inputs", 2014.
    """
    activities, beta = promote(activities), check_floating(beta)
    units = activities.shape[activities.ndim - beta.ndim :]
    fits = activities.ndim > beta.ndim and all(
        b in (1, a) for a, b in zip(units, beta.shape, strict=True)
    )
    if not fits:
        raise ValueError(
            "beta must have the shape of the last axes of the activities (axes of size "
            f"1 are shared), got {beta.shape} for activities {activities.shape}"
        )
    mean = activities.mean(axis=tuple(range(activities.ndim - beta.ndim)))
    shared = tuple(i for i, n in enumerate(beta.shape) if n == 1)
    mean = mean.mean(axis=shared, keepdims=True)
    beta = beta.astype(mean.dtype)
    a, b = mean - mean.mean(), beta - beta.mean()
    lengths = jnp.sqrt((a**2).sum() * (b**2).sum())
    return ShiftActivity(
        mean_activity=mean, shift=beta, correlation=(a * b).sum() / lengths
    )


def input_shift_effect(
    x: Float[Array, "..."],
    kernel: Float[Array, "..."],
    phi: Float[Array, "..."] | float,
    scheme: noise.Scheme,
    *,
    product: Product = dense_product,
) -> Float[Array, "..."]:
    """Compute the effect of an input shift on the variance due to dropout:

      Var[zⱼ] - Var[z̃ⱼ] = -v Σₖ wₖⱼ² φₖ (φₖ + 2 aₖ)   (Ba et al. 2014, eqs. 5 to 7)

    z̃ is the pre-activation for the input a + φ. v is rate (1 - rate) with the unscaled
    masks of the paper, and rate / (1 - rate) with inverted scaling. (The paper prints
    eq. 7 with wrong signs, as p (1 - p) w² φ (φ - 2a).) If the result is negative, the
    shift increases the variance. The result depends on the example, so a bias cannot
    compensate for the shift.

    Args:
      x: activities a, [B, I].
      kernel: weights, [I, J].
      phi: shift φ, a number or an array [I] or [B, I].
      scheme: scheme of the noise, multiplicative and independent over units.
      product: function (x, kernel) -> pre-activations, as in
        `conditional_net_variance`.

    Returns:
      The difference of the variances, [B, J].

    Raises:
      TypeError: an array is not floating, or the scheme does not act on units
      separately.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import diagnostics, noise
      >>> x, kernel = jnp.array([[0.0], [-1.0]]), jnp.array([[2.0]])
      >>> diagnostics.input_shift_effect(x, kernel, 1.0, noise.Dropout(0.5))
      Array([[-4.],
             [ 4.]], dtype=float32)

    Reference:
      Ba, Xiong and Frey, "Making dropout invariant to transformations of activation
      functions and inputs", 2014.
    """
    x = promote(x)
    phi = jnp.broadcast_to(jnp.asarray(phi, x.dtype), x.shape)
    before = conditional_net_variance(x, kernel, scheme, product=product)
    after = conditional_net_variance(x + phi, kernel, scheme, product=product)
    return before - after

"""Shifts: what they learn, and what a shift of the input does to dropout (Ba 2014)."""

import chex
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax import noise
from noisejax._floating import at_least_float32, check_floating
from noisejax.diagnostics._conditional_net_variance import (
    Product,
    conditional_net_variance,
    dense_product,
)


@chex.dataclass(frozen=True)
class ShiftActivity:
    """A layer's shifts beside the mean activities of its units.

    Attributes:
      mean_activity: of each unit, before the shift, shaped like `shift`.
      shift: β.
      correlation: Pearson's, of the two over units; NaN where either is constant.
    """

    mean_activity: Float[Array, "..."]
    shift: Float[Array, "..."]
    correlation: Float[Array, ""]


def shift_against_activity(
    activities: Float[Array, "..."], beta: Float[Array, "..."]
) -> ShiftActivity:
    """Compares learned shifts with mean activities (Ba et al. 2014, figure 2).

    The paper finds a strong negative correlation: the best shift is close to MINUS the
    mean activity, which minimises Σₜ (aᵗ + β)². (Section 4 once says "the average".)

    Args:
      activities: clean ones, before the shift, [N, *units]. A mean that was taken
        batch by batch is passed as mean[None].
      beta: the shifts, shaped like the last axes of the activities: [D] per unit, [C]
        per feature map; axes of size 1 are shared.

    Returns:
      The mean activities, averaged over all axes that β does not have, the shifts, and
      their correlation.

    Raises:
      TypeError: not floating.
      ValueError: `beta` does not fit the last axes of the activities.

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
    activities, beta = check_floating(activities), check_floating(beta)
    own = activities.shape[activities.ndim - beta.ndim :]
    fits = activities.ndim > beta.ndim and all(
        b in (1, a) for a, b in zip(own, beta.shape, strict=True)
    )
    if not fits:
        raise ValueError(
            "beta must be shaped like the last axes of the activities (axes of size 1 "
            f"are shared), got {beta.shape} for activities {activities.shape}"
        )
    activities = activities.astype(at_least_float32(activities.dtype))
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
    """What a shift of the input does to the variance that dropout makes:

      Var[zⱼ] - Var[z̃ⱼ] = -v Σₖ wₖⱼ² φₖ (φₖ + 2 aₖ)   (Ba et al. 2014, eqs. 5 to 7)

    where z̃ is the net value of a + φ, and v = rate (1 - rate) for the paper's unscaled
    masks, rate / (1 - rate) under inverted scaling. (The paper prints eq. 7 with the
    signs of the expansion wrong: p (1 - p) w² φ (φ - 2a).) No bias can undo it, and it
    depends on the example: negative, the shift adds variance; positive, it takes some.

    Args:
      x: the activities a, [B, I].
      kernel: weights, [I, J].
      phi: the shift φ: one number, or an array [I] or [B, I].
      scheme: of the noise, multiplicative and independent over units.
      product: (x, kernel) -> net values, as in `conditional_net_variance`.

    Returns:
      The difference of the variances, [B, J].

    Raises:
      TypeError: not floating; a scheme that does not act on units one by one.

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
    x = check_floating(x)
    x = x.astype(at_least_float32(x.dtype))
    phi = jnp.broadcast_to(jnp.asarray(phi, x.dtype), x.shape)
    before = conditional_net_variance(x, kernel, scheme, product=product)
    after = conditional_net_variance(x + phi, kernel, scheme, product=product)
    return before - after

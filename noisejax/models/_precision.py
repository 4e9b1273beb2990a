"""Products in bfloat16 with float32 accumulation."""

import functools
import string

import jax
from jax import lax
from jax import numpy as jnp
from jax.sharding import NamedSharding
from jaxtyping import Array, Float

from noisejax._explicit import explicit_spec
from noisejax.models._by_compiler import by_compiler


def bfloat16_products(
    lhs: Float[Array, "..."],
    rhs: Float[Array, "..."],
    dimension_numbers: lax.DotDimensionNumbers,
    precision: lax.PrecisionLike = None,
    preferred_element_type: jax.typing.DTypeLike | None = None,
    out_sharding: NamedSharding | None = None,
) -> Float[Array, "..."]:
    """A `lax.dot_general` whose operands are rounded to bfloat16, its sums in float32.

    For the `dot_general` argument of Flax's layers: parameters, activations and
    gradients stay float32, the matrix units see bfloat16, forward and backward. Reverse
    mode only.

    Args:
      lhs: left operand.
      rhs: right operand.
      dimension_numbers: as in `lax.dot_general`.
      precision: ignored; bfloat16 has one.
      preferred_element_type: ignored; sums are float32.
      out_sharding: of the result, over Explicit axes; None: as the operands say.

    Returns:
      The product, float32.

    Example:
      >>> from flax import linen as nn
      >>> from noisejax import models
      >>> layer = nn.Dense(3, dot_general=models.bfloat16_products)
    """
    del precision, preferred_element_type
    (lhs_axes, rhs_axes), (lhs_batch, rhs_batch) = dimension_numbers
    letters = iter(string.ascii_letters)
    left = [next(letters) for _ in range(lhs.ndim)]
    right = [next(letters) for _ in range(rhs.ndim)]
    for i, j in zip((*lhs_axes, *lhs_batch), (*rhs_axes, *rhs_batch), strict=True):
        right[j] = left[i]
    batch = [left[i] for i in lhs_batch]
    out = batch + [a for a in left + right if (a in left) != (a in right)]
    names = "".join(left), "".join(right), "".join(out)
    lies = dict(zip(right, explicit_spec(rhs), strict=True))
    lies |= {a: by for a, by in zip(left, explicit_spec(lhs), strict=True) if by}
    spec = tuple(lies.get(axis) for axis in out)
    return by_compiler(
        functools.partial(_product, *names), lhs, rhs, spec, out_sharding
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2))
def _product(left: str, right: str, out: str, lhs: Array, rhs: Array) -> Array:
    """The product, its axes named as in an einsum."""
    return _einsum(f"{left},{right}->{out}", lhs, rhs)


def _forward(left, right, out, lhs, rhs):
    lhs, rhs = lhs.astype(jnp.bfloat16), rhs.astype(jnp.bfloat16)
    return _product(left, right, out, lhs, rhs), (lhs, rhs)


def _backward(left, right, out, operands, gradient):
    lhs, rhs = operands
    return (
        _einsum(f"{out},{right}->{left}", gradient, rhs),
        _einsum(f"{left},{out}->{right}", lhs, gradient),
    )


_product.defvjp(_forward, _backward)


def _einsum(axes: str, lhs: Array, rhs: Array) -> Array:
    lhs, rhs = lhs.astype(jnp.bfloat16), rhs.astype(jnp.bfloat16)
    return jnp.einsum(axes, lhs, rhs, preferred_element_type=jnp.float32)

"""Matrix products: flattened on a CPU, or in bfloat16."""

import dataclasses
import functools
import math
import string

import jax
from jax import lax
from jax import numpy as jnp
from jax.sharding import NamedSharding
from jaxtyping import Array, Float

from noisejax._explicit import explicit_sharding, explicit_spec
from noisejax.models._bilinear import Bilinear, bilinear, by_compiler


def flat_products(
    lhs: Float[Array, "..."],
    rhs: Float[Array, "..."],
    dimension_numbers: lax.DotDimensionNumbers,
    precision: lax.PrecisionLike = None,
    preferred_element_type: jax.typing.DTypeLike | None = None,
    out_sharding: NamedSharding | None = None,
) -> Float[Array, "..."]:
    """`lax.dot_general`, computed as a product of matrices on a CPU.

      [S, B, K] · [K, N]  →  [S·B, K] · [K, N]

    For the `dot_general` argument of Flax's layers. Under `jax.vmap` over noise samples
    the batch has two axes, and XLA transposes it on a CPU for every gradient of a
    weight. Here the axes are merged instead, forward and backward; values are the same
    up to rounding. It works under grad, jvp, vmap, scan, jit and checkpoint.

    It is `lax.dot_general` on other platforms, in a process with several CPU devices
    (a sharded axis is never merged), over Explicit axes and within `jax.shard_map`.
    Policies of `jax.checkpoint` that save products by name do not see it.

    Args:
      lhs: left operand.
      rhs: right operand.
      dimension_numbers: contracted axes and batch axes, as in `lax.dot_general`.
      precision: precision of the product.
      preferred_element_type: dtype of the sums and of the result.
      out_sharding: sharding of the result, over Explicit axes.

    Returns:
      The product.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from flax import linen as nn
      >>> from noisejax import models
      >>> layer = nn.Dense(3, dot_general=models.flat_products)
      >>> samples = jnp.ones((8, 4, 5))
      >>> params = layer.init(jax.random.key(0), samples[0])
      >>> jax.vmap(lambda x: layer.apply(params, x))(samples).shape
      (8, 4, 3)
    """
    explicit = explicit_sharding(lhs) or explicit_sharding(rhs) or out_sharding
    if explicit:
        return lax.dot_general(
            lhs,
            rhs,
            dimension_numbers,
            precision=precision,
            preferred_element_type=preferred_element_type,
            out_sharding=out_sharding,
        )
    axes = _named_axes(lhs, rhs, dimension_numbers)
    form = Product(*axes, precision=precision, dtype=preferred_element_type)
    return bilinear(form, lhs, rhs)


def bfloat16_products(
    lhs: Float[Array, "..."],
    rhs: Float[Array, "..."],
    dimension_numbers: lax.DotDimensionNumbers,
    precision: lax.PrecisionLike = None,
    preferred_element_type: jax.typing.DTypeLike | None = None,
    out_sharding: NamedSharding | None = None,
) -> Float[Array, "..."]:
    """`lax.dot_general` of operands rounded to bfloat16, with sums in float32.

    For the `dot_general` argument of Flax's layers. Parameters, activations and
    gradients stay float32; the matrix units see bfloat16, forward and backward, in
    every order of derivatives. On a CPU it is flattened as `flat_products` is.

    Args:
      lhs: left operand.
      rhs: right operand.
      dimension_numbers: contracted axes and batch axes, as in `lax.dot_general`.
      precision: ignored; bfloat16 has one.
      preferred_element_type: ignored; sums are float32.
      out_sharding: sharding of the result, over Explicit axes; None: that of the
        operands.

    Returns:
      The product, float32.

    Example:
      >>> from flax import linen as nn
      >>> from noisejax import models
      >>> layer = nn.Dense(3, dot_general=models.bfloat16_products)
    """
    del precision, preferred_element_type
    left, right, out = _named_axes(lhs, rhs, dimension_numbers)
    mesh_axes = dict(zip(right, explicit_spec(rhs), strict=True))
    mesh_axes |= {a: by for a, by in zip(left, explicit_spec(lhs), strict=True) if by}
    spec = tuple(mesh_axes.get(axis) for axis in out)
    product = functools.partial(bilinear, Product(left, right, out, rounded=True))
    return by_compiler(product, lhs, rhs, spec, out_sharding)


@dataclasses.dataclass(frozen=True)
class Product(Bilinear):
    """A product of matrices; roles are names of axes, as in `jnp.einsum`.

    Attributes:
      precision: precision of the product.
      dtype: dtype of the sums and of the result; None: that of the operands.
    """

    precision: lax.PrecisionLike = None
    dtype: jax.typing.DTypeLike | None = None

    def __call__(self, lhs, rhs):
        batch, left, summed, right = self._groups()
        dims = tuple(
            tuple(tuple(map(axes.index, group)) for axes in (self.left, self.right))
            for group in (summed, batch)
        )
        out = lax.dot_general(
            self.round(lhs),
            self.round(rhs),
            dims,
            precision=self.precision,
            preferred_element_type=jnp.float32 if self.rounded else self.dtype,
        )
        order = batch + left + right
        if order == self.out:
            return out
        return out.transpose([order.index(axis) for axis in self.out])

    def on_cpu(self, lhs, rhs):
        batch, left, summed, right = groups = self._groups()
        # Products of matrices are all that XLA knows in bfloat16.
        stock = bool(batch) and not self.rounded
        if stock or max(map(len, groups)) < 2 or jax.device_count("cpu") > 1:
            return self(lhs, rhs)
        sizes = dict(zip(self.left + self.right, lhs.shape + rhs.shape, strict=True))

        def merge(x, axes, *pairs):
            """Make each group one axis, in the order of `axes` where they allow it."""
            if "".join(group for _, group in reversed(pairs)) == axes[len(batch) :]:
                pairs = pairs[::-1]
            pairs = [("b", batch), *pairs] if batch else pairs
            x = x.transpose([axes.index(a) for _, group in pairs for a in group])
            x = x.reshape([math.prod(sizes[a] for a in group) for _, group in pairs])
            return x, "".join(name for name, _ in pairs)

        lhs, left_name = merge(lhs, self.left, ("l", left), ("s", summed))
        rhs, right_name = merge(rhs, self.right, ("s", summed), ("r", right))
        out_name = "blr" if batch else "lr"
        form = dataclasses.replace(self, left=left_name, right=right_name, out=out_name)
        order = batch + left + right
        out = form(lhs, rhs).reshape([sizes[a] for a in order])
        return out.transpose([order.index(a) for a in self.out])

    def batch(self, args, axes):
        new = next(
            a
            for a in string.ascii_letters
            if a not in self.left + self.right + self.out
        )
        left, right = (
            names if axis is None else names[:axis] + new + names[axis:]
            for names, axis in zip((self.left, self.right), axes, strict=True)
        )
        form = dataclasses.replace(self, left=left, right=right, out=new + self.out)
        return bilinear(form, *args)

    def _groups(self) -> tuple[str, str, str, str]:
        """Axes of the batch, of the left operand alone, summed over, of the right."""
        shared = [a for a in self.left if a in self.right]
        return (
            "".join(a for a in shared if a in self.out),
            "".join(a for a in self.left if a not in shared),
            "".join(a for a in shared if a not in self.out),
            "".join(a for a in self.right if a not in shared),
        )


def _named_axes(
    lhs: Array, rhs: Array, dimension_numbers: lax.DotDimensionNumbers
) -> tuple[str, str, str]:
    """A letter for every axis of the operands and of `lax.dot_general`'s result."""
    (lhs_summed, rhs_summed), (lhs_batch, rhs_batch) = dimension_numbers
    letters = string.ascii_letters
    left, right = letters[: lhs.ndim], list(letters[lhs.ndim : lhs.ndim + rhs.ndim])
    for i, j in zip((*lhs_summed, *lhs_batch), (*rhs_summed, *rhs_batch), strict=True):
        right[j] = left[i]
    out = [left[i] for i in lhs_batch]
    out += [a for a in (*left, *right) if (a in left) != (a in right)]
    return left, "".join(right), "".join(out)

"""Matrix products with merged axes on a CPU, or with bfloat16 operands."""

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
    """`lax.dot_general` that is computed as a matrix product on a CPU.

      [S, B, K] · [K, N]  →  [S·B, K] · [K, N]

    Pass it as the `dot_general` argument of a Flax layer. Under `jax.vmap` over noise
    samples the batch has two axes, S and B. On a CPU, XLA transposes such arrays for
    the gradient of each weight. This function merges the two axes instead, in the
    forward and the backward pass. Results are equal up to rounding. Grad, jvp, vmap,
    scan, jit and checkpoint are supported.

    On other platforms, with several CPU devices, on Explicit mesh axes and within
    `jax.shard_map` it is `lax.dot_general`, so a sharded axis is never merged. Policies
    of `jax.checkpoint` that save dot products by name do not recognise it.

    Args:
      lhs: left operand.
      rhs: right operand.
      dimension_numbers: contracted axes and batch axes, as in `lax.dot_general`.
      precision: precision of the product.
      preferred_element_type: dtype of the sums and of the result.
      out_sharding: sharding of the result on Explicit axes.

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

    Pass it as the `dot_general` argument of a Flax layer. Parameters, activations and
    gradients stay in float32. All products have bfloat16 operands, in the forward pass
    and in derivatives of any order. On a CPU, axes are merged as in `flat_products`.

    Args:
      lhs: left operand.
      rhs: right operand.
      dimension_numbers: contracted axes and batch axes, as in `lax.dot_general`.
      precision: ignored, because the operands are bfloat16.
      preferred_element_type: ignored, because sums are float32.
      out_sharding: sharding of the result on Explicit axes. By default it follows from
        the operands.

    Returns:
      The product, in float32.

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
    """A matrix product. Roles are strings of axis names, as in `jnp.einsum`.

    Attributes:
      precision: precision of the product.
      dtype: dtype of the sums and of the result, or None for that of the operands.
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
        # XLA on CPUs supports bfloat16 only for products of two matrices.
        stock = bool(batch) and not self.rounded
        if stock or max(map(len, groups)) < 2 or jax.device_count("cpu") > 1:
            return self(lhs, rhs)
        sizes = dict(zip(self.left + self.right, lhs.shape + rhs.shape, strict=True))

        def merge(x, axes, *pairs):
            """Merge each group into one axis, in the order of `axes` if possible."""
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
        """Return the batch axes, left axes, summed axes and right axes."""
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
    """Name the axes of the operands and of the result of `lax.dot_general`."""
    (lhs_summed, rhs_summed), (lhs_batch, rhs_batch) = dimension_numbers
    letters = string.ascii_letters
    left, right = letters[: lhs.ndim], list(letters[lhs.ndim : lhs.ndim + rhs.ndim])
    for i, j in zip((*lhs_summed, *lhs_batch), (*rhs_summed, *rhs_batch), strict=True):
        right[j] = left[i]
    out = [left[i] for i in lhs_batch]
    out += [a for a in (*left, *right) if (a in left) != (a in right)]
    return left, "".join(right), "".join(out)

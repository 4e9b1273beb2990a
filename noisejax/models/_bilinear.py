"""A JAX primitive for bilinear products, whose derivatives use the same primitive.

JAX does not round the operands of the products in a gradient, and lets the compiler
choose their axis order. `jax.custom_vjp` could control both but excludes forward mode,
and `jax.custom_batching.custom_vmap` excludes reverse mode. A primitive supports both
modes.
"""

import abc
import dataclasses
from collections.abc import Callable
from typing import Any, Self

import jax
from jax import numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jax.sharding import NamedSharding
from jaxtyping import Array

from noisejax._explicit import explicit_sharding, within_shard_map


@dataclasses.dataclass(frozen=True)
class Bilinear(abc.ABC):
    """A bilinear function of two arrays, such as a matrix product or a convolution.

    The two operands and the result have roles. Swapping the result with an operand
    gives a transpose of the function.

    Attributes:
      left: role of the first operand.
      right: role of the second operand.
      out: role of the result.
      rounded: True to round operands to bfloat16 and to sum in float32.
    """

    left: str
    right: str
    out: str
    rounded: bool = False

    @abc.abstractmethod
    def __call__(self, lhs: Array, rhs: Array) -> Array:
        """Compute the product with JAX functions, on any platform."""

    @abc.abstractmethod
    def on_cpu(self, lhs: Array, rhs: Array) -> Array:
        """Compute the same product in a form that is fast on a CPU."""

    @abc.abstractmethod
    def batch(self, args: list[Array], axes: list[int | None]) -> Array:
        """Compute the product over a mapped axis; in the result this axis is first."""

    def to_left(self) -> Self:
        """Return the transpose (cotangent, rhs) -> lhs."""
        return dataclasses.replace(self, left=self.out, out=self.left)

    def to_right(self) -> Self:
        """Return the transpose (lhs, cotangent) -> rhs."""
        return dataclasses.replace(self, right=self.out, out=self.right)

    def round(self, x: Array) -> Array:
        """Round an operand. The backward pass also stores the rounded operand."""
        return x.astype(jnp.bfloat16) if self.rounded else x


def bilinear(form: Bilinear, lhs: Array, rhs: Array) -> Array:
    """Compute `form(lhs, rhs)` with the primitive."""
    lhs, rhs = _vary(lhs, _varying(rhs)), _vary(rhs, _varying(lhs))
    return _bilinear_p.bind(lhs, rhs, form=form)


def _varying(x: Array) -> frozenset[str]:
    """Return the mesh axes along which x differs between devices within `shard_map`."""
    kind = jax.typeof(x)
    if hasattr(kind, "vma"):  # before JAX 0.12
        return kind.vma
    return kind.manual_axis_type.varying


def _vary(x: Array, axes: frozenset[str]) -> Array:
    """Mark x as differing between devices along `axes`."""
    missing = tuple(axes - _varying(x))
    return jax.lax.pcast(x, missing, to="varying") if missing else x


def by_compiler(
    product: Callable[[Array, Array], Array],
    lhs: Array,
    rhs: Array,
    spec: tuple[Any, ...],
    out_sharding: NamedSharding | None,
) -> Array:
    """Compute `product(lhs, rhs)` on meshes with Explicit axes too.

    On Explicit axes JAX requires a result sharding for each sum over a sharded axis.
    The gradients cannot provide one, so the compiler chooses the sharding.

    Args:
      product: function of the two operands.
      lhs: first operand.
      rhs: second operand.
      spec: mesh axes of each axis of the result.
      out_sharding: sharding of the result. If it is None, `spec` is used on a mesh with
        Explicit axes.
    """
    if out_sharding is None:
        out_sharding = explicit_sharding(lhs, *spec) or explicit_sharding(rhs, *spec)
    if out_sharding is None or within_shard_map(lhs) or within_shard_map(rhs):
        return product(lhs, rhs)
    return jax.sharding.auto_axes(product, out_sharding=out_sharding)(lhs, rhs)


def _impl(lhs, rhs, *, form):
    return jax.jit(bilinear, static_argnums=0)(form, lhs, rhs)


def _abstract(lhs, rhs, *, form):
    return jax.make_jaxpr(form)(lhs, rhs).out_avals[0]


def _jvp(primals, tangents, *, form):
    """d(a · b) = da · b + a · db."""
    (lhs, rhs), (d_lhs, d_rhs) = primals, tangents
    terms = []
    if not isinstance(d_lhs, ad.Zero):
        terms.append(bilinear(form, d_lhs, form.round(rhs)))
    if not isinstance(d_rhs, ad.Zero):
        terms.append(bilinear(form, form.round(lhs), d_rhs))
    return bilinear(form, lhs, rhs), sum(terms[1:], start=terms[0])


def _transpose(cotangent, lhs, rhs, *, form):
    of_left = ad.is_undefined_primal(lhs)
    aval = lhs.aval if of_left else rhs.aval
    if isinstance(cotangent, ad.Zero):
        result = ad.Zero(aval)
    elif of_left:
        result = bilinear(form.to_left(), cotangent, rhs).astype(aval.dtype)
    else:
        result = bilinear(form.to_right(), lhs, cotangent).astype(aval.dtype)
    return (result, None) if of_left else (None, result)


def _batch(args, axes, *, form):
    return form.batch(args, axes), 0


_bilinear_p = Primitive("noisejax_bilinear")
_bilinear_p.def_impl(_impl)
_bilinear_p.def_abstract_eval(_abstract)
ad.primitive_jvps[_bilinear_p] = _jvp
ad.primitive_transposes[_bilinear_p] = _transpose
batching.primitive_batchers[_bilinear_p] = _batch
for _platform, _name in ((None, "__call__"), ("cpu", "on_cpu")):

    def _lowered(lhs, rhs, *, form, name=_name):
        return getattr(form, name)(lhs, rhs)

    mlir.register_lowering(
        _bilinear_p, mlir.lower_fun(_lowered, multiple_results=False), _platform
    )

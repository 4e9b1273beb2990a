"""Positive definite matrices on the input that are cheap to estimate and to invert."""

import dataclasses
import math
from typing import Self

import jax
from jax import numpy as jnp
from jaxtyping import Array, Complex, Float

PROBES_PER_DIMENSION = 8
"""Random products with J' for every row of a whole matrix that they estimate."""

FOURIER_PROBES = 2048
"""The same for a matrix per frequency, which every probe sees whole."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Dense:
    """Whole matrices, for inputs whose numbers have nothing in common.

    Attributes:
      inverses: [parts, D, D].
      shape: of an example.
    """

    inverses: Float[Array, "parts D D"]
    shape: tuple[int, ...] = dataclasses.field(metadata={"static": True})

    @staticmethod
    def num_probes(shape: tuple[int, ...]) -> int:
        """Vectors that a mean of `second_moment` should be over."""
        return PROBES_PER_DIMENSION * math.prod(shape)

    @staticmethod
    def second_moment(u: Float[Array, "batch ..."]) -> Float[Array, "D D"]:
        """The mean of u u'."""
        flat = u.reshape(u.shape[0], -1)
        return flat.T @ flat / u.shape[0]

    @classmethod
    def invert(
        cls, moments: Float[Array, "parts D D"], damping: float, shape: tuple[int, ...]
    ) -> Self:
        """The inverses, a share of the mean eigenvalue being added to all."""
        size = moments.shape[-1]
        added = damping * jnp.trace(moments, axis1=-2, axis2=-1) / size
        added = jnp.where(added > 0, added, 1)[:, None, None]
        eye = jnp.broadcast_to(jnp.eye(size, dtype=moments.dtype), moments.shape)
        factors = jnp.linalg.cholesky(moments + added * eye)
        inverses = jax.scipy.linalg.cho_solve((factors, True), eye)
        return cls(inverses, shape)

    def solve(
        self, x: Float[Array, "batch ..."], part: int
    ) -> Float[Array, "batch ..."]:
        """The inverse matrix times every example."""
        return (x.reshape(x.shape[0], -1) @ self.inverses[part]).reshape(x.shape)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Fourier:
    """A matrix over the channels per spatial frequency: the same at every place.

    Attributes:
      inverses: [parts, frequencies ..., C, C].
      shape: of an example, [places ..., C].
    """

    inverses: Complex[Array, "parts ..."]
    shape: tuple[int, ...] = dataclasses.field(metadata={"static": True})

    @staticmethod
    def num_probes(shape: tuple[int, ...]) -> int:
        """Vectors that a mean of `second_moment` should be over."""
        return FOURIER_PROBES

    @staticmethod
    def second_moment(u: Float[Array, "batch ..."]) -> Complex[Array, "..."]:
        """The mean of û û* at every frequency."""
        waves = _transform(u)
        return jnp.einsum("b...c,b...d->...cd", waves, waves.conj()) / u.shape[0]

    @classmethod
    def invert(
        cls,
        moments: Complex[Array, "parts ..."],
        damping: float,
        shape: tuple[int, ...],
    ) -> Self:
        """The inverses, a share of the mean eigenvalue being added to all."""
        channels = moments.shape[-1]
        diagonal = jnp.diagonal(moments, axis1=-2, axis2=-1).real
        mean = jnp.mean(diagonal, axis=tuple(range(1, diagonal.ndim)))
        added = jnp.where(mean > 0, damping * mean, 1)
        added = added.reshape(-1, *(1,) * (moments.ndim - 1)).astype(moments.dtype)
        eye = jnp.broadcast_to(jnp.eye(channels, dtype=moments.dtype), moments.shape)
        return cls(jnp.linalg.inv(moments + added * eye), shape)

    def solve(
        self, x: Float[Array, "batch ..."], part: int
    ) -> Float[Array, "batch ..."]:
        """The inverse matrix times every example."""
        waves = jnp.einsum("...cd,b...d->b...c", self.inverses[part], _transform(x))
        axes = tuple(range(1, x.ndim - 1))
        return jnp.fft.irfftn(waves, x.shape[1:-1], axes, norm="ortho")


def _transform(x: Float[Array, "batch ..."]) -> Complex[Array, "batch ..."]:
    """Over the places, of every channel; it keeps lengths."""
    return jnp.fft.rfftn(x, axes=tuple(range(1, x.ndim - 1)), norm="ortho")

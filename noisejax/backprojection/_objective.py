"""What back-projection descends on, and its derivatives by the input alone."""

import dataclasses
import math
from collections.abc import Callable

import jax
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax._floating import at_least_float32

Features = tuple[Float[Array, "batch ..."], ...]
"""Activations of the layers, first layer first."""

FeaturesFn = Callable[..., Features]
"""(params, x) -> the noise-free activations."""


@dataclasses.dataclass(frozen=True)
class Objective:
    """Σ_l λ_l mean over units (f_l(x*) - target_l)², for every example.

    The network may compute in half precision; errors and sums are float32 at least.

    Attributes:
      features: x [B, ...] -> the noise-free activations of L layers.
      targets: the noisy ones.
      weights: λ, [L].
    """

    features: Callable[[Float[Array, "batch ..."]], Features]
    targets: Features
    weights: Float[Array, " layers"]

    @property
    def sizes(self) -> Float[Array, " layers"]:
        """Units of each layer."""
        sizes = [math.prod(target.shape[1:]) for target in self.targets]
        return jnp.array(sizes, self.weights.dtype)

    def layer(self, index: int) -> "Objective":
        """The objective of one layer; what lies behind that layer is not computed."""
        return Objective(
            lambda x: (self.features(x)[index],),
            (self.targets[index],),
            self.weights[index : index + 1],
        )

    def evaluate(
        self, x: Float[Array, "batch ..."], weights: Float[Array, " layers"]
    ) -> tuple[Float[Array, "layers batch"], Float[Array, "batch ..."]]:
        """Squared errors, and the gradient under other layer weights, by one vjp.

        No cotangent of a parameter exists: only `x` is an argument of what is
        differentiated.
        """
        features, pull = jax.vjp(self.features, x)
        errors = self._errors(features)
        scales = 2 * weights / self.sizes
        return _sums_of_squares(errors), pull(_scaled(errors, scales, features))[0]

    def squared_errors(
        self, x: Float[Array, "batch ..."]
    ) -> Float[Array, "layers batch"]:
        """|f_l(x) - target_l|², summed over the units."""
        return _sums_of_squares(self._errors(self.features(x)))

    def squared_targets(self) -> Float[Array, "layers batch"]:
        """|target_l|², summed over the units."""
        return _sums_of_squares([t.astype(self.weights.dtype) for t in self.targets])

    def per_example(
        self, squared: Float[Array, "layers batch"]
    ) -> Float[Array, " batch"]:
        """The objective of every example, from squared errors."""
        scales = self.weights / self.sizes
        return jnp.sum(jnp.expand_dims(scales, 1) * squared, axis=0)

    def curvature(
        self, x: Float[Array, "batch ..."]
    ) -> Callable[[Float[Array, "batch ..."]], Float[Array, "batch ..."]]:
        """v -> H v per example, H = 2 Σ_l λ_l J_l'J_l / N_l (Gauss-Newton) at `x`."""
        features, push = jax.linearize(self.features, x)
        pull = jax.linear_transpose(push, x)
        scales = 2 * self.weights / self.sizes

        def times(v):
            pushed = [p.astype(self.weights.dtype) for p in push(v)]
            return pull(_scaled(pushed, scales, features))[0]

        return times

    def _errors(self, features: Features) -> list[Float[Array, "batch ..."]]:
        dtype = self.weights.dtype
        pairs = zip(features, self.targets, strict=True)
        return [f.astype(dtype) - t.astype(dtype) for f, t in pairs]


def widened(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """`x` in the precision in which back-projection sums and moves."""
    return x.astype(at_least_float32(x.dtype))


def along_batch(
    a: Float[Array, " batch"], x: Float[Array, "batch ..."]
) -> Float[Array, "batch ..."]:
    """A number per example, with x's rank."""
    return a.reshape(a.shape + (1,) * (x.ndim - 1))


def inner(
    a: Float[Array, "batch ..."], b: Float[Array, "batch ..."]
) -> Float[Array, " batch"]:
    """The inner product of every example."""
    return jnp.sum(a * b, axis=tuple(range(1, a.ndim)))


def _scaled(errors, scales, features) -> Features:
    """Cotangents: the errors times a number per layer, in the features' dtypes."""
    pairs = zip(errors, features, strict=True)
    return tuple((scales[i] * e).astype(f.dtype) for i, (e, f) in enumerate(pairs))


def _sums_of_squares(errors) -> Float[Array, "layers batch"]:
    return jnp.stack([inner(e, e) for e in errors])

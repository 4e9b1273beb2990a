"""Objective of back-projection and its derivatives with respect to the input.

All derivatives use reverse mode, so that functions with a custom_vjp are supported.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence

import jax
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float, PyTree, Shaped

from noisejax._floating import promote
from noisejax.backprojection._check import (
    check_features,
    check_floating_input,
    check_layer_weights,
    check_num_steps,
)

Features = tuple[Float[Array, "batch ..."], ...]
"""Activations of the layers, in order."""

FeaturesFn = Callable[..., Features]
"""(params, x) -> noise-free activations."""

Product = Callable[[Float[Array, "batch ..."]], Float[Array, "batch ..."]]
"""v -> product of a matrix with v, for each example."""


@dataclasses.dataclass(frozen=True)
class Objective:
    """The objective  Σ_l λ_l mean over units (f_l(x*) - target_l)²  of each example.

    Errors and sums are in float32 at least, even if the activations have half
    precision.

    Attributes:
      features: function x [B, ...] -> noise-free activations of L layers.
      targets: noisy activations.
      weights: weights λ of the layers, [L].
    """

    features: Callable[[Float[Array, "batch ..."]], Features]
    targets: Features
    weights: Float[Array, " layers"]

    @property
    def sizes(self) -> Float[Array, " layers"]:
        """Number of units of each layer."""
        sizes = [math.prod(target.shape[1:]) for target in self.targets]
        return jnp.array(sizes, self.weights.dtype)

    def layer(self, index: int) -> "Objective":
        """Return the objective of one layer. XLA removes unused later layers."""
        return Objective(
            lambda x: (self.features(x)[index],),
            (self.targets[index],),
            self.weights[index : index + 1],
        )

    def example(self, target: Features) -> Callable[[Array], Float[Array, ""]]:
        """Return the objective as a function of one example without a batch axis."""
        alone = dataclasses.replace(
            self, targets=jax.tree.map(lambda t: t[None], target)
        )
        return lambda x: alone.per_example(alone.squared_errors(x[None]))[0]

    def evaluate(
        self, x: Float[Array, "batch ..."], weights: Float[Array, " layers"]
    ) -> tuple[Float[Array, "layers batch"], Float[Array, "batch ..."]]:
        """Return the squared errors, and the gradient with other layer weights."""
        features, pull = jax.vjp(self.features, x)
        errors = self._errors(features)
        scales = 2 * weights / self.sizes
        return _sums_of_squares(errors), pull(_scaled(errors, scales, features))[0]

    def squared_errors(
        self, x: Float[Array, "batch ..."]
    ) -> Float[Array, "layers batch"]:
        """Return Σ (f_l(x) - target_l)² over units."""
        return _sums_of_squares(self._errors(self.features(x)))

    def squared_targets(self) -> Float[Array, "layers batch"]:
        """Return Σ target_l² over units."""
        return _sums_of_squares([t.astype(self.weights.dtype) for t in self.targets])

    def per_example(
        self, squared: Float[Array, "layers batch"]
    ) -> Float[Array, " batch"]:
        """Return the objective of each example, given the squared errors."""
        scales = self.weights / self.sizes
        return jnp.sum(jnp.expand_dims(scales, 1) * squared, axis=0)

    def curvature(self, x: Float[Array, "batch ..."]) -> Product:
        """Return v -> H v for the Gauss-Newton matrix H = 2 Σ_l λ_l J_l'J_l / N_l at x.

        J v is computed in reverse mode, as the transpose of u -> J'u.
        """
        features, pull = jax.vjp(self.features, x)
        zeros = tuple(map(jnp.zeros_like, features))
        try:
            _, push = jax.vjp(lambda u: pull(u)[0], zeros)
        except (TypeError, ValueError, NotImplementedError) as error:
            raise TypeError(
                "this method needs a differentiable backward pass of features_fn, but "
                f"JAX cannot differentiate it: {str(error).splitlines()[0]}. Use "
                "method=gradient_descent(rates) or from_optax(tx), which only need "
                "gradients, or use differentiable functions in the custom_vjp"
            ) from error
        scales = 2 * self.weights / self.sizes

        def times(v):
            (pushed,) = push(v)
            pushed = [p.astype(self.weights.dtype) for p in pushed]
            return pull(_scaled(pushed, scales, features))[0]

        return times

    def _errors(self, features: Features) -> list[Float[Array, "batch ..."]]:
        dtype = self.weights.dtype
        pairs = zip(features, self.targets, strict=True)
        return [f.astype(dtype) - t.astype(dtype) for f, t in pairs]


def curvature(
    features_fn: FeaturesFn,
    params: PyTree[Array],
    x: Float[Array, "batch ..."],
    *,
    layer_weights: Float[Array, " layers"] | Sequence[float] | None = None,
    num_iterations: int = 10,
) -> Float[Array, " batch"]:
    """Estimate the largest eigenvalue of  2 Σ_l λ_l J_l'J_l / N_l  for each example.

    With learning rates r as layer weights, gradient descent on eq. 8 is stable if the
    eigenvalue is below 2. All rates may therefore be multiplied by up to
    2 / curvature(..., layer_weights=r).

    Args:
      features_fn: function that returns noise-free activations, as in `back_project`.
      params: parameters of the network.
      x: inputs, [B, ...].
      layer_weights: weights λ of the layers, by default all 1.
      num_iterations: number of Lanczos iterations.

    Returns:
      The estimates, [B], which approach the eigenvalue from below.

    Raises:
      TypeError, ValueError: see `back_project`.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import backprojection
      >>> w = jnp.diag(jnp.array([3.0, 1.0]))
      >>> x = jnp.ones((1, 2))
      >>> backprojection.curvature(lambda w, x: (x @ w,), w, x).round(3)
      Array([9.], dtype=float32)

    Reference:
      Bouthillier et al., "Dropout as data augmentation", arXiv:1506.08700, 2015.
    """
    x = promote(check_floating_input(x, name="x"))
    shapes = check_features(features_fn, params, x)
    weights = check_layer_weights(layer_weights, len(shapes)).astype(x.dtype)
    num_iterations = check_num_steps(num_iterations)
    targets = tuple(jnp.zeros(shape, x.dtype) for shape in shapes)
    objective = Objective(lambda x: features_fn(params, x), targets, weights)
    start = jax.random.normal(jax.random.key(0), (1, *x.shape[1:]), x.dtype)
    start = start + jnp.zeros_like(x)
    return largest_eigenvalue(objective.curvature(x), start, num_iterations)


def largest_eigenvalue(
    times: Product, start: Float[Array, "batch ..."], num_iterations: int
) -> Float[Array, " batch"]:
    """Estimate the largest eigenvalue of a positive semidefinite matrix per example.

    A Lanczos iteration needs one matrix product, like power iteration, and its estimate
    is at least as good.

    Args:
      times: function v -> product of the matrices with v.
      start: initial vectors.
      num_iterations: number of iterations.

    Returns:
      The largest Ritz values, which are at most the eigenvalues up to rounding.
    """

    def body(carry, _):
        before, v, beta = carry
        w = times(v) - along_batch(beta, v) * before
        alpha = inner(w, v)
        w = w - along_batch(alpha, v) * v
        beta = _norm(w)
        return (v, _divided(w, beta), beta), (alpha, beta)

    norm = _norm(start)
    carry = (jnp.zeros_like(start), _divided(start, norm), jnp.zeros_like(norm))
    _, (alphas, betas) = lax.scan(body, carry, length=num_iterations)
    eye = jnp.eye(num_iterations, dtype=start.dtype)
    tridiagonal = jnp.einsum("ib,ij->bij", alphas, eye)
    tridiagonal += jnp.einsum("ib,ij,ik->bjk", betas[:-1], eye[:-1], eye[1:])
    values = jnp.linalg.eigvalsh(tridiagonal, UPLO="U", symmetrize_input=False)
    return jnp.maximum(values[:, -1], 0)


def along_batch(
    a: Shaped[Array, " batch"], x: Float[Array, "batch ..."]
) -> Shaped[Array, "batch ..."]:
    """Reshape [B] to [B, 1, ...] with the rank of x."""
    return a.reshape(a.shape + (1,) * (x.ndim - 1))


def inner(
    a: Float[Array, "batch ..."], b: Float[Array, "batch ..."]
) -> Float[Array, " batch"]:
    """Return the inner product of each example."""
    return jnp.sum(a * b, axis=tuple(range(1, a.ndim)))


def _divided(x: Float[Array, "batch ..."], norm: Float[Array, " batch"]) -> Array:
    return x / along_batch(jnp.where(norm > 0, norm, 1), x)


def _norm(x: Float[Array, "batch ..."]) -> Float[Array, " batch"]:
    # Scaling prevents underflow of the squares of tiny gradients.
    axes = tuple(range(1, x.ndim))
    largest = jnp.max(jnp.abs(x), axis=axes)
    scale = jnp.where(largest > 0, largest, 1)
    return scale * jnp.sqrt(jnp.sum((x / along_batch(scale, x)) ** 2, axis=axes))


def _scaled(errors, scales, features) -> Features:
    """Return the errors times a number per layer, in the dtypes of the features."""
    pairs = zip(errors, features, strict=True)
    return tuple((scales[i] * e).astype(f.dtype) for i, (e, f) in enumerate(pairs))


def _sums_of_squares(errors) -> Float[Array, "layers batch"]:
    return jnp.stack([inner(e, e) for e in errors])

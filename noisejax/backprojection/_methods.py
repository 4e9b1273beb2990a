"""Base class of descent methods, gradient descent, and optax transformations."""

import abc
import dataclasses
import inspect
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Bool, Float

from noisejax._explicit import apply_sharding, explicit_sharding, explicit_spec
from noisejax.backprojection._objective import Objective


class Box(NamedTuple):
    """Bounds  lo ≤ x ≤ hi  of all entries of x."""

    lo: float | Float[Array, ""] = -np.inf
    hi: float | Float[Array, ""] = np.inf

    def clip(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Clip x to the bounds. NaN stays NaN."""
        return jnp.clip(x, self.lo, self.hi)


class Point(NamedTuple):
    """A point of the descent.

    Attributes:
      x: inputs, [B, ...].
      value: objective of each example, [B].
      gradient: gradient at x of the objective with the layer weights
        `Method.gradient_weights`.
      is_last: True in the last step.
    """

    x: Float[Array, "batch ..."]
    value: Float[Array, " batch"]
    gradient: Float[Array, "batch ..."]
    is_last: Bool[Array, ""]


class Method(abc.ABC):
    """A descent method: a frozen pytree of parameters with an update function."""

    def check(self, num_layers: int, shape: tuple[int, ...]) -> None:
        """Raise a ValueError if the method does not match the layers or the input."""
        del num_layers, shape

    def layer(self, index: int) -> "Method":
        """Return the method for one layer alone."""
        del index
        return self

    def prepare(self, objective: Objective, x: Float[Array, "batch ..."]) -> "Method":
        """Return the method with data that depends on the network."""
        del objective, x
        return self

    def gradient_weights(
        self, weights: Float[Array, " layers"]
    ) -> Float[Array, " layers"]:
        """Return the layer weights of the gradient."""
        return weights

    @abc.abstractmethod
    def start(self, objective: Objective, first: Point) -> Any:
        """Return the state before the first step, as a pytree."""

    @abc.abstractmethod
    def update(
        self, state: Any, point: Point, objective: Objective, box: Box
    ) -> tuple[Float[Array, "batch ..."], Any]:
        """Return the next inputs, clipped to the box, and the next state."""

    def best(self, state: Any) -> Float[Array, "batch ..."] | None:
        """Return the best inputs so far, or None if the method never undoes steps."""
        del state


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class GradientDescent(Method):
    """Method of `gradient_descent`."""

    learning_rates: tuple[float, ...]

    def check(self, num_layers, shape):
        if len(self.learning_rates) != num_layers:
            raise ValueError(
                "gradient_descent needs one learning rate per layer, here "
                f"{num_layers}; got {self.learning_rates}"
            )

    def layer(self, index):
        return GradientDescent(self.learning_rates[index : index + 1])

    def gradient_weights(self, weights):
        return weights * jnp.array(self.learning_rates, weights.dtype)

    def start(self, objective, first):
        return ()

    def update(self, state, point, objective, box):
        return box.clip(point.x - point.gradient), state


def gradient_descent(learning_rates: float | Sequence[float]) -> Method:
    """Gradient descent with a learning rate per layer, as in the paper:

      x ← x - Σ_l lr_l λ_l ∇ mean over units (f_l(x) - target_l)²

    Examples are independent of each other. Bouthillier et al. 2015 use the rates 300
    and 30 with 20 steps (section 5.2) and the rate 100 with 10 steps (section 5.1). The
    paper does not print the mean over units, which we infer.

    The descent converges only if the largest eigenvalue of
    Σ_l lr_l λ_l 2 J_l'J_l / N_l is below 2. The rates of the paper meet this condition
    after Glorot initialisation but often not in trained networks. Check `diverged`, or
    use `stable_descent`.

    Args:
      learning_rates: one rate per layer, or a number for a single layer.

    Returns:
      The method for `back_project`.

    Raises:
      TypeError: a rate is not a Python or NumPy number.
      ValueError: there is no rate, or a rate is not finite and above 0.

    Example:
      >>> from noisejax import backprojection
      >>> backprojection.gradient_descent((300.0, 30.0))
      GradientDescent(learning_rates=(300.0, 30.0))

    Reference:
      Bouthillier et al., "Dropout as data augmentation", arXiv:1506.08700, 2015.
    """
    rule = "learning_rates must be numbers above 0, one per layer"
    try:
        rates = tuple(np.atleast_1d(np.asarray(learning_rates, float)).tolist())
    except (TypeError, ValueError, jax.errors.JAXTypeError) as error:
        raise TypeError(f"{rule}; got {learning_rates!r}") from error
    valid = [isinstance(r, float) and math.isfinite(r) and r > 0 for r in rates]
    if not rates or not all(valid):
        raise ValueError(f"{rule}; got {learning_rates!r}")
    return GradientDescent(rates)


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class FromOptax(Method):
    """Method of `from_optax`."""

    tx: Any

    def start(self, objective, first):
        state = jax.vmap(self.tx.init)(first.x)
        return apply_sharding(
            state, explicit_sharding(first.x, explicit_spec(first.x)[0])
        )

    def update(self, state, point, objective, box):
        accepted = _extra_arguments(self.tx)

        def update_one(gradient, state, x, value, target):
            extra = {
                "value": value,
                "grad": gradient,
                "value_fn": objective.example(target),
            }
            extra = {name: extra[name] for name in accepted}
            return self.tx.update(gradient, state, x, **extra)

        updates, state = jax.vmap(update_one)(
            point.gradient, state, point.x, point.value, objective.targets
        )
        return box.clip(point.x + updates), state


def from_optax(tx: Any) -> Method:
    """Apply an optax gradient transformation to each example separately.

    Norms and line searches use the gradient and the objective of one example. `value`,
    `grad` and `value_fn` are passed to transformations that accept them, such as
    `optax.lbfgs`, `optax.polyak_sgd` and `optax.contrib.reduce_on_plateau`. Steps are
    never undone, so check `diverged`.

    Args:
      tx: gradient transformation, such as `optax.adam(0.1)`.

    Returns:
      The method for `back_project`.

    Raises:
      TypeError: `tx` is not a gradient transformation.

    Example:
      >>> import optax
      >>> from noisejax import backprojection
      >>> method = backprojection.from_optax(optax.adam(0.1))
    """
    if not all(callable(getattr(tx, name, None)) for name in ("init", "update")):
        raise TypeError(
            "tx must be an optax gradient transformation, such as optax.adam(0.1), got "
            f"{type(tx).__name__}"
        )
    return FromOptax(tx)


def _extra_arguments(tx: Any) -> list[str]:
    """Return those of value, grad and value_fn that `tx.update` accepts."""
    parameters = inspect.signature(tx.update).parameters.values()
    names = {p.name for p in parameters}
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters)
    return [n for n in ("value", "grad", "value_fn") if takes_all or n in names]

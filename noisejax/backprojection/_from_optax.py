"""Descent by an optax optimizer."""

import dataclasses
from typing import Any

import jax

from noisejax._explicit import explicit_sharding, explicit_spec, lay
from noisejax.backprojection._method import Method


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class FromOptax(Method):
    """See `from_optax`.

    Attributes:
      tx: the gradient transformation.
    """

    tx: Any

    def start(self, objective, x, gradient):
        state = jax.vmap(self.tx.init)(x)
        return lay(state, explicit_sharding(x, explicit_spec(x)[0]))

    def move(self, state, x, value, gradient, last, box):
        updates, state = jax.vmap(self.tx.update)(gradient, state, x)
        return box.clip(x + updates), state


def from_optax(tx: Any) -> Method:
    """Descent by an optax gradient transformation, applied to every example alone.

    Its gradient is that of the example's objective, and a norm that it clips by that of
    the example's gradient. Steps are never taken back: look at `diverged`.

    Args:
      tx: such as `optax.adam(0.1)`.

    Returns:
      The method, for `back_project`.

    Raises:
      TypeError: `tx` is no gradient transformation.

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

"""What every way to descend is: it starts, moves, and says what it has kept."""

import abc
from typing import Any, Self

from jaxtyping import Array, Bool, Float

from noisejax.backprojection._bounds import Box
from noisejax.backprojection._objective import Objective


class Method(abc.ABC):
    """A way to descend on the objective: a pytree, frozen, hashable where static."""

    def check(self, num_layers: int, shape: tuple[int, ...]) -> None:
        """Raises a ValueError if it does not suit so many layers or such examples."""
        del num_layers, shape

    def layer(self, index: int) -> Self:
        """The method for one layer alone."""
        del index
        return self

    def prepare(self, objective: Objective, x: Float[Array, "batch ..."]) -> Self:
        """The method with what it needs to know of the network."""
        del objective, x
        return self

    def gradient_weights(
        self, weights: Float[Array, " layers"]
    ) -> Float[Array, " layers"]:
        """The layers' weights in the gradient that `move` is given."""
        return weights

    @abc.abstractmethod
    def start(
        self,
        objective: Objective,
        x: Float[Array, "batch ..."],
        gradient: Float[Array, "batch ..."],
    ) -> Any:
        """The state before the first step: a pytree."""

    @abc.abstractmethod
    def move(
        self,
        state: Any,
        x: Float[Array, "batch ..."],
        value: Float[Array, " batch"],
        gradient: Float[Array, "batch ..."],
        last: Bool[Array, ""],
        box: Box,
    ) -> tuple[Float[Array, "batch ..."], Any]:
        """The next point, and the state.

        Args:
          state: so far.
          x: the point.
          value: the objective there, of every example.
          gradient: there.
          last: whether no step follows.
          box: that the next point has to lie in.
        """

    def best(self, state: Any) -> Float[Array, "batch ..."] | None:
        """The best point that was moved from; None: steps are never taken back."""
        del state

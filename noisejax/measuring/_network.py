"""A trained network as its layers: which arrays stand before and behind each."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from flax import linen as nn
from jaxtyping import Array, Float, PyTree

from noisejax import diagnostics, models, noise
from noisejax.training import TrainedRun


class NotMeasuredError(Exception):
    """A measurement means nothing for a network; the message says why."""


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer with weights, and the place in front of it where noise may be.

    Attributes:
      name: for people.
      net: the name of its net values among the activations.
      source: the name of its input there, before shift and noise.
      place: the name of the input for people.
      kernel: the path of its weights in the parameters.
      noise: the name of the noise layer on its input; "" where there can be none.
      scheme: of the noise on its input; None: none.
      product: (input, kernel) -> net values without bias.
      linear: whether the net values are the product and a bias, not normalised.
      activated: whether the activation acts on the net values one by one.
    """

    name: str
    net: str
    source: str
    place: str
    kernel: tuple[str, ...]
    noise: str
    scheme: noise.Scheme | None
    product: Callable[[Array, Array], Array]
    linear: bool
    activated: bool


@dataclasses.dataclass(frozen=True)
class Network:
    """A run's network as the measurements need it.

    Attributes:
      run: it is of.
      layers: in order; of a residual network those that tell something.
      hidden: name for people -> name among the activations, of the hidden layers.
      prefix: of all paths in the variables.
      normalised: whether net values are normalised over the batch.
      convolutional: whether activations are images.
      targets: what outputs are compared with: "labels", "inputs", or "soft labels".
    """

    run: TrainedRun
    layers: tuple[Layer, ...]
    hidden: Mapping[str, str]
    prefix: tuple[str, ...]
    normalised: bool
    convolutional: bool
    targets: str = "labels"

    @property
    def is_noisy(self) -> bool:
        """Whether anything makes noise."""
        model = self.run.model
        return any(s is not None for s in (model.input_noise, *model.hidden_noise))

    def noisy(
        self, variables: PyTree[Array], key: noise.Key, x: Float[Array, "batch ..."]
    ) -> tuple[Array, dict[str, Array]]:
        """A pass under noise: (outputs, activations). Running averages stay."""
        mutable = ["batch_stats"] if self.normalised else False
        result = self.run.model.apply(
            variables, x, train=True, rngs={"dropout": key}, mutable=mutable
        )
        return result[0] if mutable else result

    def clean(
        self, variables: PyTree[Array], x: Float[Array, "batch ..."]
    ) -> tuple[Array, dict[str, Array]]:
        """A pass without noise: (outputs, activations)."""
        return self.run.model.apply(variables, x, train=False)

    def shift(self, variables: PyTree[Array], layer: Layer) -> Array | None:
        """The learned β on a layer's input; None where there is none."""
        return _find(variables["params"], (*self.prefix, layer.noise, "beta"))

    def shifted(
        self, variables: PyTree[Array], layer: Layer, x: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        """A layer's input as its noise finds it: plus β, or less its running mean."""
        beta = self.shift(variables, layer)
        if beta is None:
            path = (*self.prefix, layer.noise, "mean")
            mean = _find(variables.get("batch_stats", {}), path)
            beta = None if mean is None else -mean
        return x if beta is None else noise.shift(x, beta)

    def weights(self, variables: PyTree[Array], layer: Layer) -> Float[Array, "..."]:
        """The kernel of a layer."""
        return _find(variables["params"], layer.kernel)


def plain_model(model: nn.Module) -> nn.Module:
    """The same function, twice differentiable: no gradient acceleration, float32."""
    plain = {
        "activation": diagnostics.plain_activation(model.activation),
        "dot_general": None,
        "conv_general_dilated": models.convolutions,
    }
    return model.clone(**{k: v for k, v in plain.items() if hasattr(model, k)})


def _find(tree: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """The leaf at a path; None where there is none."""
    for name in path:
        if not isinstance(tree, Mapping) or name not in tree:
            return None
        tree = tree[name]
    return tree

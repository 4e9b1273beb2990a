"""Trained networks in the form that the measurements use."""

import dataclasses
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
from flax import linen as nn
from jax import numpy as jnp
from jaxtyping import Array, Float, PyTree

from noisejax import diagnostics, models, noise, objectives, training


class NotMeasuredError(Exception):
    """Raised if a measurement does not apply to a network; the message says why."""


@dataclasses.dataclass(frozen=True)
class Layer:
    """A layer with weights, and the noise site on its input.

    Attributes:
      name: name in reports, such as "layer 1" or "output".
      net: name of its pre-activations among the activations.
      source: name of its input among the activations, before shift and noise.
      site: name of its input in reports, such as "input" or "hidden 1".
      kernel: path of its weights in the parameters.
      noise_layer: name of the noise layer on its input; "" if it cannot have one.
      scheme: noise on its input, or None.
      product: (input, kernel) -> pre-activations without bias, if it is known.
      linear: True if the pre-activations are that product plus a bias.
      activated: True if the activation acts on the pre-activations one by one.
    """

    name: str
    net: str
    source: str = ""
    site: str = ""
    kernel: tuple[str, ...] = ()
    noise_layer: str = ""
    scheme: noise.Scheme | None = None
    product: Callable[[Array, Array], Array] | None = None
    linear: bool = False
    activated: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class TrainedModel:
    """A trained network with its data: the one form in which networks are measured.

    Made by `from_run` or `from_function`.

    Attributes:
      apply: (variables, key, x) -> (outputs, activations by name); key None: no noise.
      variables: {"params": ..., "batch_stats": ...}.
      train: training examples, with attributes x and y.
      test: test examples.
      layers: layers in order; of a residual network those that are informative.
      hidden: hidden layers: name in reports -> name among the activations.
      sites: names of the noisy activations that back-projection reproduces.
      activation: φ, or None if it is not known.
      targets: kind of the targets: "labels", "inputs", "soft labels", "captions" or
        "answers".
      num_classes: number of classes; 0 if it is not known.
      prefix: common prefix of the paths in the variables.
      normalised: True if pre-activations are normalised over the batch.
      convolutional: True if activations are images.
      inputs: examples as stored -> network inputs.
      run: training run of the network, if there is one.
    """

    apply: Callable[..., tuple[Array, dict[str, Array]]]
    variables: PyTree[Array]
    train: Any
    test: Any
    layers: tuple[Layer, ...]
    hidden: Mapping[str, str]
    sites: tuple[str, ...]
    activation: Callable[[Array], Array] | None
    targets: str = "labels"
    num_classes: int = 0
    prefix: tuple[str, ...] = ()
    normalised: bool = False
    convolutional: bool = False
    inputs: Callable[[Array], Array] = jnp.asarray
    run: training.TrainedRun | None = None

    @property
    def is_noisy(self) -> bool:
        """True if a pass with a key is noisy."""
        if self.run is None:
            return True
        return self.run.model.num_noise_sites > 0

    def clean(self, variables: PyTree[Array], x: Array) -> tuple[Array, dict[str, Any]]:
        """Run the network without noise: (outputs, activations)."""
        return self.apply(variables, None, x)

    def features(self, variables: PyTree[Array], x: Array) -> tuple[Array, ...]:
        """Return the noise-free activations at the noise sites, first layer first."""
        return self.noisy_features(variables, None, x)

    def noisy_features(
        self, variables: PyTree[Array], key: noise.Key | None, x: Array
    ) -> tuple[Array, ...]:
        """Return the same activations under noise."""
        activations = self.apply(variables, key, x)[1]
        return tuple(activations[name] for name in self.sites)

    def shift(self, layer: Layer) -> Array | None:
        """Return the learned shift β on a layer's input, or None."""
        return _find(self.variables, "params", *self.prefix, layer.noise_layer, "beta")

    def shifted(
        self, variables: PyTree[Array], layer: Layer, x: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        """Add a layer's shift to its input: +β, or minus the running mean."""
        path = (*self.prefix, layer.noise_layer)
        beta = _find(variables, "params", *path, "beta")
        mean = _find(variables, "batch_stats", *path, "mean")
        if beta is None and mean is None:
            return x
        return noise.shift(x, -mean if beta is None else beta)

    def weights(self, variables: PyTree[Array], layer: Layer) -> Any:
        """Return the kernel of a layer."""
        return _find(variables, "params", *layer.kernel)

    def log_probs(self, outputs: Array, x: Array, y: Array) -> Float[Array, " batch"]:
        """Return log p(target | x) of every example."""
        if self.targets in ("captions", "answers"):
            raise NotMeasuredError(f"{self.targets} are scored by noisejax.reproduce")
        if self.targets == "inputs":
            return objectives.gaussian_log_prob(outputs, x.reshape(outputs.shape))
        if self.targets == "soft labels":
            return objectives.soft_label_log_prob(outputs, y)
        return objectives.label_log_prob(outputs, y)

    def chunks(
        self, *, limit: int, size: int, of: str = "test"
    ) -> Iterator[Float[Array, "chunk ..."]]:
        """Yield the inputs of the first `limit` examples in chunks of equal length.

        Skips the last examples, fewer than the number of chunks.
        """
        x = np.asarray(getattr(self, of).x[:limit])  # slices of it compile nothing
        count = -(-len(x) // size)
        size = len(x) // count
        for start in range(0, count * size, size):
            yield self.inputs(x[start : start + size])

    def with_noise(self, **schemes: Any) -> "TrainedModel":
        """Replace the `input_noise` or `hidden_noise` of a run's network."""
        return self._clone(**schemes)

    def differentiable(self, *, plain: bool = False) -> "TrainedModel":
        """Return a run's network with products that have derivatives of all kinds.

        The products are float32: those of bfloat16 have a reverse-mode rule only.

        Args:
          plain: True to remove gradient acceleration, whose slope is no derivative.
        """
        fields = {"dot_general": None, "conv_general_dilated": models.convolutions}
        if plain and self.activation is not None:
            fields["activation"] = diagnostics.plain_activation(self.activation)
        return self._clone(**fields)

    def _clone(self, **fields: Any) -> "TrainedModel":
        if self.run is None:  # made from a function, which has no such parts
            return self
        module = self.run.model
        module = module.clone(**{k: v for k, v in fields.items() if hasattr(module, k)})
        return dataclasses.replace(
            self,
            apply=apply_of(module, normalised=self.normalised),
            run=dataclasses.replace(self.run, model=module),
        )


def from_function(
    apply: Callable[..., Any],
    params: PyTree[Array],
    x: Float[Array, "tests ..."],
    y: Array,
    *,
    train: tuple[Array, Array] | None = None,
    activation: Callable[[Array], Array] | None = None,
    num_classes: int = 0,
) -> TrainedModel:
    """Wrap a user's network, such as `layers.functional(module)`.

    Args:
      apply: (params, key, x) -> logits, or (logits, pre-activations by name). A key of
        None means no noise.
      params: parameters of the network.
      x: test inputs, [N, ...].
      y: class labels, [N].
      train: training examples (x, y); None: the test examples.
      activation: φ of the pre-activations; None: slopes are not measured.
      num_classes: number of classes; 0: not known.

    Returns:
      The network for `measure_all`, which skips what needs to know the layers.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from noisejax import evaluators, noise
      >>> def apply(w, key, x):
      ...     x = x if key is None else noise.dropout(key, x, rate=0.5)
      ...     return x @ w, {"logits": x @ w}
      >>> x, y = jnp.eye(4), jnp.arange(4)
      >>> model = evaluators.from_function(apply, jnp.eye(4), x, y)
      >>> [layer.name for layer in model.layers]
      ['logits']
    """

    def with_activations(variables, key, x):
        result = apply(variables["params"], key, x)
        return result if isinstance(result, tuple) else (result, {"output": result})

    variables = {"params": params}
    train_x, train_y = train or (x, y)
    shapes = jax.eval_shape(lambda x: with_activations(variables, None, x), x[:1])
    names = tuple(shapes[1])
    return TrainedModel(
        apply=with_activations,
        variables=variables,
        train=types.SimpleNamespace(x=train_x, y=train_y),
        test=types.SimpleNamespace(x=x, y=y),
        layers=tuple(Layer(n, n, activated=activation is not None) for n in names),
        hidden={name: name for name in names},
        sites=names,
        activation=activation,
        num_classes=num_classes,
    )


def apply_of(module: nn.Module, *, normalised: bool) -> Callable[..., Any]:
    """Return the `apply` of one of this package's networks."""

    def apply(variables, key, x):
        if key is None:
            return module.apply(variables, x, train=False)
        mutable = ["batch_stats"] if normalised else False
        rngs = {"dropout": key}
        result = module.apply(variables, x, train=True, rngs=rngs, mutable=mutable)
        return result[0] if mutable else result

    return apply


def _find(tree: Any, *path: str) -> Any:
    """Return the leaf at a path, or None."""
    for name in path:
        if not isinstance(tree, Mapping) or name not in tree:
            return None
        tree = tree[name]
    return tree

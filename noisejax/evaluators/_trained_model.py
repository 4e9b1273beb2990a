"""Trained networks, in the form that all measurements use."""

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
    """Layer with weights, and the noise site on its input.

    Attributes:
      name: name of the layer in reports, such as "layer 1" or "output".
      net: key of the pre-activations in the activations.
      source: key of the input, before shift and noise, in the activations.
      site: name of the input in reports, such as "input" or "hidden 1".
      kernel: path of the weights in the parameters.
      noise_layer: name of the noise layer on the input; "" if there can be none.
      scheme: noise scheme on the input, or None.
      product: (input, kernel) -> pre-activations without bias; None if not known.
      linear: True if the pre-activations are `product` plus a bias.
      activated: True if the activation function acts on each pre-activation alone.
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
    """Trained network with its data, for measurements.

    Use `from_run` or `from_function` to create it.

    Attributes:
      apply: (variables, key, x) -> (outputs, activations by name). A key of None means
        no noise.
      variables: Flax variables, {"params": ..., "batch_stats": ...}.
      train: training examples, with attributes x and y.
      test: test examples, with attributes x and y.
      layers: measured layers, in order. In a residual network, these are the first
        layer of each block and the output layer.
      hidden: name of a hidden layer in reports -> key of its activations.
      sites: keys of the noisy activations that back-projection reproduces.
      activation: activation function φ; None if it is not known.
      targets: kind of targets: "labels", "real", "inputs", "soft labels",
        "captions" or "answers".
      num_classes: number of classes; 0 if it is not known.
      prefix: common prefix of the parameter paths.
      normalised: True if pre-activations are normalised over the batch.
      convolutional: True if activations are images.
      inputs: function from stored examples to network inputs.
      run: training run of the network; None for a network from a function.
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
        """True if the network is noisy when it gets a key."""
        if self.run is None:
            return True
        return self.run.model.num_noise_sites > 0

    def clean(self, variables: PyTree[Array], x: Array) -> tuple[Array, dict[str, Any]]:
        """Run the network without noise; return outputs and activations."""
        return self.apply(variables, None, x)

    def features(self, variables: PyTree[Array], x: Array) -> tuple[Array, ...]:
        """Return the noise-free activations at the noise sites, in layer order."""
        return self.noisy_features(variables, None, x)

    def noisy_features(
        self, variables: PyTree[Array], key: noise.Key | None, x: Array
    ) -> tuple[Array, ...]:
        """Return the noisy activations at the noise sites, in layer order."""
        activations = self.apply(variables, key, x)[1]
        return tuple(activations[name] for name in self.sites)

    def sample_outputs(
        self, keys: noise.Key, variables: PyTree[Array], x: Array
    ) -> Float[Array, "samples batch ..."]:
        """Return the outputs under one noise sample per key, computed in sequence."""
        return jax.lax.map(lambda key: self.apply(variables, key, x)[0], keys)

    def shift(self, layer: Layer) -> Array | None:
        """Return the learned shift β of a layer's input; None if there is none."""
        return _find(self.variables, "params", *self.prefix, layer.noise_layer, "beta")

    def shifted(
        self, variables: PyTree[Array], layer: Layer, x: Float[Array, "..."]
    ) -> Float[Array, "..."]:
        """Shift the input of a layer: add β, or subtract the running mean."""
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
        """Return log p(target | x) of each example."""
        if self.targets in ("captions", "answers"):
            raise NotMeasuredError(f"{self.targets} are scored by noisejax.reproduce")
        if self.targets == "inputs":
            return objectives.gaussian_log_prob(outputs, x.reshape(outputs.shape))
        if self.targets == "real":
            stddev = (
                1.0 if self.run is None else self.run.config.objective.target_stddev
            )
            return objectives.gaussian_log_prob(outputs, y, stddev=stddev)
        if self.targets == "soft labels":
            return objectives.soft_label_log_prob(outputs, y)
        return objectives.label_log_prob(outputs, y)

    def chunks(
        self, *, limit: int, size: int, of: str = "test"
    ) -> Iterator[Float[Array, "chunk ..."]]:
        """Yield the inputs of the first `limit` examples in chunks of equal length.

        For equal lengths, some examples at the end are skipped, fewer than the number
        of chunks.
        """
        x = np.asarray(getattr(self, of).x[:limit])  # NumPy slices compile nothing
        count = -(-len(x) // size)
        size = len(x) // count
        for start in range(0, count * size, size):
            yield self.inputs(x[start : start + size])

    def with_noise(self, **schemes: Any) -> "TrainedModel":
        """Return the network with another `input_noise` or `hidden_noise`.

        A network from a function is returned unchanged.
        """
        return self._clone(**schemes)

    def differentiable(self, *, plain: bool = False) -> "TrainedModel":
        """Return the network with products that support forward-mode differentiation.

        The products are float32, because those of bfloat16 have a reverse-mode rule
        only. A network from a function is returned unchanged.

        Args:
          plain: True to remove gradient acceleration, which adds slope but almost no
            value to the activation function.
        """
        fields = {"dot_general": None, "conv_general_dilated": models.convolutions}
        if plain and self.activation is not None:
            fields["activation"] = diagnostics.plain_activation(self.activation)
        return self._clone(**fields)

    def _clone(self, **fields: Any) -> "TrainedModel":
        if self.run is None:
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
      apply: function (params, key, x) -> logits, or (logits, pre-activations by name).
        A key of None means no noise.
      params: parameters of the network.
      x: test inputs, [N, ...].
      y: class labels, [N].
      train: training examples (x, y). The default is the test examples.
      activation: activation function φ of the pre-activations. Without it, saturation
        and slopes are not measured.
      num_classes: number of classes; 0 if it is not known.

    Returns:
      The network for `measure_all`, which skips the measurements that need weights and
      noise schemes.

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
    """Return `TrainedModel.apply` for a network of `noisejax.models`."""

    def apply(variables, key, x):
        if key is None:
            return module.apply(variables, x, train=False)
        mutable = ["batch_stats"] if normalised else False
        rngs = {"dropout": key}
        result = module.apply(variables, x, train=True, rngs=rngs, mutable=mutable)
        return result[0] if mutable else result

    return apply


def _find(tree: Any, *path: str) -> Any:
    """Return the leaf at a path; None if the path does not exist."""
    for name in path:
        if not isinstance(tree, Mapping) or name not in tree:
            return None
        tree = tree[name]
    return tree

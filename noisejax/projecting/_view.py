"""A trained network as back-projection needs it: with its noise, and without."""

import dataclasses
from typing import Any

import jax
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float

from noisejax import noise, training


@dataclasses.dataclass(frozen=True, eq=False)
class View:
    """A trained network, the same without noise, and its noisy places.

    Attributes:
      run: that it comes from.
      noisy: the network with noise on its hidden layers, none on the input (eq. 6).
      silent: without any.
      places: names of the activations behind each hidden place, first layer first.
    """

    run: training.TrainedRun
    noisy: nn.Module
    silent: nn.Module
    places: tuple[str, ...]

    def features(self, variables: Any, x: Array) -> tuple[Array, ...]:
        """Noise-free activations of every hidden layer."""
        _, activations = self.silent.apply(variables, x, train=False)
        return tuple(activations[name] for name in self.places)

    def targets(self, variables: Any, key: noise.Key, x: Array) -> tuple[Array, ...]:
        """The same under noise."""
        _, activations = self.noisy.apply(
            variables, x, train=True, rngs={"dropout": key}
        )
        return tuple(activations[name] for name in self.places)

    def first_layer(self, variables: Any, x: Array) -> tuple[Array]:
        """Noise-free activations of the first hidden layer."""
        return self.features(variables, x)[:1]

    def outputs(self, x: Float[Array, "batch ..."]) -> Array:
        """Of the network without noise."""
        return self.silent.apply(self.run.variables, x, train=False)[0]

    def with_scheme(self, schemes: tuple[noise.Scheme | None, ...]) -> "View":
        """The same network under other noise, a scheme per place."""
        noisy = self.noisy.clone(hidden_noise=schemes)
        return dataclasses.replace(self, noisy=noisy)

    @property
    def filters(self) -> Float[np.ndarray, "units inputs"] | None:
        """Incoming weights of the first layer's units; None: it is not dense."""
        params = self.run.variables["params"]
        kernel = params.get("mlp", params).get("dense_0", {}).get("kernel")
        return None if kernel is None else np.asarray(kernel).T


def view_of(run: training.TrainedRun) -> View:
    """A run's network as back-projection needs it.

    Raises:
      ValueError: it makes no noise on hidden layers, or normalises over the batch.
    """
    config = run.config
    if config.model.batch_norm or config.model.name == "wide_resnet":
        raise ValueError(
            f"{run.path} trained a network with batch statistics, whose noisy "
            "activations depend on the batch: back-projection needs one without"
        )
    noisy = training.build_model(config, run.dataset.num_classes)
    if not any(scheme is not None for scheme in noisy.hidden_noise):
        raise ValueError(
            f"{run.path} makes no noise on hidden layers (noise.scheme="
            f"{config.noise.scheme}, noise.hidden_rate={config.noise.hidden_rate}): "
            "there is nothing to project back"
        )
    noisy = noisy.clone(input_noise=None)
    silent = noisy.clone(hidden_noise=())
    places = tuple(f"noisy_{i}" for i in range(noisy.num_hidden_places))
    return View(run, noisy, silent, places)


def compared_schemes(view: View) -> dict[str, tuple[noise.Scheme | None, ...]]:
    """Dropout and random dropout at the run's rates; its own scheme, if another.

    Levels of random dropout are uniform up to the rate (Bouthillier et al. 2015, sec.
    4): their mean is half of dropout's.
    """
    config = view.run.config.noise
    rates = config.hidden_rates or (config.hidden_rate,) * len(view.places)

    def everywhere(make):
        return tuple(make(rate) if rate else None for rate in rates)

    own = {config.scheme: view.noisy.hidden_noise}
    if config.scheme.startswith("gaussian"):
        return own
    return own | {
        "dropout": everywhere(noise.Dropout),
        "random_dropout": everywhere(noise.RandomDropout),
    }


def preconditioner_sample(x: Array, size: int = 500) -> Array:
    """Examples that the preconditioner is built on, spread over all."""
    rows = np.linspace(0, len(x) - 1, min(size, len(x))).astype(int)
    return jax.numpy.asarray(x)[rows]

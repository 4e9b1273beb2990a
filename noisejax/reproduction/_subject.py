"""A trained network as the measurements see it."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from flax import linen as nn
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax import noise, training

CHUNK = 1000
"""Examples of a noise-free pass at a time."""

KEY_SEED = 2**31 - 1
"""Of the measurements' keys: no run is likely to have it."""


@dataclasses.dataclass(frozen=True)
class Subject:
    """A network of one seed, and the run that it is of.

    Attributes:
      run: read back.
      summary: of the run.
    """

    run: training.TrainedRun
    summary: dict[str, Any]

    @property
    def layers(self) -> range:
        """Of the hidden layers, from 0 on."""
        return range(len(self.run.config.model.widths))

    @property
    def params(self) -> dict[str, Any]:
        """Of the network; of an autoencoder those of the MLP within."""
        params = self.run.variables["params"]
        return params.get("mlp", params)

    @property
    def test_x(self) -> Float[Array, "tests ..."]:
        """What the network sees of the test examples."""
        return self.run.inputs(self.run.test.x)

    @property
    def train_x(self) -> Float[Array, "examples ..."]:
        """Likewise of the training examples, those held out included."""
        return self.run.inputs(self.run.train.x)

    def key(self) -> noise.Key:
        """A key of this seed, for one measurement."""
        return jax.random.fold_in(jax.random.key(KEY_SEED), self.run.seed)

    def noisy_model(self, rate: float) -> nn.Module:
        """The network with the noise of its training, else with dropout put in.

        Args:
          rate: of dropout on every hidden layer where the network has no noise.
        """
        model = self.run.model
        if any(scheme is not None for scheme in model.hidden_noise):
            return model
        return model.clone(hidden_noise=(noise.Dropout(rate),) * len(self.layers))

    def activations(
        self, x: Float[Array, "examples ..."], names: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """Noise-free activations by name, chunk by chunk."""
        found = [
            _forward(self.run.model, tuple(names), self.run.variables, x[i : i + CHUNK])
            for i in range(0, len(x), CHUNK)
        ]
        return {
            name: np.concatenate([np.asarray(part[name]) for part in found])
            for name in names
        }

    def mean_activations(
        self, x: Float[Array, "examples ..."], names: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """Their means over examples, [1, ...], in the memory of a chunk."""
        totals = dict.fromkeys(names, 0.0)
        for i in range(0, len(x), CHUNK):
            part = self.activations(x[i : i + CHUNK], names)
            for name in names:
                totals[name] = totals[name] + part[name].sum(0, dtype=np.float64)
        return {
            name: (total / len(x)).astype(np.float32)[None]
            for name, total in totals.items()
        }

    def noisy_draws(
        self,
        model: nn.Module,
        x: Float[Array, "batch ..."],
        names: Sequence[str],
        num_draws: int,
    ) -> dict[str, Float[Array, "draws ..."]]:
        """Activations under noise by name, one draw of all masks after another."""
        keys = jax.random.split(self.key(), num_draws)
        draws = [
            _noisy(model, tuple(names), self.run.variables, x, key) for key in keys
        ]
        return {name: jnp.stack([draw[name] for draw in draws]) for name in names}


@functools.partial(jax.jit, static_argnums=(0, 1))
def _forward(model, names, variables, x):
    _, activations = model.apply(variables, x, train=False)
    return {name: activations[name] for name in names}


@functools.partial(jax.jit, static_argnums=(0, 1))
def _noisy(model, names, variables, x, key):
    (_, activations), _ = model.apply(
        variables, x, train=True, rngs={"dropout": key}, mutable=["batch_stats"]
    )
    return {name: activations[name] for name in names}

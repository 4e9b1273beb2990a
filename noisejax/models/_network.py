"""Base class of the networks, batch normalisation and maxout."""

import dataclasses
import functools
from collections.abc import Callable, Sequence

from flax import linen as nn
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax import layers, noise
from noisejax.models._products import flat_products

Activations = dict[str, Float[Array, "..."]]
"""Intermediate activations of a forward pass by name; jit removes unused ones."""

MOMENTUM = 0.9
"""Momentum of the running averages of batch normalisation."""


option = functools.partial(dataclasses.field, kw_only=True)
"""A keyword-only field; only the sizes of a network are positional."""


class Network(nn.Module, kw_only=True):
    """Base class of networks with noise on the input and at every hidden noise site.

    Attributes: see `models.MLP`.
    """

    activation: Callable[[Array], Array] = nn.relu
    input_noise: noise.Scheme | None = None
    hidden_noise: Sequence[noise.Scheme | None] = ()
    input_shift: bool | str = False
    hidden_shift: bool | str | Sequence[bool | str] = False
    noise_factor: layers.Schedule | None = None
    kernel_init: nn.initializers.Initializer = nn.initializers.he_normal()
    dot_general: Callable[..., Array] | None = flat_products

    def __post_init__(self) -> None:
        if self.hidden_noise and len(self.hidden_noise) != self.num_hidden_sites:
            raise ValueError(
                f"hidden_noise must be one scheme per {self._site()}; got "
                f"{len(self.hidden_noise)} for {self.num_hidden_sites}. Use None for "
                "a layer without noise, or () for no hidden noise"
            )
        super().__post_init__()

    @property
    def num_hidden_sites(self) -> int:
        """Number of schemes in `hidden_noise`."""
        raise NotImplementedError

    @property
    def num_noise_sites(self) -> int:
        """Number of samples that a noisy forward pass applies."""
        schemes = (self.input_noise, *self.hidden_noise)
        return sum(scheme is not None for scheme in schemes)

    def _site(self) -> str:
        """Name of the part with hidden noise, for error messages."""
        return "hidden layer"

    def _noisy_input(self, x: Array, train: bool) -> tuple[Array, Activations]:
        """Apply the input noise; return the noisy input and the first activations."""
        noisy = self._noise(x, self.input_noise, "input_noise", train, self.input_shift)
        return noisy, {"input": x, "noisy_input": noisy}

    def _noisy(self, x: Array, i: int, train: bool) -> Array:
        """Apply the noise of hidden site i."""
        schemes, shift = self.hidden_noise, self.hidden_shift
        scheme = schemes[i] if schemes else None
        shift = shift if isinstance(shift, bool | str) else shift[i]
        return self._noise(x, scheme, f"noise_{i}", train, shift)

    def _noise(
        self,
        x: Array,
        scheme: noise.Scheme | None,
        name: str,
        train: bool,
        shift: bool | str = False,
    ) -> Array:
        """Apply noise and shift; without either, return x unchanged."""
        if scheme is None and not shift:
            return x
        layer = noise_layer(scheme, self.noise_factor, shift, name)
        return layer(x, deterministic=not train)

    def _dense(
        self, width: int, name: str, init: nn.initializers.Initializer | None = None
    ) -> nn.Dense:
        return nn.Dense(
            width,
            kernel_init=init or self.kernel_init,
            dot_general=self.dot_general,
            name=name,
        )


def scaled_level(
    scheme: noise.Scheme | None, factor: layers.Schedule | None
) -> layers.Schedule | None:
    """Return the schedule of a scheme's level times `factor`, or None."""
    if scheme is None or factor is None:
        return None
    return lambda step: scheme.level * factor(step)


def noise_layer(
    scheme: noise.Scheme | None,
    factor: layers.Schedule | None,
    shift: bool | str = False,
    name: str | None = None,
) -> layers.Noise:
    """Create a noise layer whose level is multiplied by the schedule `factor`."""
    level = scaled_level(scheme, factor)
    return layers.Noise(scheme or noise.Dropout(0.0), shift, level=level, name=name)


def batch_normalise(
    x: Float[Array, "*shape"], *, name: str, train: bool
) -> Float[Array, "*shape"]:
    """Apply batch normalisation, as a submodule of the calling compact method.

    Under `vmap` or `map` over noise samples, each sample has its own batch statistics,
    and the caller averages the updated running averages over samples. If S copies are
    folded into the batch, the statistics include all copies.

    Args:
      x: activations, with channels last.
      name: name of the submodule.
      train: True to use batch statistics and to update the running averages.

    Returns:
      The normalised activations.
    """
    norm = nn.BatchNorm(
        use_running_average=not train, momentum=MOMENTUM, epsilon=1e-5, name=name
    )
    return norm(x)


def maxout(net: Float[Array, "*shape"], pieces: int) -> Float[Array, "..."]:
    """Maxout: each unit is the maximum of several linear pieces.

      h_j = max_k z_jk   (Goodfellow et al. 2013)

    Args:
      net: pre-activations z, [..., units * pieces]; the pieces of a unit are adjacent.
      pieces: number of pieces per unit, at least 1.

    Returns:
      The units h, [..., units].

    Raises:
      ValueError: `pieces` is below 1 or does not divide the last axis.

    Example:
      >>> import jax.numpy as jnp
      >>> from noisejax import models
      >>> models.maxout(jnp.array([[1.0, 5.0, -2.0, -3.0]]), 2)
      Array([[ 5., -2.]], dtype=float32)

    Reference:
      Goodfellow et al., "Maxout networks", ICML 2013.
    """
    if pieces < 1 or net.shape[-1] % pieces:
        raise ValueError(
            f"maxout needs a last axis that is a multiple of pieces={pieces}, got "
            f"shape {net.shape}"
        )
    return jnp.max(net.reshape(*net.shape[:-1], -1, pieces), axis=-1)


def activate(
    net: Float[Array, "..."], activation: Callable[[Array], Array], pieces: int
) -> Float[Array, "..."]:
    """Return φ(z) if there is one piece, and otherwise maxout."""
    return activation(net) if pieces == 1 else maxout(net, pieces)

"""Activations at the noise sites of a model, for back-projection."""

from collections.abc import Callable
from typing import Any

from flax import linen as nn
from jaxtyping import Array

from noisejax.layers._base import NoiseLayer
from noisejax.layers._control import Patterns, as_tuple, check_matched, matches
from noisejax.layers._functional import functional

Features = tuple[Array, ...]


def from_model(
    model: Any, layers: Patterns = "*"
) -> tuple[Callable[..., Features], Callable[..., Features]]:
    """Make the functions for `backprojection.back_project` from a model.

    The functions return the outputs of noise layers, in the order of the calls. Noise
    layers are those of noisejax and the dropout layers of Flax. Without noise, the
    outputs are the features f_l(x). With noise, they are the targets f̃_l(x)
    (Bouthillier et al. 2015, eqs. 5 and 8).

    Noise layers inside lifted transforms (nn.scan, nn.remat, nnx.scan) cannot be used,
    because their outputs are not visible outside the transform.

    Args:
      model: Linen or NNX model, called as model(x, ...).
      layers: names of the noise layers to use, as in `layers.control_noise`. All other
        layers are deterministic. Exclude a noise layer on the input, because its output
        without noise is the input, so x* would have to equal the noisy input.

    Returns:
      Functions features_fn(params, x, ...) and noisy_fn(params, key, x, ...), which
        return a tuple of activations [B, ...] without and with noise. Further arguments
        are passed to the model. `params` are as in `layers.functional`, or
        `nnx.state(model, nnx.Param)` for an NNX model.

    Raises:
      TypeError: `model` is neither a Linen nor an NNX module.
      ValueError: `layers` matches no noise layer. For a Linen model, the functions
        raise this error when they are called.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from flax import linen as nn
      >>> from noisejax import backprojection
      >>> drop = nn.Dropout(0.5, deterministic=False)
      >>> model = nn.Sequential([nn.Dense(6), nn.relu, drop, nn.Dense(2)])
      >>> x, key = jnp.ones((4, 3)), jax.random.key(0)
      >>> params = model.init(key, x)["params"]
      >>> features_fn, noisy_fn = backprojection.from_model(model)
      >>> targets = noisy_fn(params, key, x)
      >>> found = backprojection.back_project(features_fn, params, x, targets)
      >>> found.x_star.shape
      (4, 3)
    """
    if not isinstance(model, nn.Module):
        from noisejax.layers.nnx import _features  # importing NNX takes long

        return _features.from_model(model, as_tuple(layers))
    patterns = as_tuple(layers)
    noisy, clean = (
        functional(_Recorded(model, patterns), **control)
        for control in ({"only": [f"model/{p}" for p in patterns]}, {"off": "*"})
    )

    def features_fn(params: Any, x: Array, *args: Any, **kwargs: Any) -> Features:
        return clean(_nested(params), None, x, *args, **kwargs)

    def noisy_fn(
        params: Any, key: Any, x: Array, *args: Any, **kwargs: Any
    ) -> Features:
        return noisy(_nested(params), key, x, *args, **kwargs)

    return features_fn, noisy_fn


class _Recorded(nn.Module):
    """A model that returns the outputs of its noise layers."""

    model: nn.Module
    patterns: tuple[str, ...]

    @nn.compact
    def __call__(self, *args: Any, **kwargs: Any) -> Features:
        """Run the model and return the outputs, in the order of the calls."""
        found, seen = [], []

        def record(next_fun, args, kwargs, context):
            output, module = next_fun(*args, **kwargs), context.module
            is_noise = isinstance(module, NoiseLayer | nn.Dropout)
            if is_noise and context.method_name == "__call__":
                path = "/".join(module.path[1:])
                seen.append(path)
                if matches(path, self.patterns):
                    found.append(output)
            return output

        with nn.intercept_methods(record):
            self.model(*args, **kwargs)
        check_matched(self.patterns, seen)
        return tuple(found)


def _nested(params: Any) -> dict[str, Any]:
    """Return the variables of `_Recorded` for those, or the parameters, of a model."""
    variables = params if "params" in params else {"params": params}
    return {name: {"model": values} for name, values in variables.items()}

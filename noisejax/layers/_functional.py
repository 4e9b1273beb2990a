"""Turn a Linen model into a pure function of parameters and noise."""

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from flax import errors
from flax import linen as nn

from noisejax import noise
from noisejax.layers._control import Patterns, control_noise
from noisejax.layers._replay import COLLECTION
from noisejax.layers._shared import derive_key, takes_argument


def functional(
    module: nn.Module,
    *,
    rng_collection: str = "dropout",
    mutable: bool | str | Sequence[str] = False,
    method: str | Callable[..., Any] | None = None,
    only: Patterns | None = None,
    off: Patterns = (),
) -> Callable[..., Any]:
    """Turn a Linen model, with dropout of Flax or noisejax, into a pure function.

    Args:
      module: Linen model.
      rng_collection: key collection for a single key. If the model uses further
        collections, the keys of these collections are derived from the single key.
      mutable: collections to return with the output, as in `Module.apply`.
      method: method of the model to call. The default is `__call__`.
      only: names of the only layers that make noise, as in `control_noise`.
      off: names of deterministic layers, as in `control_noise`.

    Returns:
      Function apply(params, noise, *args, step=None, **kwargs), which returns the
      outputs of `module.apply`. The arguments are:
        params: parameters, or all variables ({"params": ..., "batch_stats": ...}).
        noise: one of
          - a key;
          - a mapping from key collections to keys, {"dropout": key, "sample": key_2};
          - samples to replay, as recorded by `mutable=["noise"]`;
          - keys and samples together, {"noise": samples, "sample": key};
          - None, for a model without noise.
        step: training step, for layers whose level is a schedule. The step is also
          passed to the model if the model has an argument `step` or **kwargs.
        args, kwargs: arguments of the model, e.g. `train=True`.

    Raises:
      TypeError: `module` is not a Linen module.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from flax import linen as nn
      >>> from noisejax import layers
      >>> model = nn.Sequential([nn.Dropout(0.5, deterministic=False), nn.Dense(2)])
      >>> x, key = jnp.ones((1, 3)), jax.random.key(0)
      >>> params = model.init(key, x)["params"]
      >>> apply = layers.functional(model)
      >>> jax.vmap(lambda key: apply(params, key, x))(jax.random.split(key, 5)).shape
      (5, 1, 2)
    """
    if not isinstance(module, nn.Module):
        raise TypeError(
            f"functional takes a Linen module, got {type(module).__name__}; for an NNX "
            "model use noisejax.layers.nnx.functional"
        )
    called = getattr(type(module), method) if isinstance(method, str) else method
    takes_step = takes_argument(called or module, "step")

    def apply(
        params: Mapping[str, Any],
        noise_: noise.Key | Mapping[str, Any] | None,
        /,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        step = kwargs.get("step") if takes_step else kwargs.pop("step", None)
        controls = only is not None or off or step is not None
        variables = dict(params) if "params" in params else {"params": params}
        rngs, samples = _keys_and_samples(noise_, rng_collection)
        if samples:
            variables[COLLECTION] = samples.get(COLLECTION, samples)

        def call() -> Any:
            control = control_noise(only=only, off=off, step=step)
            with control if controls else contextlib.nullcontext():
                return module.apply(
                    variables,
                    *args,
                    rngs=rngs,
                    mutable=mutable,
                    method=method,
                    **kwargs,
                )

        while True:
            try:
                return call()
            except errors.InvalidRngError as error:
                name = _missing_collection(error)
                if rngs is None or isinstance(noise_, Mapping) or name in (None, *rngs):
                    raise
                rngs[name] = derive_key(noise_, name)

    return apply


def _keys_and_samples(
    noise_: noise.Key | Mapping[str, Any] | None, rng_collection: str
) -> tuple[dict[str, noise.Key] | None, dict[str, Any]]:
    """Split the argument `noise` of `apply` into `rngs` and samples to replay."""
    if noise_ is None:
        return None, {}
    if not isinstance(noise_, Mapping):
        noise.as_key(noise_)  # a clear error for an integer
        return {rng_collection: noise_}, {}
    arrays = (jax.Array, np.ndarray)  # keys; samples are mappings or tuples of `Sample`
    keys = {name: value for name, value in noise_.items() if isinstance(value, arrays)}
    samples = {name: value for name, value in noise_.items() if name not in keys}
    return keys or None, samples


def _missing_collection(error: errors.InvalidRngError) -> str | None:
    """Return the name of the missing key collection, or None for other errors."""
    match = re.search(r'needs PRNG for "(.+?)"', str(error))
    return match and match.group(1)

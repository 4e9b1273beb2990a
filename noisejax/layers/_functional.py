"""A Linen model as a pure function of parameters and noise."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
from flax import linen as nn

from noisejax import noise
from noisejax.layers._attention import lend_no_key
from noisejax.layers._control import control_noise
from noisejax.layers._names import Patterns
from noisejax.layers._replay import COLLECTION


def functional(
    module: nn.Module,
    *,
    rng_collection: str = "dropout",
    mutable: bool | str | Sequence[str] = False,
    method: str | Callable | None = None,
    only: Patterns | None = None,
    off: Patterns = (),
) -> Callable[..., Any]:
    """Turns a Linen model, its dropout ours or Flax's own, into a pure function.

    Args:
      module: the model.
      rng_collection: the key collection that its noise draws from.
      mutable: collections to return beside the output, as in `Module.apply`.
      method: of the model, in place of `__call__`.
      only: names of the layers that alone make noise, as in `control_noise`.
      off: names of layers that are silent, as in `control_noise`.

    Returns:
      apply(params, noise, *args, step=None, **kwargs), which returns what
      `module.apply` does.
        params: the parameters, or all variables ({"params": ..., "batch_stats": ...}).
        noise: a key; or samples to replay, as `mutable=["noise"]` records them; or None
          for a model that is told to make none.
        step: the training step, for layers whose rate is a schedule.
        args, kwargs: of the model, e.g. `train=True`.

    Raises:
      TypeError: `module` is no Linen module.

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

    def apply(
        params: Mapping[str, Any],
        noise_: noise.Key | Mapping[str, Any] | None,
        /,
        *args: Any,
        step: jax.typing.ArrayLike | None = None,
        **kwargs: Any,
    ) -> Any:
        variables = dict(params) if "params" in params else {"params": params}
        rngs = None
        if isinstance(noise_, Mapping):
            variables[COLLECTION] = noise_.get(COLLECTION, noise_)
        elif noise_ is not None:
            rngs = {rng_collection: noise_}
        control = control_noise(only=only, off=off, step=step)
        with control, nn.intercept_methods(lend_no_key):
            return module.apply(
                variables, *args, rngs=rngs, mutable=mutable, method=method, **kwargs
            )

    return apply

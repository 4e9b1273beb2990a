"""An NNX model as a pure function of parameters and noise."""

import zlib
from collections.abc import Callable
from typing import Any

import jax
from flax import nnx
from jax import numpy as jnp
from jax.typing import ArrayLike

from noisejax import noise
from noisejax.layers._names import Patterns
from noisejax.layers.nnx._control import control_noise


def functional(
    model: nnx.Module,
    *,
    mutable: Any = None,
    only: Patterns | None = None,
    off: Patterns = (),
) -> tuple[Callable[..., Any], nnx.State]:
    """Turns an NNX model, its dropout ours or Flax's own, into a pure function.

    The key that it is given reseeds every stream of keys in the model: each by the
    stream's path, so that no two layers share a mask and that adding one leaves the
    masks of the others as they were.

    Args:
      model: any NNX module; it is not changed.
      mutable: a filter of NNX for variables to return beside the output, such as
        `nnx.BatchStat`; None: none.
      only: names of the layers that alone make noise, as in `control_noise`.
      off: names of layers that are silent, as in `control_noise`.

    Returns:
      apply and the model's parameters, its `nnx.Param` state.
      apply(params, key, *args, state=None, step=None, **kwargs) returns the model's
      output; with `mutable`, the output and the new state of those variables.
        key: of the noise; or None for a model that is told to make none.
        state: of the `mutable` variables; None: that of `model`.
        step: the training step, for layers whose rate is a schedule.
        args, kwargs: of the model.

    Raises:
      TypeError: `model` is no NNX module.
      ValueError: `only` or `off` names no noise layer; a key for a model without any
        stream of keys.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from flax import nnx
      >>> from noisejax.layers import nnx as layers
      >>> rngs = nnx.Rngs(0)
      >>> drop, linear = nnx.Dropout(0.5, rngs=rngs), nnx.Linear(3, 2, rngs=rngs)
      >>> model = nnx.Sequential(drop, linear)
      >>> apply, params = layers.functional(model)
      >>> keys, x = jax.random.split(jax.random.key(0), 5), jnp.ones((1, 3))
      >>> jax.vmap(lambda key: apply(params, key, x))(keys).shape
      (5, 1, 2)
    """
    if not isinstance(model, nnx.Module):
        raise TypeError(
            f"functional takes an NNX module, got {type(model).__name__}; for a Linen "
            "model use noisejax.layers.functional"
        )
    model = control_noise(model, only=only, off=off)
    kept = nnx.Nothing() if mutable is None else mutable
    graphdef, params, own_state, rest = nnx.split(model, nnx.Param, kept, ...)

    def apply(
        params: nnx.State,
        key: noise.Key | None,
        /,
        *args: Any,
        state: nnx.State | None = None,
        step: ArrayLike | None = None,
        **kwargs: Any,
    ) -> Any:
        state = own_state if state is None else state
        replica = nnx.merge(graphdef, params, state, rest, copy=True)
        if key is not None:
            _reseed(replica, noise.as_key(key))
        if step is not None:
            replica = control_noise(replica, step=step)
        output = replica(*args, **kwargs)
        if mutable is None:
            return output
        return output, nnx.state(replica, mutable)

    return apply, params


def _reseed(model: nnx.Module, key: noise.Key) -> None:
    streams = [
        (path, node)
        for path, node in nnx.iter_graph(model)
        if isinstance(node, nnx.RngStream)
    ]
    if not streams:
        raise ValueError(
            "the model holds no stream of keys: give its noise layers rngs=nnx.Rngs(0) "
            "when they are made, or pass None for the key"
        )
    for path, stream in streams:
        own = jax.random.fold_in(key, zlib.crc32("/".join(map(str, path)).encode()))
        if stream.key.shape:
            own = jax.random.split(own, stream.key.shape)
        stream.key[...] = own
        stream.count[...] = jnp.zeros(stream.count.shape, jnp.uint32)

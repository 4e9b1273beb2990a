"""Switch the noise of an NNX model by name, or turn the model into a pure function."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jax
from flax import nnx
from jax import numpy as jnp
from jax.typing import ArrayLike

from noisejax import noise
from noisejax.layers._control import Control, Patterns, as_tuple, check_matched
from noisejax.layers._shared import derive_key, takes_argument
from noisejax.layers.nnx._base import NoiseLayer

Model = TypeVar("Model", bound=nnx.Module)

NOISY = (NoiseLayer, nnx.Dropout, nnx.MultiHeadAttention)


def control_noise(
    model: Model,
    *,
    only: Patterns | None = None,
    off: Patterns = (),
    step: ArrayLike | None = None,
) -> Model:
    """Return a view of a model with named noise layers switched on or off.

    The view controls noise layers, `nnx.Dropout` and `nnx.MultiHeadAttention`.
    Examples of names are "dropout" and "blocks/*/dropout".

    Args:
      model: NNX module.
      only: names of the only noisy layers, as in `layers.control_noise`.
      off: names of deterministic layers, as in `layers.control_noise`.
      step: training step, for layers whose level is a schedule.

    Returns:
      View that shares the variables of the model.

    Raises:
      ValueError: a name in `only` or `off` matches no noise layer.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from noisejax.layers import nnx as layers
      >>> drop = nnx.Dropout(0.5, rngs=nnx.Rngs(0))
      >>> model = nnx.Sequential(drop, nnx.Linear(3, 2, rngs=nnx.Rngs(0)))
      >>> quiet = layers.control_noise(model, off="layers/0")
      >>> quiet.layers[0].deterministic, model.layers[0].deterministic
      (True, False)
    """
    control = Control(None if only is None else as_tuple(only), as_tuple(off), step)
    names = {name for name, _ in named_parts(model, NOISY)}
    check_matched((control.only or ()) + control.off, names)
    for off in (True, False):
        chosen = {name for name in names if control.deterministic(name) is off}
        if chosen:
            model = nnx.view(
                model,
                only=lambda path, node, chosen=chosen: _join(path) in chosen,
                deterministic=off,
            )
    if step is not None:
        model = nnx.view(model, only=NoiseLayer, raise_if_not_found=False, step=step)
    return model


def functional(
    model: nnx.Module,
    *,
    mutable: Any = None,
    only: Patterns | None = None,
    off: Patterns = (),
) -> tuple[Callable[..., Any], nnx.State[Any, Any]]:
    """Turn an NNX model, with dropout of Flax or noisejax, into a pure function.

    The seed of each key stream is derived from the key and the path of the stream. Two
    layers therefore have different masks, and adding a layer does not change the masks
    of other layers. If the call of the model takes `rngs`, it receives an `nnx.Rngs`
    made from the key.

    Args:
      model: NNX module, which is not changed.
      mutable: NNX filter for the variables to return with the output, such as
        `nnx.BatchStat`, or None.
      only: names of the only noisy layers, as in `layers.control_noise`.
      off: names of deterministic layers, as in `layers.control_noise`.

    Returns:
      Function apply, and the parameters of the model (its `nnx.Param` state).
      apply(params, key, *args, state=None, step=None, **kwargs) returns the output of
      the model, or with `mutable` the output and the new state of these variables.
        key: a key, None for a model without noise, or a mapping from stream names to
          keys, {"dropout": key, "sample": key_2}. The key "default" of a mapping seeds
          all other streams; without "default" these streams are not seeded.
        step: training step, as in `layers.functional`.
        state: state of the `mutable` variables; the default is the state of `model`. A
          value that is not an `nnx.State` is passed to the model as argument `state`.

    Raises:
      TypeError: `model` is not an NNX module.
      ValueError: `only` or `off` matches no noise layer, or a key is passed to a model
        that has neither a key stream nor an argument `rngs`.

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
    graphdef, params, initial_state, rest = nnx.split(model, nnx.Param, kept, ...)
    takes_step, takes_state = (
        takes_argument(model, name) for name in ("step", "state")
    )

    def apply(
        params: nnx.State[Any, Any],
        key: noise.Key | Mapping[str, noise.Key] | None,
        /,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        step = kwargs.get("step") if takes_step else kwargs.pop("step", None)
        state = initial_state
        if isinstance(kwargs.get("state"), nnx.State) and mutable is not None:
            state = kwargs.pop("state")
        elif not takes_state and kwargs.get("state") is None:
            kwargs.pop("state", None)
        replica = nnx.merge(graphdef, params, state, rest, copy=True)
        if key is not None:
            kwargs = _seed(replica, key) | kwargs
        if step is not None:
            replica = control_noise(replica, step=step)
        output = replica(*args, **kwargs)
        if mutable is None:
            return output
        return output, nnx.state(replica, mutable)

    return apply, params


def _seed(
    model: nnx.Module, key: noise.Key | Mapping[str, noise.Key]
) -> dict[str, nnx.Rngs]:
    """Seed the model's key streams; return `rngs` for its call if the call takes it."""
    keys = key if isinstance(key, Mapping) else {"default": key}
    streams = named_parts(model, nnx.RngStream)
    takes_rngs = "rngs" in inspect.signature(model).parameters
    if isinstance(model, nnx.Sequential):
        # It passes `rngs` on, which would override the streams of its layers. In Flax
        # 0.12.12 the argument is one of **kwargs, in 0.12.8 it has a name.
        takes_rngs = not streams
    tags = {stream.tag for _, stream in streams}
    if not takes_rngs and (not tags or set(keys) - tags - {"default"}):
        raise ValueError(
            f"{type(model).__name__} gets keys for {sorted(keys)}, but has key streams "
            f"for {sorted(tags) or 'nothing'} and its call has no argument `rngs`. "
            "Construct its noise layers with rngs=nnx.Rngs(0), or let its call take "
            "`rngs` and pass it on, or pass None for the key"
        )
    for path, stream in streams:
        if stream.tag not in keys and "default" not in keys:
            continue
        seed = derive_key(keys.get(stream.tag, keys.get("default")), path)
        if stream.key.shape:
            seed = jax.random.split(seed, stream.key.shape)
        stream.key[...] = seed
        stream.count[...] = jnp.zeros(stream.count.shape, jnp.uint32)
    if not takes_rngs:
        return {}
    return {"rngs": nnx.Rngs({name: derive_key(k, "rngs") for name, k in keys.items()})}


def named_parts(
    model: nnx.Module, kinds: type | tuple[type, ...]
) -> list[tuple[str, Any]]:
    """List the names and nodes of the model's parts of some kinds."""
    nodes = nnx.iter_graph(model)
    return [(_join(path), node) for path, node in nodes if isinstance(node, kinds)]


def _join(path: tuple[Any, ...]) -> str:
    return "/".join(map(str, path))

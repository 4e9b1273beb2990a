"""Reaching the noise inside an NNX model that is already written."""

from typing import TypeVar

from flax import nnx
from jax.typing import ArrayLike

from noisejax.layers._names import Patterns, as_patterns, check_matched, matches
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
    """A view of a model in which named layers make noise alone, or are silent.

    It reaches noisejax's layers, `nnx.Dropout` and `nnx.MultiHeadAttention`. The view
    shares the model's variables.

    Args:
      model: any NNX module.
      only: names of the layers that make noise; all others are silent. Shell patterns
        on the paths of modules, such as "dropout" or "blocks/*/dropout"; the name of a
        module covers what is inside it.
      off: names of layers that are silent; the others stay as they are.
      step: the training step, for layers whose rate is a schedule.

    Returns:
      The view.

    Raises:
      ValueError: a name in `only` or `off` that no noise layer has; those that there
        are are listed.

    Example:
      >>> import jax.numpy as jnp
      >>> from flax import nnx
      >>> from noisejax.layers import nnx as layers
      >>> drop = nnx.Dropout(0.5, rngs=nnx.Rngs(0))
      >>> model = nnx.Sequential(drop, nnx.Linear(3, 2, rngs=nnx.Rngs(0)))
      >>> silent = layers.control_noise(model, off="layers/0")
      >>> silent.layers[0].deterministic, model.layers[0].deterministic
      (True, False)
    """
    paths = [
        "/".join(map(str, path))
        for path, node in nnx.iter_graph(model)
        if isinstance(node, NOISY)
    ]
    only = None if only is None else as_patterns(only)
    off = as_patterns(off)
    check_matched((only or ()) + off, paths)
    silent = {p for p in paths if matches(p, off)}
    noisy = set()
    if only is not None:
        noisy = {p for p in paths if matches(p, only)} - silent
        silent = set(paths) - noisy
    for chosen, deterministic in ((silent, True), (noisy, False)):
        if chosen:
            model = nnx.view(model, only=_at(chosen), deterministic=deterministic)
    if step is not None:
        model = nnx.view(model, only=NoiseLayer, raise_if_not_found=False, step=step)
    return model


def _at(paths: set[str]):
    return lambda path, node: "/".join(map(str, path)) in paths

"""Fine-tuning: parameters that are trained, and parameters of another run."""

import re
from collections.abc import Sequence
from typing import Any

import optax
from flax import traverse_util
from jax import numpy as jnp
from jaxtyping import Array, PyTree

OUTPUT = "dense_output"
"""Layer that is initialised if another run lacks it or has it in another shape."""


def split_params(
    params: PyTree[Array], pattern: str
) -> tuple[PyTree[Array], PyTree[Array]]:
    """Split parameters into those that are trained, and those that are frozen.

    Args:
      params: parameters, as nested dicts.
      pattern: regular expression, searched in names such as "dense_0/kernel"; empty:
        all are trained.

    Returns:
      (trained, frozen), nested dicts with disjoint leaves.

    Raises:
      ValueError: the pattern matches no parameter; the message lists them.
    """
    if not pattern:
        return params, {}
    flat = traverse_util.flatten_dict(params)
    trained = {k: v for k, v in flat.items() if re.search(pattern, "/".join(k))}
    if not trained:
        raise ValueError(
            f"training.trainable={pattern!r} matches no parameter; the parameters are "
            + ", ".join("/".join(path) for path in flat)
        )
    frozen = {k: v for k, v in flat.items() if k not in trained}
    unflatten = traverse_util.unflatten_dict
    return unflatten(trained), unflatten(frozen)


def merge_params(trained: PyTree[Array], frozen: PyTree[Array]) -> PyTree[Array]:
    """Join what `split_params` has split."""
    if not frozen:
        return trained
    flatten = traverse_util.flatten_dict
    return traverse_util.unflatten_dict(flatten(trained) | flatten(frozen))


def train_only(
    optimizer: optax.GradientTransformation, pattern: str
) -> optax.GradientTransformation:
    """Initialise an optimizer on the trained parameters alone; its updates see them."""
    if not pattern:
        return optimizer

    def init(params):
        return optimizer.init(split_params(params, pattern)[0])

    return optax.GradientTransformation(init, optimizer.update)


def start_from(
    params: PyTree[Array], sources: Sequence[dict[str, Any]]
) -> PyTree[Array]:
    """Replace initial parameters, or batch statistics, by those of another run.

    Args:
      params: initial parameters, [seeds, ...].
      sources: parameters of each seed of the other run; they are used in turn.

    Returns:
      The parameters of the other run, where an output layer of another shape keeps its
      initial parameters.

    Raises:
      ValueError: another layer differs; the message lists the differences.
    """
    flatten = traverse_util.flatten_dict
    if not params and not sources[0]:
        return params
    initial, sources = flatten(params), [flatten(source) for source in sources]
    needed = {name: leaf.shape[1:] for name, leaf in initial.items()}
    given = {name: leaf.shape for name, leaf in sources[0].items()}
    differ = [n for n in needed | given if needed.get(n) != given.get(n)]
    wrong = [
        f"{'/'.join(name)} is {needed.get(name, 'missing')} here and "
        f"{given.get(name, 'missing')} there"
        for name in differ
        if OUTPUT not in name
    ]
    if wrong:
        raise ValueError(
            f"training.init_from must hold the same network: {'; '.join(wrong)}. Give "
            "that run's model and noise.shift; only the number of outputs may differ"
        )
    count = len(next(iter(initial.values())))
    turns = [sources[i % len(sources)] for i in range(count)]
    chosen = {
        name: leaf if name in differ else jnp.stack([s[name] for s in turns])
        for name, leaf in initial.items()
    }
    return traverse_util.unflatten_dict(chosen)

"""Fold all learned shifts of a Linen model into the biases of the model."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
from flax import linen as nn
from flax import traverse_util
from jax import numpy as jnp
from jaxtyping import Array, PyTree

from noisejax.layers._base import NoiseLayer

LINEAR = (nn.Dense, nn.DenseGeneral, nn.Conv, nn.ConvTranspose)
"""Layers with a bias that can absorb a shift of the input."""

TOLERANCE = 1e-4
"""Largest difference, relative to the largest value, that may be float32 rounding."""

NO_SHIFT = (
    "the model has no noise layer with a shift that this call reaches; "
    "Noise(..., shift=True) and InvariantDropout have one"
)

Path = tuple[str, ...]
Biases = dict[Path, Array]


class Call(NamedTuple):
    """A call of a linear layer.

    Attributes:
      apply: layer as a function of its input.
      features: number of outputs, or shape of the outputs.
      shifted: input with the shift.
      plain: input without the shift.
    """

    apply: Callable[[Array], Array]
    features: int | Sequence[int]
    shifted: Array
    plain: Array


def fold_shifts(
    model: nn.Module, variables: Mapping[str, PyTree[Any]], *args: Any, **kwargs: Any
) -> dict[str, PyTree[Any]]:
    """Fold shifts into biases:  b + (f(β) - f(0)) for each linear layer f.

    Each linear layer that follows a noise layer absorbs the shift β of the noise layer
    (Ba et al. 2014, after eq. 9). Reshapes may come between the two layers, and also
    pooling if the shift is per channel. To check the result, the function runs the
    model without noise and compares the output (the first output of a tuple).

    Args:
      model: Linen model with `Noise(..., shift=...)` or `InvariantDropout` layers.
      variables: variables of the model. Partitioned variables keep their metadata.
      *args: inputs of a call at test time. Use two or more examples, because the check
        is weaker with one.
      **kwargs: further arguments of the call, such as train=False.

    Returns:
      Variables without shifts. Every linear layer that absorbs a shift has a bias. Use
      them in a model with use_bias=True in these layers, and without shifts.

    Raises:
      TypeError: `model` is not a Linen model.
      ValueError: the model has no shift, no linear layer follows a shift, a shift also
        reaches the output in another way, such as a residual connection, or one bias
        per feature is not exact, as after padding (see `noise.fold_into_conv`).

    Example:
      >>> import jax, jax.numpy as jnp
      >>> from flax import linen as nn
      >>> from noisejax import layers
      >>> drop = layers.InvariantDropout(0.5, deterministic=True)
      >>> model = nn.Sequential([drop, nn.Dense(4)])
      >>> x = jnp.ones((2, 3))
      >>> variables = model.init(jax.random.key(0), x)
      >>> variables["params"]["layers_0"]["beta"] += 1.0  # as if it were trained
      >>> folded = layers.fold_shifts(model, variables, x)
      >>> plain = nn.Sequential([lambda x: x, nn.Dense(4)])
      >>> bool(jnp.allclose(plain.apply(folded, x), model.apply(variables, x)))
      True
    """
    if not isinstance(model, nn.Module):
        raise TypeError(
            f"model must be a Linen model, got {type(model).__name__}; for an NNX "
            "model use noisejax.layers.nnx.fold_shifts"
        )
    bare = nn.meta.unbox(variables)
    shifted: dict[Path, list[tuple[Array, Array]]] = {}
    shifts: set[Path] = set()
    moved: dict[Path, list[Call]] = {}

    def with_shifts(module, inputs, result):
        shifted.setdefault(module.path, []).append((inputs, result))
        return result

    def without_shifts(module, inputs, result):
        del result
        calls = moved.setdefault(module.path, [])
        there, output = shifted[module.path][len(calls)]
        names = [n for n in ("kernel", "bias") if module.has_variable("params", n)]
        params = {"params": {n: module.get_variable("params", n) for n in names}}
        apply = functools.partial(module.clone(parent=None, name=None).apply, params)
        calls.append(Call(apply, module.features, there, inputs))
        return output

    wanted = _run(model, bare, args, kwargs, with_shifts, shifts)
    if not shifts:
        raise ValueError(NO_SHIFT)
    _run(model, bare, args, kwargs, without_shifts)
    biases = {path: shift_bias("/".join(path), calls) for path, calls in moved.items()}
    biases = {path: bias for path, bias in biases.items() if bias.any()}

    def folded(module, inputs, result):
        del inputs
        bias = biases.get(module.path)
        return result if bias is None else result + jnp.broadcast_to(bias, result.shape)

    found = _run(model, bare, args, kwargs, folded)
    check_same_output(wanted, found, ["/".join(path) for path in shifts])
    return _write(variables, biases, shifts)


def _run(
    model: nn.Module,
    variables: Mapping[str, Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    at_linear: Callable[[nn.Module, Array, Array], Array],
    keep: set[Path] | None = None,
) -> Any:
    """Run the model without noise. If `keep` is given, add shifts and record paths."""

    def intercept(next_fn, args, kwargs, context):
        module = context.module
        if context.method_name != "__call__":
            return next_fn(*args, **kwargs)
        if isinstance(module, NoiseLayer):
            inputs = args[0] if args else kwargs["inputs"]
            if not module.shift or keep is None:
                return inputs
            keep.add(module.path)
            return module._shifted(inputs, True)
        result = next_fn(*args, **kwargs)
        if isinstance(module, LINEAR):
            inputs = args[0] if args else kwargs["inputs"]
            return at_linear(module, inputs, result)
        return result

    with nn.intercept_methods(intercept):
        return model.apply(variables, *args, **kwargs)


def shift_bias(name: str, calls: list[Call]) -> Array:
    """Compute f(β) - f(0) of a layer from all calls of the layer.

    Raises:
      ValueError: the shift differs between examples, or the bias differs between
        positions or calls.
    """
    biases = []
    for apply, features, shifted, plain in calls:
        shift = (shifted - plain).mean(axis=0, keepdims=True)
        if not _is_close(shifted, jnp.broadcast_to(shift, plain.shape) + plain):
            raise ValueError(
                f"the effect of the shift on the input of {name} depends on the "
                "example. Remove the nonlinearity between the noise layer and the "
                "linear layer that absorbs the shift"
            )
        shape = (features,) if isinstance(features, int) else tuple(features)
        bias = apply(shift) - apply(jnp.zeros_like(shift))
        biases.append(bias.reshape(-1, *shape))
    every = jnp.concatenate(biases)
    if not _is_close(every, jnp.broadcast_to(every[:1], every.shape)):
        raise ValueError(
            f"{name} needs a bias for each position or call, because zeros are padded "
            "or shifts differ; use padding='VALID', or noise.fold_into_conv"
        )
    return every.mean(axis=0)


def check_same_output(wanted: Any, found: Any, names: Sequence[str]) -> None:
    """Check that folding did not change the output, or the first output of a tuple.

    Raises:
      ValueError: the output changed.
    """
    if isinstance(wanted, tuple):
        wanted, found = wanted[0], found[0]
    for a, b in zip(jax.tree.leaves(wanted), jax.tree.leaves(found), strict=True):
        if not _is_close(a, b):
            raise ValueError(
                f"a shift of {', '.join(sorted(names))} reaches the output by another "
                "way than a linear layer that follows it, such as a nonlinearity, a "
                "residual connection or no layer at all; fold it by hand, or keep the "
                "noise layer"
            )


def _is_close(a: Array, b: Array) -> bool:
    scale = jnp.maximum(jnp.abs(a).max(), jnp.abs(b).max())
    return bool(jnp.abs(a - b).max() <= TOLERANCE * scale)


def _write(
    variables: Mapping[str, Any], biases: Biases, shifts: set[Path]
) -> dict[str, Any]:
    """Add the biases, and remove the variables of noise layers with shifts."""
    is_box = {"is_leaf": lambda path, v: not isinstance(v, Mapping)}
    flat = {
        name: traverse_util.flatten_dict(tree, **is_box)
        for name, tree in variables.items()
    }
    for path, bias in biases.items():
        name = (*path, "bias")
        old = flat["params"].get(name)
        if old is not None:
            bare = nn.meta.unbox(old)
            bias = bare + bias.astype(bare.dtype)
        boxed = isinstance(old, nn.meta.AxisMetadata)
        flat["params"][name] = old.replace_boxed(bias) if boxed else bias
    for name, leaves in flat.items():
        flat[name] = {
            path: leaf for path, leaf in leaves.items() if path[:-1] not in shifts
        }
    return {
        name: traverse_util.unflatten_dict(leaves)
        for name, leaves in flat.items()
        if leaves
    }

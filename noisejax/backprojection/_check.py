"""Argument checks for back-projection."""

import operator
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp
from jax.core import Tracer
from jaxtyping import Array

from noisejax._floating import check_floating

Shapes = list[tuple[int, ...]]


def check_floating_input(x: Array, *, name: str) -> Array:
    """Return x as an array; raise unless it is real, floating and [B, ...]."""
    try:
        x = check_floating(x)
    except TypeError as error:
        raise TypeError(f"{name} must be floating for descent: {error}") from error
    if x.ndim < 2 or not x.size or jnp.issubdtype(x.dtype, jnp.complexfloating):
        raise ValueError(
            f"{name} must be real inputs [B, ...] without empty axes, got "
            f"{x.dtype}{list(x.shape)}"
        )
    return x


def check_features(features_fn, params, x: Array) -> Shapes:
    """Return the shapes of the features; raise unless they are a tuple of [B, ...]."""
    rule = "features_fn(params, x) must return a tuple of activations [B, ...]"
    if not callable(features_fn):
        raise TypeError(f"{rule}; got {type(features_fn).__name__} as features_fn")
    features = jax.eval_shape(features_fn, params, x)
    if not isinstance(features, tuple) or not features:
        got = "an empty tuple" if features == () else type(features).__name__
        raise TypeError(f"{rule}, such as (h,) for one layer; it returned {got}")
    for i, feature in enumerate(features):
        floating = jnp.issubdtype(getattr(feature, "dtype", bool), jnp.floating)
        if not floating or feature.shape[:1] != x.shape[:1] or 0 in feature.shape:
            raise ValueError(
                f"{rule} that are floating, with the {x.shape[0]} examples of x; layer "
                f"{i} is {feature}"
            )
    return [feature.shape for feature in features]


def check_targets(targets: Sequence[Array], shapes: Shapes) -> tuple[Array, ...]:
    """Return targets as arrays; raise unless they are floating with these shapes."""
    rule = (
        "targets must be a tuple of noisy activations, one floating array per layer of "
        "features_fn"
    )
    if not isinstance(targets, tuple | list):
        raise TypeError(f"{rule}; got {type(targets).__name__}")
    if len(targets) != len(shapes):
        raise ValueError(f"{rule}; got {len(targets)} for {len(shapes)} layers")
    targets = tuple(jnp.asarray(target) for target in targets)
    for i, (target, shape) in enumerate(zip(targets, shapes, strict=True)):
        if target.shape != shape:
            raise ValueError(
                f"{rule}, with the shape of the features; layer {i} has features "
                f"{shape} and a target {target.shape}"
            )
        if not jnp.issubdtype(target.dtype, jnp.floating):
            raise TypeError(f"{rule}; the target of layer {i} is {target.dtype}")
    return targets


def check_layer_weights(weights, num_layers: int) -> Array:
    """Return λ as an array [L]; the values are checked unless they are traced."""
    rule = (
        f"layer_weights must be {num_layers} finite numbers not below 0, one per layer"
    )
    if weights is None:
        return jnp.ones(num_layers)
    known = not any(isinstance(w, Tracer) for w in jax.tree.leaves(weights))
    array = jnp.asarray(weights, float)
    if array.shape != (num_layers,):
        raise ValueError(f"{rule}; got shape {array.shape}")
    if known:
        values = np.asarray(weights, float)
        if not (np.isfinite(values).all() and (values >= 0).all()):
            raise ValueError(f"{rule}; got {values.tolist()}")
    return array


def check_num_steps(num_steps: int) -> int:
    """Return the number of steps as an int; raise unless it is at least 1."""
    rule = "num_steps must be an integer above 0"
    try:
        number = operator.index(num_steps)
    except TypeError as error:
        raise TypeError(f"{rule}; got {num_steps!r}") from error
    if number < 1 or isinstance(num_steps, bool):
        raise ValueError(f"{rule}; got {num_steps!r}")
    return number


def check_bounds(bounds: tuple[Any, Any]) -> tuple[Any, ...]:
    """Return bounds as a tuple; the values are checked unless they are traced."""
    rule = "bounds must be a pair of numbers (lo, hi) with lo < hi"
    if not isinstance(bounds, tuple | list) or len(bounds) != 2:
        raise TypeError(f"{rule}; got {bounds!r}")
    if any(np.shape(bound) for bound in bounds):
        raise ValueError(f"{rule}; got shapes {[np.shape(b) for b in bounds]}")
    if not any(isinstance(b, Tracer) for b in bounds):
        lo, hi = (float(bound) for bound in bounds)
        if not lo < hi:
            raise ValueError(f"{rule}; got ({lo:g}, {hi:g})")
    return tuple(bounds)

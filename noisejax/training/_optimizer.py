"""Optimizers: schedules, weight decay, limits of norms, frozen parameters."""

import operator
import re

import jax
import optax
from flax import traverse_util
from jax import numpy as jnp
from jaxtyping import Array, PyTree

from noisejax.training._config import OptimizerConfig


def build_schedule(
    config: OptimizerConfig, *, epochs: int, steps_per_epoch: int, warmup: bool
) -> optax.Schedule:
    """Build the learning-rate schedule of a phase."""
    rate, steps = config.learning_rate, epochs * steps_per_epoch
    rise = round(config.warmup_epochs * steps_per_epoch) if warmup else 0
    rest = max(steps - rise, 1)
    main = {
        "constant": optax.constant_schedule(rate),
        "linear": optax.linear_schedule(rate, 0.0, rest),
        "cosine": optax.cosine_decay_schedule(rate, rest),
        "steps": optax.piecewise_constant_schedule(
            rate,
            {round(share * rest): config.step_factor for share in config.milestones},
        ),
    }[config.schedule]
    if not rise:
        return main
    return optax.join_schedules([optax.linear_schedule(0.0, rate, rise), main], [rise])


def build_optimizer(
    config: OptimizerConfig, schedule: optax.Schedule, *, batch_size: int
) -> optax.GradientTransformation:
    """Build the optimizer of a phase.

    Weight decay and shift decay are added to the gradient; adamw decouples weight
    decay. Ba et al. (2014) use a shift decay of 0.1 with the loss summed over the
    batch. The decay is therefore divided by the batch size, since the loss here is a
    mean.
    """
    shift_decay = config.shift_decay / batch_size
    # Omit transformations without effect, for the layout of existing checkpoints.
    coupled = [optax.clip_by_global_norm(config.clip_norm)] if config.clip_norm else []
    coupled += [optax.add_decayed_weights(shift_decay, mask=is_shift)]
    decoupled = []
    decayed = is_kernel if config.decay == "kernels" else is_no_shift
    if config.name == "adamw":
        decoupled = [optax.add_decayed_weights(config.weight_decay, mask=decayed)]
    elif config.weight_decay:
        coupled.append(optax.add_decayed_weights(config.weight_decay, mask=decayed))
    if config.name == "sgd":
        scale = optax.trace(config.momentum, nesterov=config.nesterov)
    else:
        scale = optax.scale_by_adam(b1=config.momentum, nesterov=False)
    shifts = []
    if config.shift_rate != 1:
        shifts = [optax.masked(optax.scale(config.shift_rate), is_shift)]
    return optax.chain(
        *coupled, scale, *decoupled, *shifts, optax.scale_by_learning_rate(schedule)
    )


def is_shift(params: PyTree) -> PyTree[bool]:
    """Return True for leaves that are shifts."""
    return _named(params, "beta")


def is_no_shift(params: PyTree) -> PyTree[bool]:
    """Return True for leaves that are not shifts."""
    return jax.tree.map(operator.not_, is_shift(params))


def is_kernel(params: PyTree) -> PyTree[bool]:
    """Return True for leaves that are kernels (not biases or shifts)."""
    return _named(params, "kernel")


def _named(params: PyTree, name: str) -> PyTree[bool]:
    return jax.tree_util.tree_map_with_path(
        lambda path, _: getattr(path[-1], "key", None) == name, params
    )


def clip_norms(params: PyTree[Array], max_norm: float) -> PyTree[Array]:
    """Limit the norm of the incoming weights w of each unit.

    w ← w min(1, max_norm / ‖w‖₂). The last axis of a kernel is the units (Srivastava et
    al. 2014, section 5.1).
    """

    def clip(is_weight: bool, kernel: Array) -> Array:
        if not is_weight:
            return kernel
        axes = tuple(range(kernel.ndim - 1))
        norms = jnp.sqrt(jnp.sum(kernel**2, axis=axes, keepdims=True))
        return kernel * jnp.minimum(1.0, max_norm / jnp.maximum(norms, 1e-12))

    return jax.tree.map(clip, is_kernel(params), params)


def is_pattern(pattern: str) -> bool:
    """Return True if `pattern` is a regular expression."""
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def split_params(
    params: PyTree[Array], pattern: str
) -> tuple[PyTree[Array], PyTree[Array]]:
    """Split parameters into trained and frozen parameters.

    Args:
      params: parameters, as nested dicts.
      pattern: regular expression that is searched in names such as "dense_0/kernel";
        empty: train all parameters.

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
    """Merge the two results of `split_params`."""
    if not frozen:
        return trained
    flatten = traverse_util.flatten_dict
    return traverse_util.unflatten_dict(flatten(trained) | flatten(frozen))


def train_only(
    optimizer: optax.GradientTransformation, pattern: str
) -> optax.GradientTransformation:
    """Return an optimizer that is initialised with the trained parameters only."""
    if not pattern:
        return optimizer

    def init(params):
        return optimizer.init(split_params(params, pattern)[0])

    return optax.GradientTransformation(init, optimizer.update)

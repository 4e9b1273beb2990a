"""Optimizers: schedules, decays of weights and shifts, limits of norms."""

import operator

import jax
import optax
from jax import numpy as jnp
from jaxtyping import Array, PyTree

from noisejax.training._config import OptimizerConfig


def build_schedule(
    config: OptimizerConfig, *, epochs: int, steps_per_epoch: int, warmup: bool
) -> optax.Schedule:
    """The learning rate at each step of a phase."""
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

    The decays of kernels and of shifts are added to the gradient; adamw decouples that
    of kernels. The decay of shifts is added to the gradient of the loss summed over the
    batch (Ba et al. 2014 print 0.1). If it were added to the gradient of the mean, it
    would hold the shifts near 0.
    """
    shift_decay = config.shift_decay / batch_size
    # A transformation that does nothing is left out, as in earlier checkpoints.
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
    """True for leaves that are shifts."""
    return _named(params, "beta")


def is_no_shift(params: PyTree) -> PyTree[bool]:
    """True for leaves that are no shifts."""
    return jax.tree.map(operator.not_, is_shift(params))


def is_kernel(params: PyTree) -> PyTree[bool]:
    """True for leaves that are kernels (no biases, no shifts)."""
    return _named(params, "kernel")


def _named(params: PyTree, name: str) -> PyTree[bool]:
    return jax.tree_util.tree_map_with_path(
        lambda path, _: getattr(path[-1], "key", None) == name, params
    )


def clip_norms(params: PyTree[Array], max_norm: float) -> PyTree[Array]:
    """w ← w min(1, max_norm / ‖w‖₂), for the incoming weights w of each unit.

    The last axis of a kernel is the units (Srivastava et al. 2014, section 5.1).
    """

    def clip(is_weight: bool, kernel: Array) -> Array:
        if not is_weight:
            return kernel
        axes = tuple(range(kernel.ndim - 1))
        norms = jnp.sqrt(jnp.sum(kernel**2, axis=axes, keepdims=True))
        return kernel * jnp.minimum(1.0, max_norm / jnp.maximum(norms, 1e-12))

    return jax.tree.map(clip, is_kernel(params), params)

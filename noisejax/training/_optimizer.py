"""Optimisation by optax: schedules, decays of weights and shifts, max-norm."""

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
    """The update of parameters from gradients.

    Decays are added to the gradient, of kernels and of shifts each their own; with
    adamw that of kernels is decoupled. The shifts' is added to the gradient of the loss
    summed over the batch (Ba et al. 2014 print 0.1): added to that of the mean, it
    would hold the shifts near 0.
    """
    shift_decay = config.shift_decay / batch_size
    coupled = [optax.add_decayed_weights(shift_decay, mask=is_shift)]
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
    # No transformation at 1: checkpoints of earlier runs keep their structure.
    shifts = []
    if config.shift_rate != 1:
        shifts = [optax.masked(optax.scale(config.shift_rate), is_shift)]
    return optax.chain(
        *coupled, scale, *decoupled, *shifts, optax.scale_by_learning_rate(schedule)
    )


def is_shift(params: PyTree) -> PyTree[bool]:
    """Which leaves are shifts."""
    return _named(params, "beta")


def is_no_shift(params: PyTree) -> PyTree[bool]:
    """Which leaves are anything but shifts."""
    return jax.tree.map(operator.not_, is_shift(params))


def is_kernel(params: PyTree) -> PyTree[bool]:
    """Which leaves are weights, as against biases and shifts."""
    return _named(params, "kernel")


def _named(params: PyTree, name: str) -> PyTree[bool]:
    return jax.tree_util.tree_map_with_path(
        lambda path, _: getattr(path[-1], "key", None) == name, params
    )


def clip_norms(params: PyTree[Array], max_norm: float) -> PyTree[Array]:
    """Shrinks each unit's incoming weights to an L2 norm of `max_norm` at most.

    (Srivastava et al. 2014, section 5.1.) The last axis of a kernel is the units.
    """

    def clip(is_weight: bool, kernel: Array) -> Array:
        if not is_weight:
            return kernel
        axes = tuple(range(kernel.ndim - 1))
        norms = jnp.sqrt(jnp.sum(kernel**2, axis=axes, keepdims=True))
        return kernel * jnp.minimum(1.0, max_norm / jnp.maximum(norms, 1e-12))

    return jax.tree.map(clip, is_kernel(params), params)

"""Training on back-projected inputs instead of under noise (Bouthillier et al. 2015).

Section 5.2: an x* is found for every training example from the parameters at the start
of a round; then the network trains, without noise, for an epoch on x and for one on x*.
"""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from flax import linen as nn
from jax import lax
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax import backprojection
from noisejax.training._config import ProjectionConfig
from noisejax.training._epoch import step_key, to_float
from noisejax.training._errors import TrainingError
from noisejax.training._mesh import Placement
from noisejax.training._over_seeds import over_seeds
from noisejax.training._processes import on_host
from noisejax.training._project_dataset import SHOWN, advise
from noisejax.training._state import TrainState

CHUNK = 512
"""Examples that are projected at once."""


@dataclasses.dataclass(frozen=True)
class Projection:
    """How a phase trains on x*.

    Attributes:
      passes: epochs on x* in a round, beside the one on x: 1, or one per hidden layer.
      project: (state, x, indices, seeds, number), compiled, gives for the examples
        `indices` [N, n] of each seed: "x_star" [N, passes, n, ...]; means over examples
        "residual_before" and "residual_after", [N]; "diverged" [N, n].
      epoch: an epoch on examples of each seed's own, as `make_epoch` describes it.
      advise: (params, x) of one seed -> what to say where x* diverged.
    """

    passes: int
    project: Callable
    epoch: Callable
    advise: Callable[[Any, Array], str]


def check_rounds(field: str, epochs: int, passes: int) -> None:
    """Raises a ValueError where epochs are not whole rounds."""
    stride = 1 + passes
    if epochs % stride:
        raise ValueError(
            f"training.mode=back_projection counts {stride} epochs a round, one on x "
            f"and {passes} on x*: {field} must be a multiple of {stride}, got "
            f"{epochs}"
        )


def make_projection(
    noisy: nn.Module,
    silent: nn.Module,
    config: ProjectionConfig,
    *,
    inverted: bool,
    epoch: Callable,
    placement: Placement,
) -> Projection:
    """How x* is found for the training examples of all seeds.

    Args:
      noisy: the network that makes the targets: noise at every hidden layer up to
        theirs, none on the input (eq. 6).
      silent: the same without noise.
      config: how x* is found.
      inverted: whether examples are inverted.
      epoch: on x*, as `make_epoch` describes it.
      placement: of the examples and the seeds.
    """
    layers = [f"noisy_{i}" for i in range(silent.num_hidden_places)]

    def features(variables, x):
        _, activations = silent.apply(variables, x, train=False)
        return tuple(activations[name] for name in layers)

    def targets(variables, x, key):
        _, activations = noisy.apply(variables, x, train=True, rngs={"dropout": key})
        return tuple(activations[name] for name in layers)

    def one_seed(state, x, indices, seed, number):
        variables = {"params": state.params}
        method = _method(config, features, variables, x[indices[:CHUNK]], inverted)

        def chunk(numbered):
            i, rows = numbered
            examples = placement.batch(to_float(x[rows], inverted=inverted))
            key = step_key(seed, number, i, "projection")
            found = backprojection.back_project(
                features,
                variables,
                examples,
                targets(variables, examples, key),
                num_steps=config.num_steps,
                method=method,
                per_layer=config.per_layer,
                bounds=(0.0, 1.0) if config.bounded else None,
            )
            x_star = found.x_star if config.per_layer else found.x_star[None]
            return {
                "x_star": jnp.moveaxis(x_star, 0, 1),
                "residual_before": found.residual_before.mean(0),
                "residual_after": found.residual_after.mean(0),
                "diverged": found.diverged,
            }

        n = indices.shape[0]
        steps = -(-n // CHUNK)
        padded = jnp.pad(indices, (0, steps * CHUNK - n)).reshape(steps, CHUNK)
        found = lax.map(chunk, (jnp.arange(steps), padded))
        found = jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:])[:n], found)
        return {
            "x_star": jnp.moveaxis(found["x_star"], 1, 0),
            "residual_before": _finite_mean(found["residual_before"]),
            "residual_after": _finite_mean(found["residual_after"]),
            "diverged": found["diverged"],
        }

    def advise_seed(params, x):
        variables, x = {"params": params}, to_float(x, inverted=inverted)
        method = _method(config, features, variables, x, inverted=False)
        return advise(features, variables, x, method)

    return Projection(
        passes=len(layers) if config.per_layer else 1,
        project=jax.jit(over_seeds(one_seed, (0, None, 0, 0, None), placement)),
        epoch=epoch,
        advise=advise_seed,
    )


@dataclasses.dataclass(frozen=True)
class Round:
    """What a round came to.

    Attributes:
      state: of the seeds.
      steps: metrics of all its steps, [N, steps] each.
      residuals: the mean residual of x* before and after, [N] each.
      seconds_projecting: spent on finding x*.
    """

    state: TrainState
    steps: dict[str, np.ndarray]
    residuals: dict[str, np.ndarray]
    seconds_projecting: float


def run_round(
    projection: Projection,
    epoch: Callable,
    state: TrainState,
    x: Float[Array, "..."],
    y: Array,
    indices: Array,
    seeds: Array,
    number: int,
) -> Round:
    """Finds x*, then trains for an epoch on x and one on each x*.

    Args:
      projection: of the phase.
      epoch: on x, as `make_epoch` describes it.
      state: of the seeds; donated.
      x: all training examples.
      y: their labels.
      indices: [N, n], the examples that each seed trains on.
      seeds: int32 [N].
      number: of the first epoch.

    Raises:
      TrainingError: x* did not converge.
    """
    began = time.perf_counter()
    found = jax.block_until_ready(projection.project(state, x, indices, seeds, number))
    _check_converged(projection, found, state, x, indices, seeds)
    seconds = time.perf_counter() - began
    state, steps = epoch(state, x, y, indices, seeds, number)
    all_steps = [steps]
    own = np.tile(np.arange(indices.shape[1], dtype=np.int32), (len(indices), 1))
    for i in range(projection.passes):
        state, steps = projection.epoch(
            state, found["x_star"][:, i], y[indices], own, seeds, number + 1 + i
        )
        all_steps.append(steps)
    joined = {
        name: np.concatenate([on_host(steps[name]) for steps in all_steps], axis=1)
        for name in all_steps[0]
    }
    residuals = {
        name: on_host(found[name]) for name in ("residual_before", "residual_after")
    }
    return Round(state, joined, residuals, seconds)


def _method(config, features, variables, x, inverted) -> Any:
    if config.method == "gradient_descent":
        return backprojection.gradient_descent(config.learning_rates)
    if config.method == "stable":
        return backprojection.stable_descent()
    sample = to_float(x, inverted=inverted)
    setup = backprojection.preconditioner(features, variables, sample)
    return backprojection.preconditioned(setup)


def _finite_mean(residuals: Float[Array, " n"]) -> Float[Array, ""]:
    """Over the examples that have a target other than 0."""
    return jnp.mean(residuals, where=jnp.isfinite(residuals))


def _check_converged(projection, found, state, x, indices, seeds) -> None:
    diverged = on_host(found["diverged"])
    if diverged.any():
        i = int(np.argmax(diverged.any(1)))
        own = jax.tree.map(lambda leaf: leaf[i], (state.params, indices))
        bad = np.flatnonzero(diverged[i])
        advice = projection.advise(own[0], x[own[1][bad[:SHOWN]]])
        raise TrainingError(
            f"finding x* diverged for {bad.size} of {diverged.shape[1]} examples, seed "
            f"{on_host(seeds)[i]}; {advice}"
        )

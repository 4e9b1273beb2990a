"""Training on back-projected inputs instead of noise (Bouthillier et al. 2015, 5.2).

At the start of a round, an x* is computed for every training example. The network then
trains without noise, for an epoch on x and for an epoch on x*.
"""

import dataclasses
from collections.abc import Callable, Sequence

import jax
import numpy as np
from flax import linen as nn
from jax import lax
from jax import numpy as jnp
from jaxtyping import Float

from noisejax import backprojection
from noisejax.training._batches import Batches, all_rows, to_float
from noisejax.training._mesh import Placement
from noisejax.training._processes import TrainingError, on_host
from noisejax.training._project_dataset import SHOWN, advise
from noisejax.training._state import TrainState, step_key

CHUNK = 512
"""Number of examples that are projected together."""

Residuals = dict[str, Float[np.ndarray, " seeds"]]

Project = Callable[[TrainState, Batches, int], tuple[list[Batches], Residuals]]


def make_project(
    noisy: nn.Module,
    model: nn.Module,
    *,
    num_steps: int,
    method: str,
    learning_rates: Sequence[float],
    per_layer: bool,
    bounded: bool,
    inverted: bool,
    placement: Placement,
) -> Project:
    """Make the search for x* for all training examples of all seeds.

    `model` is the network without noise. `noisy` is the same network with noise on each
    hidden layer, but not on the input (eq. 6). The targets are activations of `noisy`.

    Returns:
      project(state, batches, epoch) -> (batches of each x*, mean residuals of each
      seed). `project` raises a TrainingError if x* diverges.
    """
    layers = [f"noisy_{i}" for i in range(model.num_hidden_sites)]

    def features(variables, x):
        _, activations = model.apply(variables, x, train=False)
        return tuple(activations[name] for name in layers)

    def targets(variables, x, key):
        _, activations = noisy.apply(variables, x, train=True, rngs={"dropout": key})
        return tuple(activations[name] for name in layers)

    def choose_method(variables, sample):
        if method == "gradient_descent":
            return backprojection.gradient_descent(tuple(learning_rates))
        if method == "stable":
            return backprojection.stable_descent()
        setup = backprojection.preconditioner(features, variables, sample)
        return backprojection.preconditioned(setup)

    def one_seed(state, x, indices, seed, epoch):
        variables = {"params": state.params}
        sample = to_float(x[indices[:CHUNK]], inverted=inverted)
        chosen = choose_method(variables, sample)

        def chunk(numbered):
            i, rows = numbered
            examples = placement.batch(to_float(x[rows], inverted=inverted))
            key = step_key(seed, epoch, i, "projection")
            result = backprojection.back_project(
                features,
                variables,
                examples,
                targets(variables, examples, key),
                num_steps=num_steps,
                method=chosen,
                per_layer=per_layer,
                bounds=(0.0, 1.0) if bounded else None,
            )
            x_star = result.x_star if per_layer else result.x_star[None]
            return {
                "x_star": jnp.moveaxis(x_star, 0, 1),
                "residual_before": result.residual_before.mean(0),
                "residual_after": result.residual_after.mean(0),
                "diverged": result.diverged,
            }

        n = indices.shape[0]
        steps = -(-n // CHUNK)
        padded = jnp.pad(indices, (0, steps * CHUNK - n)).reshape(steps, CHUNK)
        result = lax.map(chunk, (jnp.arange(steps), padded))
        result = jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:])[:n], result)
        result["x_star"] = jnp.moveaxis(result["x_star"], 1, 0)
        for name in ("residual_before", "residual_after"):
            # Examples whose targets are all 0 have no residual.
            residual = result[name]
            result[name] = jnp.mean(residual, where=jnp.isfinite(residual))
        return result

    search = jax.jit(placement.over_seeds(one_seed, (0, None, 0, 0, None)))

    def project(state, batches, epoch):
        groups = zip(placement.split(state), batches.split(), strict=True)
        result = placement.join(
            [
                search(group, part.x, part.indices, part.seeds, np.int32(epoch))
                for group, part in groups
            ]
        )
        x_star, diverged = result.pop("x_star"), on_host(result.pop("diverged"))
        if diverged.any():
            i = int(np.argmax(diverged.any(1)))
            rows = on_host(batches.indices)[i][diverged[i]]
            variables = {"params": jax.tree.map(lambda leaf: leaf[i], state.params)}
            x = to_float(batches.x[rows[:SHOWN]], inverted=inverted)
            advice = advise(features, variables, x, choose_method(variables, x))
            raise TrainingError(
                f"finding x* diverged for {rows.size} of {diverged.shape[1]} examples, "
                f"seed {on_host(batches.seeds)[i]}; {advice}"
            )
        stars = dataclasses.replace(
            batches,
            y=batches.y[batches.indices],
            indices=all_rows(*batches.indices.shape),
            by_seed=True,
        )
        passes = range(x_star.shape[1])
        each = [dataclasses.replace(stars, x=x_star[:, i]) for i in passes]
        return each, on_host(result)

    return project

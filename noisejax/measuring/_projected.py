"""The inputs that the noise of a network amounts to: how near, and how far away."""

import jax
import numpy as np
from jax import numpy as jnp

from noisejax import backprojection, noise
from noisejax.measuring._activity import Measured
from noisejax.measuring._amounts import Amounts, chunks
from noisejax.measuring._network import Network, NotMeasuredError

NUM_STEPS = 20
"""Of descent, as in the paper."""


def measure_back_projection(
    key: noise.Key, network: Network, amounts: Amounts
) -> Measured:
    """Residuals of x*, and its distance from x (Bouthillier 2015, sections 4.1, 8.1).

    One x* for all noisy layers, by stable descent; noise at every hidden layer, none on
    the input.
    """
    run = network.run
    if not any(scheme is not None for scheme in run.model.hidden_noise):
        raise NotMeasuredError("no hidden layer makes noise")
    if network.normalised:
        raise NotMeasuredError("normalised over the batch, examples are not alone")
    noisy = run.model.clone(input_noise=None)
    names = [f"noisy_{i}" for i in range(run.model.num_hidden_places)]

    def features(variables, x):
        _, activations = network.clean(variables, x)
        return tuple(activations[name] for name in names)

    @jax.jit
    def targets(variables, x, key):
        _, activations = noisy.apply(variables, x, train=True, rngs={"dropout": key})
        return tuple(activations[name] for name in names)

    chunk = next(chunks(run.test.x, limit=amounts.chunk, size=amounts.chunk))
    x = jnp.asarray(run.inputs(chunk))
    found = backprojection.back_project(
        features,
        run.variables,
        x,
        targets(run.variables, x, key),
        num_steps=NUM_STEPS,
    )
    measured = {
        "n": len(x),
        "num_steps": NUM_STEPS,
        "residual_before": np.asarray(found.residual_before).tolist(),
        "residual_after": np.asarray(found.residual_after).tolist(),
        "distance": np.asarray(backprojection.distances(x, found.x_star)).tolist(),
        "diverged": int(found.diverged.sum()),
    }
    if network.targets != "labels":
        return measured
    own = backprojection.class_distances(
        jnp.asarray(run.inputs(run.test.x[: amounts.examples])),
        run.test.y[: amounts.examples],
        num_classes=run.dataset.num_classes,
    )
    outputs, _ = network.clean(run.variables, x)
    outputs_star, _ = network.clean(run.variables, found.x_star)
    return measured | {
        "distance_within_classes": float(jnp.nanmean(jnp.diagonal(own))),
        "agreement": float(backprojection.agreement(outputs, outputs_star)),
    }

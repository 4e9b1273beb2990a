"""Measurements of the loss: errors, gradients, curvature, the bound."""

import math

import jax
import numpy as np
from jax import numpy as jnp
from jaxtyping import Array, Float

from noisejax import diagnostics, noise, objectives
from noisejax.measuring._activity import Measured
from noisejax.measuring._amounts import Amounts
from noisejax.measuring._network import Network, NotMeasuredError, plain_model

ERRORS = {
    "labels": "error_percent",
    "inputs": "relative_squared_error_percent",
    "soft labels": "relative_divergence_percent",
}
"""What outputs are compared with -> the error."""


def measure_error(key: noise.Key, network: Network, amounts: Amounts) -> Measured:
    """Error and loss without noise, over all test examples."""
    del key
    run = network.run

    @jax.jit
    def of_chunk(variables, x, y):
        outputs, _ = network.clean(variables, x)
        log_probs = _log_probs(network, outputs, x, y)
        if network.targets == "labels":
            errors = jnp.argmax(outputs, -1) != y
        elif network.targets == "inputs":
            target = x.reshape(outputs.shape)
            errors = ((outputs - target) ** 2).sum(-1) / (target**2).sum(-1)
        else:  # the divergence, over that of a uniform guess of a sure outcome
            entropy = -jax.scipy.special.xlogy(y, y).sum(axis=(1, 2))
            _, tissues, outcomes = outputs.shape
            errors = (-log_probs - entropy) / (tissues * math.log(outcomes))
        return errors.sum(), -log_probs.sum()

    size, n = amounts.chunk, len(run.test.x)
    sums = [
        of_chunk(
            run.variables,
            run.inputs(run.test.x[i : i + size]),
            run.test.y[i : i + size],
        )
        for i in range(0, n, size)
    ]
    error, loss = np.sum(np.asarray(sums, np.float64), axis=0) / n
    return {"n": n, ERRORS[network.targets]: 100 * float(error), "loss": float(loss)}


def measure_gradients(key: noise.Key, network: Network, amounts: Amounts) -> Measured:
    """Mean |dE/dW| over training examples, with and without noise (Hahn, eq. 5)."""
    run = network.run
    n = min(amounts.gradients, len(run.train.x))
    x, y = run.inputs(run.train.x[:n]), run.train.y[:n]
    size = min(amounts.chunk, 32)

    def clean(variables, x, y):
        return -_log_probs(network, network.clean(variables, x)[0], x, y)

    def noisy(variables, x, y, keys):
        return -_log_probs(network, network.noisy(variables, keys[0], x)[0], x, y)

    found = {"without noise": _information(network, clean, (x, y), size)}
    notes = []
    if not network.is_noisy:
        notes.append("with noise: the network makes none")
    elif network.normalised:
        notes.append("with noise: an example alone has no batch statistics")
    else:
        batch = (x, y, jax.random.split(key, n))
        found["with noise"] = _information(network, noisy, batch, size)
    return {"n": n, "weights": found, "notes": notes}


def _information(network, loss_fn, batch, size) -> dict[str, float]:
    """Of the weights, by the names of their layers where these have names."""
    variables = network.run.variables

    def of_params(params, *example):
        return loss_fn({**variables, "params": params}, *example)

    measure = jax.jit(
        lambda params, *batch: diagnostics.gradient_information(
            of_params, params, *batch, chunk_size=size
        )
    )
    names = {layer.kernel: layer.name for layer in network.layers}
    found = {}
    for path, value in jax.tree.leaves_with_path(measure(variables["params"], *batch)):
        keys = tuple(part.key for part in path)
        if keys[-1] == "kernel":
            found[names.get(keys, "/".join(keys[:-1]))] = float(value)
    order = [n for n in names.values() if n in found]
    return {name: found[name] for name in [*order, *(found.keys() - set(order))]}


def measure_bound(key: noise.Key, network: Network, amounts: Amounts) -> Measured:
    """L(S) against S on test examples, and effective samples (Noh 2017, eq. 4)."""
    if not network.is_noisy:
        raise NotMeasuredError("the network makes no noise")
    run = network.run
    x = run.inputs(run.test.x[: amounts.gradients])

    def outputs(variables, key, x):
        return network.noisy(variables, key, x)[0]

    def log_prob(outputs, targets):
        return _log_probs(network, outputs, *targets)

    report = jax.jit(
        lambda key, variables, x, targets: diagnostics.report_noise(
            key,
            outputs,
            variables,
            x,
            targets,
            log_prob_fn=log_prob,
            num_samples=amounts.num_samples,
            num_draws=2,
        )
    )(key, run.variables, x, (x, run.test.y[: len(x)]))
    bound = report.bound
    return {
        "n": len(x),
        "num_samples": np.asarray(bound.num_samples).tolist(),
        "bound": np.asarray(bound.bound).tolist(),
        "standard_error": np.asarray(bound.standard_error).tolist(),
        "gain_standard_error": np.asarray(bound.gain_standard_error).tolist(),
        "effective_samples": np.asarray(report.effective_samples).tolist(),
    }


def measure_sharpness(key: noise.Key, network: Network, amounts: Amounts) -> Measured:
    """Extreme eigenvalues of the Hessian of the noise-free training loss (ours)."""
    run, model = network.run, plain_model(network.run.model)
    n = min(amounts.gradients, len(run.train.x))

    def loss(params, x, y):
        outputs, _ = model.apply({**run.variables, "params": params}, x, train=False)
        return -_log_probs(network, outputs, x, y)

    measure = jax.jit(
        lambda key, params, x, y: diagnostics.sharpness(
            key,
            loss,
            params,
            x,
            y,
            num_iterations=amounts.iterations,
            chunk_size=amounts.chunk,
        )
    )
    x, y = run.inputs(run.train.x[:n]), run.train.y[:n]
    found = measure(key, run.variables["params"], x, y)
    return {
        "n": n,
        "num_iterations": amounts.iterations,
        **{name: float(value) for name, value in dict(found).items()},
    }


def _log_probs(
    network: Network, outputs: Array, x: Array, y: Array
) -> Float[Array, " batch"]:
    if network.targets == "inputs":
        return objectives.gaussian_log_prob(outputs, x.reshape(outputs.shape))
    if network.targets == "soft labels":
        return objectives.soft_label_log_prob(outputs, y)
    return objectives.label_log_prob(outputs, y)

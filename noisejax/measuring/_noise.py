"""Measurements of the noise and of the shifts in front of it."""

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

from noisejax import diagnostics, noise
from noisejax.measuring._activity import Measured
from noisejax.measuring._amounts import Amounts, chunks
from noisejax.measuring._network import Layer, Network, NotMeasuredError

PHI = np.linspace(-1.0, 1.0, 41, dtype=np.float32)
"""Shifts of the input that are tried, in its own units."""


def measure_dropped_share(
    key: noise.Key, network: Network, amounts: Amounts
) -> Measured:
    """The share of a layer's units that is dropped (Bouthillier 2015, fig. 1)."""
    schemes = noise.Dropout | noise.RandomDropout
    places = [layer for layer in _places(network) if isinstance(layer.scheme, schemes)]
    if not places:
        raise NotMeasuredError("no layer has dropout or random dropout on its input")
    sizes = _sizes(network)
    layers = {}
    for layer, k in zip(places, jax.random.split(key, len(places)), strict=True):
        n, scheme = sizes[layer.source], layer.scheme
        shared = isinstance(scheme, noise.RandomDropout) and scheme.batch_dims == 0
        counts = diagnostics.dropped_counts(
            *(k, n, scheme),
            num_draws=amounts.shares,
            chunk_size=1 if shared else max(1, min(1000, amounts.shares // 10)),
        )
        layers[layer.place] = {
            "scheme": type(scheme).__name__,
            "rate": scheme.rate,
            "law": diagnostics.dropped_share_law(n, scheme).tolist(),
            "counts": np.asarray(counts).tolist(),
        }
    return {"n": amounts.shares, "layers": layers}


def measure_shifts(key: noise.Key, network: Network, amounts: Amounts) -> Measured:
    """Learned shifts beside mean activities of training examples (Ba 2014, fig. 2)."""
    del key
    run = network.run
    places = [
        layer
        for layer in _places(network)
        if network.shift(run.variables, layer) is not None
    ]
    if not places:
        raise NotMeasuredError("the network learned no shifts (noise.shift)")

    @jax.jit
    def means(variables, x):
        _, activations = network.clean(variables, x)
        return {p.source: activations[p.source].mean(axis=0) for p in places}

    parts = list(chunks(run.train.x, limit=amounts.examples, size=amounts.chunk))
    found = [means(run.variables, run.inputs(x)) for x in parts]
    mean = jax.tree.map(lambda *leaves: sum(leaves) / len(leaves), *found)
    layers = {}
    for p in places:
        beta = network.shift(run.variables, p)
        compared = diagnostics.shift_against_activity(mean[p.source][None], beta)
        layers[p.place] = {k: np.asarray(v).tolist() for k, v in dict(compared).items()}
    return {"n": sum(map(len, parts)), "layers": layers}


def measure_input_shift(key: noise.Key, network: Network, amounts: Amounts) -> Measured:
    """Dropout's variance when its input is shifted (Ba et al. 2014, eqs. 5 to 7)."""
    del key
    run = network.run
    layer = next((layer for layer in network.layers if layer.scheme is not None), None)
    if layer is None:
        raise NotMeasuredError("no layer has noise on its input")
    if not layer.linear:
        raise NotMeasuredError("the first noisy layer normalises its net values")
    if diagnostics.noise_moments(layer.scheme).additive:
        raise NotMeasuredError("noise that is added does not depend on the input")

    @jax.jit
    def variances(variables, x):
        _, activations = network.clean(variables, x)
        a = network.shifted(variables, layer, activations[layer.source])
        kernel = network.weights(variables, layer)
        arguments = {"scheme": layer.scheme, "product": layer.product}

        def after(phi):
            effect = diagnostics.input_shift_effect(a, kernel, phi, **arguments)
            return before - effect.mean()

        before = diagnostics.conditional_net_variance(a, kernel, **arguments).mean()
        centred = a - a.mean(axis=0, keepdims=True)
        best = diagnostics.conditional_net_variance(centred, kernel, **arguments)
        return lax.map(after, jnp.asarray(PHI)), best.mean()

    x = next(chunks(run.test.x, limit=amounts.chunk, size=amounts.chunk))
    variance, best = variances(run.variables, run.inputs(x))
    return {
        "n": len(x),
        "layer": layer.name,
        "phi": PHI.tolist(),
        "variance": np.asarray(variance).tolist(),
        "best": float(best),
    }


def _places(network: Network) -> list[Layer]:
    """The layers that have a place for noise on their input."""
    return [layer for layer in network.layers if layer.noise]


def _sizes(network: Network) -> dict[str, int]:
    """Units of an example, by the name of the activations."""
    run = network.run
    shapes = jax.eval_shape(network.clean, run.variables, run.inputs(run.test.x[:1]))
    return {name: int(np.prod(shape.shape)) for name, shape in shapes[1].items()}

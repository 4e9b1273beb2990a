"""Measurements of gradients and curvature of the training loss."""

from typing import Any

import jax

from noisejax import diagnostics, figures, noise
from noisejax.evaluators import _measurement as shared
from noisejax.evaluators._measurement import Drawing, Networks, SampleSizes, Values
from noisejax.evaluators._trained_model import TrainedModel

CHUNK = 32
"""Largest number of per-example gradients that are in memory at the same time."""


def measure_information(
    key: noise.Key, model: TrainedModel, sizes: SampleSizes
) -> Values:
    """Measure gradient information, with and without noise (Hahn and Choi 2018, eq. 5).

    It is the mean of |∂E/∂W| over training examples.
    """
    n = min(sizes.gradients, len(model.train.x))
    x, y = model.inputs(model.train.x[:n]), model.train.y[:n]
    size = min(sizes.chunk, CHUNK)
    weights, notes = {"without noise": information(model, (x, y), size)}, []
    if not model.is_noisy:
        notes.append("with noise: the network makes none")
    elif model.normalised:
        notes.append("with noise: a single example has no batch statistics")
    else:
        batch = (x, y, jax.random.split(key, n))
        weights["with noise"] = information(model, batch, size)
    return {"n": n, "weights": weights, "notes": notes}


def information(
    model: TrainedModel, batch: tuple[Any, ...], size: int
) -> dict[str, float]:
    """Return the mean |∂E/∂W| of every kernel, by layer name or parameter path.

    Args:
      model: network.
      batch: inputs and targets; for noise, also one key per example.
      size: number of examples that are processed at the same time.
    """

    def loss(params, x, y, keys=(None,)):
        outputs, _ = model.apply({**model.variables, "params": params}, keys[0], x)
        return -model.log_probs(outputs, x, y)

    measured = jax.jit(
        lambda params, *batch: diagnostics.gradient_information(
            loss, params, *batch, chunk_size=size
        )
    )(model.variables["params"], *batch)
    names = {layer.kernel: layer.name for layer in model.layers if layer.kernel}
    values = {}
    for path, value in jax.tree.leaves_with_path(measured):
        keys = tuple(str(getattr(part, "key", part)) for part in path)
        if keys[-1:] == ("kernel",):
            values[names.get(keys, "/".join(keys[:-1]))] = float(value)
    order = [name for name in names.values() if name in values]
    return {name: values[name] for name in [*order, *(values.keys() - set(order))]}


def draw_information(networks: Networks) -> list[Drawing]:
    """Draw the means per layer, with and without noise, for each network."""
    drawings = []
    for found in networks.values():
        layers = {label: shared.titled(v) for label, v in found["weights"].items()}
        if all(layers.values()):
            panels = {f"Gradient information\n(n = {found['n']:,} examples)": layers}
            look = {"ylabel": "Mean |∂E/∂W|", "scale": "log"}
            drawings.append(shared.drawing(figures.bars, panels, **look))
    return drawings


def measure_sharpness(
    key: noise.Key, model: TrainedModel, sizes: SampleSizes
) -> Values:
    """Measure the extreme eigenvalues of the Hessian of the noise-free loss."""
    model = model.differentiable(plain=True)
    n = min(sizes.gradients, len(model.train.x))
    x, y = model.inputs(model.train.x[:n]), model.train.y[:n]

    def loss(params, x, y):
        outputs, _ = model.clean({**model.variables, "params": params}, x)
        return -model.log_probs(outputs, x, y)

    options = {"num_iterations": sizes.iterations, "chunk_size": sizes.chunk}
    eigenvalues = jax.jit(
        lambda key, params, x, y: diagnostics.sharpness(
            key, loss, params, x, y, **options
        )
    )(key, model.variables["params"], x, y)
    found = {name: float(value) for name, value in dict(eigenvalues).items()}
    return {"n": n, "num_iterations": sizes.iterations, **found}


def draw_sharpness(networks: Networks) -> list[Drawing]:
    """Draw the largest eigenvalues of several networks.

    For a single network nothing is drawn, because the page's title contains the value.
    """
    if len(networks) < 2:
        return []
    n = next(iter(networks.values()))["n"]
    values = {label: {"": found["largest"]} for label, found in networks.items()}
    panels = {f"Sharpness of the minimum\n(n = {n:,} examples)": values}
    ylabel = "Largest eigenvalue of the Hessian"
    return [shared.drawing(figures.bars, panels, ylabel=ylabel)]

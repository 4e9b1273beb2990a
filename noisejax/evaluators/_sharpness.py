"""Curvature of the noise-free training loss."""

import jax

from noisejax import diagnostics, figures, noise
from noisejax.evaluators import _measurement as shared
from noisejax.evaluators._measurement import Amounts, Drawing, Found, Networks
from noisejax.evaluators._trained_model import TrainedModel


def measure(key: noise.Key, model: TrainedModel, amounts: Amounts) -> Found:
    """Measure the extreme eigenvalues of the Hessian of the noise-free loss."""
    model = model.differentiable(plain=True)
    n = min(amounts.gradients, len(model.train.x))
    x, y = model.inputs(model.train.x[:n]), model.train.y[:n]

    def loss(params, x, y):
        outputs, _ = model.clean({**model.variables, "params": params}, x)
        return -model.log_probs(outputs, x, y)

    options = {"num_iterations": amounts.iterations, "chunk_size": amounts.chunk}
    eigenvalues = jax.jit(
        lambda key, params, x, y: diagnostics.sharpness(
            key, loss, params, x, y, **options
        )
    )(key, model.variables["params"], x, y)
    found = {name: float(value) for name, value in dict(eigenvalues).items()}
    return {"n": n, "num_iterations": amounts.iterations, **found}


def draw(networks: Networks) -> list[Drawing]:
    """Draw the largest eigenvalues; one alone is part of the page's title."""
    if len(networks) < 2:
        return []
    n = next(iter(networks.values()))["n"]
    values = {label: {"": found["largest"]} for label, found in networks.items()}
    panels = {f"Sharpness of the minimum\n(n = {n:,} examples)": values}
    ylabel = "Largest eigenvalue of the Hessian"
    return [shared.drawing(figures.bars, panels, ylabel=ylabel)]

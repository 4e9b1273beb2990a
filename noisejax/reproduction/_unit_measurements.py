"""Measurements of units and their net values (Hahn and Choi 2018, figures 1 to 3)."""

import numpy as np
from jax import numpy as jnp

from noisejax import diagnostics
from noisejax.reproduction._measured import Measured
from noisejax.reproduction._subject import Subject

SATURATED = 0.1
"""A slope below it counts as flat (ours)."""

BOUNDS = (0.9, 0.8, 0.7, 0.6, 0.5)
"""Of |r|, as in Hahn and Choi's table 1."""

BATCH, DRAWS = 128, 20
"""Examples and draws of all masks, as in Hahn and Choi's table 3."""

RATE = 0.5
"""Of the dropout that is put into a network without noise."""


def correlations(subject: Subject) -> Measured:
    """Correlated pairs of every hidden layer, on the test part (figure 1, table 1)."""
    names = [f"hidden_{i}" for i in subject.layers]
    activations = subject.activations(subject.test_x, names)
    numbers, arrays = {}, {}
    for i, name in enumerate(names):
        layer = f"layer_{i + 1}"
        counts = diagnostics.correlation_counts(
            jnp.asarray(activations[name]), thresholds=BOUNDS
        )
        for bound, above in zip(BOUNDS, counts.above, strict=True):
            numbers[f"pairs_above/{layer}/{bound}"] = float(above)
        arrays[f"histogram/{layer}"] = np.asarray(counts.histogram)
        arrays[f"pairs/{layer}"] = np.asarray(counts.num_pairs)
        arrays[f"constant/{layer}"] = np.asarray(counts.num_constant)
    return Measured(numbers, arrays)


def slopes_under_noise(subject: Subject) -> Measured:
    """Slopes of net values with and without noise (the mechanism of figure 2)."""
    names = [f"net_{i}" for i in subject.layers]
    x = subject.test_x[:BATCH]
    clean = subject.activations(x, names)
    model = subject.noisy_model(RATE)
    noisy = subject.noisy_draws(model, x, names, DRAWS)
    phi = subject.run.model.activation
    numbers, arrays = {}, {}
    for i, name in enumerate(names):
        layer, nets = f"layer_{i + 1}", jnp.asarray(clean[name])
        slopes = diagnostics.slope_under_noise(nets, noisy[name], phi)
        before = np.asarray(diagnostics.activation_slope(nets, phi))
        after = np.asarray(diagnostics.activation_slope(noisy[name], phi)).mean(0)
        flat = np.abs(before) < SATURATED
        numbers[f"slope_gain/{layer}"] = (
            after[flat].mean() / before[flat].mean() if flat.any() else np.nan
        )
        arrays |= {
            f"{field}/{layer}": np.asarray(getattr(slopes, field))
            for field in ("centers", "counts", "clean", "noisy")
        }
    return Measured(numbers, arrays)


def net_values(subject: Subject) -> Measured:
    """Distributions of net values, and the share that is saturated (figures 3, 6)."""
    names = [f"net_{i}" for i in subject.layers]
    nets = subject.activations(subject.test_x, names)
    phi = subject.run.model.activation
    numbers, arrays = {}, {}
    for i, name in enumerate(names):
        layer, z = f"layer_{i + 1}", jnp.asarray(nets[name])
        share = diagnostics.saturation(z, phi, threshold=SATURATED)
        numbers[f"share_saturated/{layer}"] = share
        histogram = diagnostics.net_histogram(z)
        arrays |= {
            f"{field}/{layer}": np.asarray(getattr(histogram, field))
            for field in ("counts", "below", "above", "low", "high")
        }
    return Measured(numbers, arrays)

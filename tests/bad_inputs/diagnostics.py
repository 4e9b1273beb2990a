"""Wrong arguments of `diagnostics`."""

import numpy as np
from jax import numpy as jnp

from noisejax import diagnostics, noise
from tests.bad_inputs.arrays import IMAGES, INTEGERS, X, key

WEIGHTS = np.ones((5, 3), np.float32)
NET = np.zeros((4, 3), np.float32)
DROPOUT = noise.Dropout(0.5)


def loss(params, x):
    return jnp.sum(params * x, axis=-1)


DIAGNOSTICS = {
    "net_variance: one draw": (
        lambda: diagnostics.net_variance(key(), lambda p, k: p, X, num_draws=1),
        "a variance needs at least 2 draws, got 1",
    ),
    "conditional_net_variance: noise of a layer": (
        lambda: diagnostics.conditional_net_variance(X, WEIGHTS, noise.DropPath(0.5)),
        "act on units one by one",
    ),
    "net_moments: shared masks": (
        lambda: diagnostics.net_moments(
            NET, X, WEIGHTS, noise.Dropout(0.5, broadcast_dims=(0,))
        ),
        "act on units one by one",
    ),
    "noise_moments: a rate": (lambda: diagnostics.noise_moments(0.5), "got 0.5"),
    "input_shift_effect: no scheme": (
        lambda: diagnostics.input_shift_effect(X, WEIGHTS, X[0], "dropout"),
        "got 'dropout'",
    ),
    "node_correlations: images": (
        lambda: diagnostics.node_correlations(IMAGES),
        r"activations must be \[examples, units\].*reshape\(-1, channels\)",
    ),
    "correlation_counts: no bins": (
        lambda: diagnostics.correlation_counts(X, num_bins=0),
        "num_bins and block_size must be at least 1, got 0",
    ),
    "dropped_counts: draws in chunks": (
        lambda: diagnostics.dropped_counts(
            key(), 4, DROPOUT, num_draws=10, chunk_size=4
        ),
        "a multiple of chunk_size, got 10 and 4",
    ),
    "dropped_share_law: Gaussian noise": (
        lambda: diagnostics.dropped_share_law(4, noise.GaussianNoise(1.0)),
        "must be noise.Dropout or noise.RandomDropout",
    ),
    "dropped_share_law: no units": (
        lambda: diagnostics.dropped_share_law(0, DROPOUT),
        "num_units must be at least 1, got num_units=0",
    ),
    "expected_slope: stddev 0": (
        lambda: diagnostics.expected_slope(X, jnp.tanh, stddev=0.0),
        "stddev must be above 0, got 0.0",
    ),
    "activation_slope: integers": (
        lambda: diagnostics.activation_slope(INTEGERS, jnp.tanh),
        "floating array",
    ),
    "calibration: labels of another number": (
        lambda: diagnostics.calibration(jnp.zeros((3, 2)), jnp.zeros(2, int)),
        r"got shapes \(3, 2\) and \(2,\)",
    ),
    "saturation: integers": (
        lambda: diagnostics.saturation(INTEGERS, jnp.tanh),
        "floating array",
    ),
    "net_histogram: bounds the other way": (
        lambda: diagnostics.net_histogram(X, low=1.0, high=0.0),
        "low < high and at least 1 of them, got low=1.0",
    ),
    "slope_under_noise: no draws": (
        lambda: diagnostics.slope_under_noise(X, X, jnp.tanh),
        r"noisy_nets must be \[draws, ...\]",
    ),
    "gradient_information: no chunk": (
        lambda: diagnostics.gradient_information(loss, X[0], X, chunk_size=0),
        "chunk_size must be at least 1 example, got 0",
    ),
    "gradient_information: batches of two sizes": (
        lambda: diagnostics.gradient_information(loss, X[0], X, X[:2]),
        r"got first axes \[\(2,\), \(4,\)\]",
    ),
    "sharpness: no iterations": (
        lambda: diagnostics.sharpness(key(), loss, X[0], X, num_iterations=0),
        "num_iterations must be at least 1, got 0",
    ),
    "report_noise: no samples": (
        lambda: diagnostics.report_noise(
            key(), lambda p, k, x: x, X[0], X, np.zeros(4, np.int32), num_samples=0
        ),
        "num_samples must be at least 1, got 0",
    ),
    "shift_against_activity: another shape": (
        lambda: diagnostics.shift_against_activity(X, np.zeros(4, np.float32)),
        r"got \(4,\) for activities \(4, 5\)",
    ),
}

"""Computes rows that need no network, from formulas and from draws of masks."""

from collections.abc import Callable

import jax
import numpy as np
from jax import numpy as jnp

from noisejax import activations, diagnostics, models, noise
from noisejax.experiments import Row, Scale
from noisejax.reproduce._measure import Measured

FREQUENCY = 10_000.0
"""K of gradient acceleration (Hahn and Choi 2018)."""

TOLERANCE = 1e-6
"""Magnitude below which an activation counts as nearly 0."""


def dropped_share_density(row: Row, scale: Scale) -> Measured:
    """Compute and sample the number of dropped units (Bouthillier 2015, figure 1)."""
    rate, units = row.factors["rate"], row.factors["units"]
    schemes = {"dropout": noise.Dropout, "random_dropout": noise.RandomDropout}
    scheme = schemes[row.factors["scheme"]](rate)
    law = diagnostics.dropped_share_law(units, scheme)
    key = jax.random.key(0)
    counts = np.asarray(
        diagnostics.dropped_counts(key, units, scheme, num_draws=scale.draws)
    )
    share = np.arange(units + 1) / units
    below = law[share <= rate - 0.1]
    numbers = {
        "dropped_share/near_rate": law[np.abs(share - rate) <= 0.05 + 1e-9].sum(),
        "dropped_share/above_rate": law[share > rate].sum(),
        "dropped_share/unevenness": below.std() / below.mean(),
        "dropped_share/draws_off": 0.5 * np.abs(counts / counts.sum() - law).sum(),
    }
    return Measured(numbers, {"law": law, "counts": counts})


def activation_zeros(row: Row, scale: Scale) -> Measured:
    """Find where an activation is 0 (Ba et al. 2014, table 1)."""
    if row.name == "maxout":
        z = np.round(np.linspace(-20, 20, 401), 1)
        pieces = np.stack(np.meshgrid(z, z, indexing="ij"), axis=-1)
        values = np.asarray(models.maxout(jnp.asarray(pieces), 2))[..., 0]
        zero = pieces[values == 0]
        edges = ((zero == 0).any(-1) & (zero <= 0).all(-1)).all()
        text = "max(z₁, z₂) = 0" + (
            ", one piece 0 and the other z ≤ 0" if edges else ""
        )
        return Measured({"zero_at": text, "zero_at/share": len(zero) / values.size})
    phi = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh}[row.name]
    z = np.round(np.linspace(-20, 20, 40_001), 3)
    values = np.asarray(phi(jnp.asarray(z)), np.float64)
    text = _interval(z[values == 0])
    if not (values == 0).any():
        text += f", nearly for {_interval(z[np.abs(values) < TOLERANCE])}"
    share = float((values == 0).mean())
    return Measured(
        {"zero_at": text, "zero_at/share": share}, {"z": z, "value": values}
    )


def _interval(z: np.ndarray) -> str:
    """Return neighbouring points of the grid on [-20, 20] as a condition on z."""
    if not len(z):
        return "nowhere"
    low, high = z.min(), z.max()
    if low == high:
        return f"z = {low:g}"
    return f"z ≤ {high:g}" if low == -20 else f"{low:g} ≤ z ≤ {high:g}"


def gaaf_functions(row: Row, scale: Scale) -> Measured:
    """Compute g(x), or a shape function and the slope (Hahn, figures 4 and 5)."""
    if row.name == "acceleration":
        x = (np.arange(-2000, 2000) + 0.5) / (1000 * FREQUENCY)  # avoid the steps of g
        g = np.asarray(
            activations.gradient_acceleration(jnp.asarray(x), frequency=FREQUENCY)
        )
        rises = np.diff(g) > 0  # without the steps down
        slopes = np.diff(g)[rises] / np.diff(x)[rises]
        numbers = {
            "acceleration/largest": np.abs(g).max() * FREQUENCY,
            "acceleration/slope": np.median(slopes),
        }
        return Measured(numbers, {"x": x, "g": g})
    shape, phi = {
        "tanh_shape": (activations.exponential_shape, jnp.tanh),
        "relu_shape": (activations.shifted_sigmoid_shape, jax.nn.relu),
    }[row.name]
    x = np.linspace(-10, 10, 401)
    at = {f"shape/at_{z}": shape(jnp.float32(z)) for z in (-8, 0, 8)}
    arrays = {
        "x": x,
        "shape": np.asarray(shape(jnp.asarray(x))),
        "slope": np.asarray(diagnostics.activation_slope(jnp.asarray(x), phi)),
    }
    return Measured(at, arrays)


COMPUTED: dict[str, Callable[[Row, Scale], Measured]] = {
    "activation_zeros": activation_zeros,
    "dropped_share_density": dropped_share_density,
    "gaaf_functions": gaaf_functions,
}
"""Name of a measurement -> function of a row and a scale."""

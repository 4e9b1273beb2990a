"""Measures trained networks: numbers for the table, and arrays for the figure."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from noisejax import diagnostics, evaluators, noise, objectives, training

Number = float | str | None
"""Number in a table; None if it is undefined, such as the mean of no values."""

BATCH, DRAWS = 128, 20
"""Number of examples, and of draws of all masks (Hahn and Choi 2018, table 3)."""

RATE = 0.5
"""Dropout rate that is used to measure slopes in a network without noise."""

GRADIENTS = 512
"""Number of training examples for per-example gradients."""

SAMPLES, TRAIN_SAMPLES = 16, 8
"""Number of noise samples per test example, and per training example."""

WEIGHTED = 1000
"""Number of training examples for importance weights."""

SHARPNESS_EXAMPLES = 512
"""Number of training examples for the Hessian."""


@dataclasses.dataclass(frozen=True)
class Measured:
    """Result of one or more measurements of a row and seed.

    Attributes:
      numbers: metric -> number for the table.
      arrays: name -> array for the figure.
    """

    numbers: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    arrays: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __or__(self, other: "Measured") -> "Measured":
        """Merge two results."""
        return Measured(
            {**self.numbers, **other.numbers}, {**self.arrays, **other.arrays}
        )


def as_number(value: object) -> Number:
    """Convert a number for JSON; return None if it is not finite."""
    if isinstance(value, str) or value is None:
        return value
    value = float(value)
    return value if math.isfinite(value) else None


def evaluate(
    name: str, key: noise.Key, model: evaluators.TrainedModel, **sizes: int
) -> dict[str, Any]:
    """Make a measurement of `evaluators`; return its values by layer.

    Layers are named as in results.jsonl. The result is {} if the measurement does not
    apply to the network.

    Args:
      name: name of the measurement.
      key: PRNG key.
      model: network.
      **sizes: fields of `evaluators.SampleSizes`. The default is all examples.
    """
    n = max(len(model.test.x), len(model.train.x))
    chosen = {"examples": n, "rows": len(model.test.x), "chunk": 1000, **sizes}
    try:
        found = evaluators.MEASUREMENTS[name].measure(
            key, model, evaluators.SampleSizes(**chosen)
        )
    except evaluators.NotMeasuredError:
        return {}
    return {_short(layer): values for layer, values in found["layers"].items()}


def _short(name: str) -> str:
    """Return the name of a layer in results.jsonl, such as "layer_1" for "hidden 1"."""
    name = {"output": "last layer"}.get(name, name)
    return name.replace("hidden ", "layer_").replace(" ", "_")


def _arrays(
    layers: Mapping[str, Any], *fields: str, **renamed: str
) -> dict[str, np.ndarray]:
    """Return the arrays "field/layer", or "name/layer" for `name=field`."""
    arrays = {
        f"{name}/{layer}": np.asarray(values[field])
        for layer, values in layers.items()
        for name, field in {**dict(zip(fields, fields, strict=True)), **renamed}.items()
    }
    return {
        name: a.astype(np.float32) if a.dtype == np.float64 else a
        for name, a in arrays.items()
    }


def correlation_counts(key: noise.Key, model: evaluators.TrainedModel) -> Measured:
    """Count correlated pairs of hidden units, test set (Hahn, figure 1, table 1)."""
    layers = evaluate("correlations", key, model)
    numbers = {
        f"pairs_above/{layer}/{bound}": float(count)
        for layer, values in layers.items()
        for bound, count in zip(values["thresholds"], values["above"], strict=True)
    }
    counts = _arrays(layers, "histogram", pairs="num_pairs", constant="num_constant")
    return Measured(numbers, counts)


def slopes_under_noise(key: noise.Key, model: evaluators.TrainedModel) -> Measured:
    """Measure slopes with and without noise (Hahn, the mechanism of figure 2)."""
    if not model.is_noisy:
        schemes = (noise.Dropout(RATE),) * len(model.sites)
        model = model.with_noise(hidden_noise=schemes)
    layers = evaluate("slope_under_noise", key, model, chunk=BATCH, num_draws=DRAWS)
    numbers = {f"slope_gain/{layer}": v["gain"] for layer, v in layers.items()}
    return Measured(numbers, _arrays(layers, "centers", "counts", "clean", "noisy"))


def net_values(key: noise.Key, model: evaluators.TrainedModel) -> Measured:
    """Measure the distributions of pre-activations, test set (Hahn, figure 3)."""
    layers = evaluate("net_values", key, model)
    numbers = {f"share_saturated/{k}": v["saturation"] for k, v in layers.items()}
    fields = ("counts", "below", "above", "low", "high")
    return Measured(numbers, _arrays(layers, *fields))


def net_variances(key: noise.Key, model: evaluators.TrainedModel) -> Measured:
    """Measure variances of pre-activations over masks (Hahn, eq. 6, table 3)."""
    sizes = {"examples": BATCH, "chunk": BATCH, "num_draws": DRAWS}
    layers = evaluate("net_variance", key, model, **sizes)
    names = {
        "net_variance": "measured",
        "net_variance_conditional": "conditional",
        "net_variance_passed_on": "passed_on",
    }
    numbers = {
        f"{metric}/{layer}": values[part]
        for layer, values in layers.items()
        for metric, part in names.items()
    }
    return Measured(numbers)


def gradient_information(key: noise.Key, model: evaluators.TrainedModel) -> Measured:
    """Measure mean |∂E/∂W| through training and at the best epoch (Hahn, eq. 5).

    Inverted scaling multiplies the gradients of a layer after dropout by
    1 / (1 - rate), which the paper's scaling does not. The result is scaled back to the
    paper's scaling (table 2).
    """
    rows = [
        row
        for row in training.read_metrics(model.run.path / "metrics.jsonl")
        if row["phase"] == row["split"] == "train" and row["seed"] == model.run.seed
    ]
    n = min(GRADIENTS, len(model.train.x))
    x, y = model.inputs(model.train.x[:n]), model.train.y[:n]
    per_example = evaluators.information(
        model, (x, y, jax.random.split(key, n)), size=n
    )
    numbers, arrays = {}, {}
    for layer in model.layers[:-1]:
        name, scheme = _short(layer.name), layer.scheme
        dropped = isinstance(scheme, noise.Dropout) and scheme.scale
        scale = 1 - scheme.rate if dropped and layer.site != "input" else 1.0
        by_epoch = np.array([row["gradient/" + "/".join(layer.kernel)] for row in rows])
        numbers[f"gradient_information/{name}"] = (by_epoch * scale).mean()
        numbers[f"gradient_inverted_scaling/{name}"] = by_epoch.mean()
        numbers[f"gradient_per_example/{name}"] = per_example[layer.name] * scale
        arrays[f"gradient/{name}"] = by_epoch * scale
    return Measured(numbers, arrays)


def shift_against_activity(key: noise.Key, model: evaluators.TrainedModel) -> Measured:
    """Compare learned shifts with mean activities (Ba et al. 2014, figure 2)."""
    sites = evaluate("shifts", key, model)
    numbers = {}
    for site, values in sites.items():
        mean, shift = (np.ravel(values[name]) for name in ("mean_activity", "shift"))
        centred = mean - mean.mean()
        slope = np.dot(centred, shift - shift.mean()) / np.dot(centred, centred)
        numbers[f"shift_correlation/{site}"] = values["correlation"]
        numbers[f"shift_slope/{site}"] = slope
    return Measured(numbers, _arrays(sites, mean="mean_activity", shift="shift"))


def shift_images(key: noise.Key, model: evaluators.TrainedModel) -> Measured:
    """Return the mean input and its shifts as images (Ba et al. 2014, figure 1)."""
    shape = model.run.dataset.shape
    mean = model.inputs(model.train.x).mean(0)
    arrays = {"mean_image": np.asarray(mean).reshape(shape)}
    shift = model.shift(model.layers[0])
    if shift is not None:
        arrays["shift_image"] = np.asarray(shift).reshape(shape)
    return Measured(arrays=arrays)


def learning_curves(key: noise.Key, model: evaluators.TrainedModel) -> Measured:
    """Return the errors by epoch (Ba et al. 2014, figure 1)."""
    path, seed = model.run.path, model.run.seed
    splits = ("train", "validation", "test")
    curves = {f"curve/{s}": evaluators.curve(path, s, seed) for s in splits}
    return Measured(arrays=curves)


def dead_units(key: noise.Key, model: evaluators.TrainedModel) -> Measured:
    """Measure the share of hidden units that are 0 on every test example."""
    layers = evaluate("dead_units", key, model)
    return Measured({f"dead_share/{name}": share for name, share in layers.items()})


def two_streams(key: noise.Key, model: evaluators.TrainedModel) -> Measured:
    """Measure the mean accuracy per class, and that of the sum of both streams."""
    raw, y = model.run.dataset.test_x, np.asarray(model.test.y)
    x = model.inputs(model.test.x)
    right = np.asarray(jax.jit(model.clean)(model.variables, x)[0]).argmax(-1) == y
    numbers = {
        "class_accuracy_percent": 100
        * np.mean([right[y == label].mean() for label in np.unique(y)])
    }
    if raw.shape[1:] == (2, model.num_classes):
        plain = raw.sum(axis=1).argmax(-1) == y
        numbers["sum_accuracy_percent"] = 100 * plain.mean()
    return Measured(numbers)


def sharpness(key: noise.Key, model: evaluators.TrainedModel) -> Measured:
    """Measure the largest eigenvalue of the Hessian of the noise-free training loss.

    Hahn and Choi (2018) claim that dropout and GAAF converge to flat regions.
    """
    n = SHARPNESS_EXAMPLES
    sizes = evaluators.SampleSizes(gradients=n, chunk=n)
    found = evaluators.MEASUREMENTS["sharpness"].measure(key, model, sizes)
    largest = found["largest"]
    residual = found["residual"] / largest
    return Measured({"sharpness/largest": largest, "sharpness/residual": residual})


def noise_samples(key: noise.Key, model: evaluators.TrainedModel) -> Measured:
    """Measure the effect of several noise samples per example (Noh et al. 2017, eq. 4).

    Measures the bound L(S), error and calibration of the noise-free and the Monte-Carlo
    prediction, and the effective number of samples 1 / Σ_s w_s² on training examples.
    """
    draws = jax.jit(model.sample_outputs)
    key, train_key = jax.random.split(key)
    x, y = model.inputs(model.test.x), np.asarray(model.test.y)
    clean = jax.jit(model.clean)(model.variables, x)[0]
    noisy = draws(jax.random.split(key, SAMPLES), model.variables, x)
    log_probs = jax.vmap(objectives.label_log_prob, (0, None))
    curve = objectives.bound_curve(log_probs(noisy, y))
    averaged = objectives.predictive(jax.nn.log_softmax(noisy)).log_probs
    numbers = {
        f"bound/S={int(s)}": value
        for s, value in zip(curve.num_samples, curve.bound, strict=True)
    }
    for name, outputs in (("noise_free", clean), ("monte_carlo", averaged)):
        found = diagnostics.calibration(jax.nn.log_softmax(outputs), y)
        wrong = np.mean(np.argmax(outputs, axis=-1) != y)
        numbers[f"prediction_error_percent/{name}"] = 100 * wrong
        numbers[f"calibration_error_percent/{name}"] = 100 * found.error
    x = model.inputs(model.train.x[:WEIGHTED])
    noisy = draws(jax.random.split(train_key, TRAIN_SAMPLES), model.variables, x)
    weights = objectives.importance_weights(log_probs(noisy, model.train.y[: len(x)]))
    effective = objectives.effective_samples(weights).mean()
    return Measured({**numbers, f"effective_samples/{TRAIN_SAMPLES}": effective})

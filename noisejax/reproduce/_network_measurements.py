"""Measurements of a whole network: dead units, sharpness, several noise samples."""

import jax
import numpy as np
from jax import numpy as jnp

from noisejax import diagnostics, objectives
from noisejax.reproduction._measured import Measured
from noisejax.reproduction._subject import Subject

SHARPNESS_EXAMPLES = 512
"""Training examples of the Hessian."""

SAMPLES, TRAIN_SAMPLES = 16, 8
"""Noise samples per test example, and per training example."""

TRAIN_EXAMPLES = 1000
"""Training examples on which importance weights are measured."""

BINS = 15
"""Confidence bins of the calibration error."""


def dead_units(subject: Subject) -> Measured:
    """Measure the share of hidden units that are 0 on every test example, per layer."""
    names = [f"hidden_{i}" for i in subject.layers]
    activations = subject.activations(subject.test_x, names)
    return Measured(
        {
            f"dead_share/layer_{i + 1}": (activations[name] == 0).all(0).mean()
            for i, name in enumerate(names)
        }
    )


def sharpness(subject: Subject) -> Measured:
    """Measure the largest eigenvalue of the Hessian of the noise-free training loss.

    Hahn and Choi 2018 hold that dropout and GAAF converge on flat regions. GAAF is
    replaced by its plain activation, because its second derivative means nothing.
    """
    model = subject.run.model
    model = model.clone(activation=diagnostics.plain_activation(model.activation))
    batch_stats = subject.run.variables["batch_stats"]

    def loss_fn(params, x, y):
        variables = {"params": params, "batch_stats": batch_stats}
        logits, _ = model.apply(variables, x, train=False)
        return -objectives.label_log_prob(logits, y)

    x = subject.train_x[:SHARPNESS_EXAMPLES]
    y = jnp.asarray(subject.run.train.y[:SHARPNESS_EXAMPLES])
    found = diagnostics.sharpness(subject.key(), loss_fn, subject.params, x, y)
    return Measured(
        {
            "sharpness/largest": found.largest,
            "sharpness/residual": found.residual / found.largest,
        }
    )


def noise_samples(subject: Subject) -> Measured:
    """Measure what several noise samples per example give (Noh et al. 2017, eq. 4).

    The bound L(S), the Monte-Carlo prediction beside the noise-free one (error and
    calibration), and the effective number of samples 1 / Σ_s w_s² in training.
    """
    model, y = subject.run.model, np.asarray(subject.run.test.y)
    clean = subject.activations(subject.test_x, ["output"])["output"]
    noisy = subject.noisy_draws(model, subject.test_x, ["output"], SAMPLES)["output"]
    log_probs = jax.nn.log_softmax(noisy)
    curve = objectives.bound_curve(
        jax.vmap(objectives.label_log_prob, (0, None))(noisy, y)
    )
    averaged = np.asarray(objectives.predictive(log_probs).log_probs)
    numbers = {
        f"bound/S={int(s)}": value
        for s, value in zip(curve.num_samples, curve.bound, strict=True)
    }
    for name, outputs in (("noise_free", clean), ("monte_carlo", averaged)):
        wrong = (outputs.argmax(-1) != y).mean()
        numbers[f"prediction_error_percent/{name}"] = 100 * wrong
        probs = np.asarray(jax.nn.softmax(jnp.asarray(outputs)))
        numbers[f"calibration_error_percent/{name}"] = 100 * _calibration_error(
            probs, y
        )
    x = subject.train_x[:TRAIN_EXAMPLES]
    train_y = jnp.asarray(subject.run.train.y[:TRAIN_EXAMPLES])
    draws = subject.noisy_draws(model, x, ["output"], TRAIN_SAMPLES)["output"]
    train_log_probs = jax.vmap(objectives.label_log_prob, (0, None))(draws, train_y)
    weights = objectives.importance_weights(train_log_probs)
    effective = objectives.effective_samples(weights)
    numbers[f"effective_samples/{TRAIN_SAMPLES}"] = effective.mean()
    return Measured(numbers)


def _calibration_error(probs: np.ndarray, y: np.ndarray) -> float:
    """Expected calibration error: Σ_b (n_b / n) |accuracy_b - confidence_b|."""
    confidence, right = probs.max(-1), probs.argmax(-1) == y
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [
        abs(right[bins == b].mean() - confidence[bins == b].mean()) * (bins == b).mean()
        for b in range(BINS)
        if (bins == b).any()
    ]
    return float(sum(gaps))
